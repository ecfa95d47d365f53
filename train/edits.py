"""Edits between what was said and what was heard: counted, and one by one.

The alignment is jiwer's; what is counted and how empty references enter is decided here. Needs no TensorFlow.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jiwer


@dataclass(frozen=True)
class Errors:
    """Edits between references and hypotheses, in words or characters; add them up over a corpus.

    >>> total = word_errors("GO ON", "GO") + word_errors("", "UH")
    >>> total.edits, total.length, total.rate
    (2, 2, 1.0)

    Attributes:
        substitutions, deletions, insertions: Edits that turn the reference into the hypothesis.
        length: Units of the reference.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    length: int = 0

    def __add__(self, other: "Errors") -> "Errors":
        return Errors(*(a + b for a, b in zip(self._values, other._values, strict=True)))

    @property
    def _values(self):
        return self.substitutions, self.deletions, self.insertions, self.length

    @property
    def edits(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions

    def counts(self) -> dict[str, int]:
        """Gives the counts by name."""
        return dict(zip(("substitutions", "deletions", "insertions", "length"), self._values, strict=True))

    @property
    def rate(self) -> float:
        """Edits / length. Without any reference unit: 0 if nothing was inserted, else 1."""
        return self.edits / self.length if self.length else float(self.edits > 0)


def word_errors(reference: str, hypothesis: str) -> Errors:
    """Counts word edits; an empty reference makes every word of the hypothesis an insertion."""
    return _errors(jiwer.process_words(reference, hypothesis))


def character_errors(reference: str, hypothesis: str) -> Errors:
    """Counts character edits, spaces included."""
    return _errors(jiwer.process_characters(reference, hypothesis))


def _errors(output) -> Errors:
    length = output.hits + output.substitutions + output.deletions
    return Errors(output.substitutions, output.deletions, output.insertions, length)


class Step(NamedTuple):
    """One step of an alignment: a word or a character said, and what was heard in its place; "" where there is none."""

    said: str
    heard: str


def align_words(reference: str, hypothesis: str) -> list[Step]:
    """Sets words side by side, with the fewest edits.

    >>> align_words("GO ON NOW", "GO IN")
    [Step(said='GO', heard='GO'), Step(said='ON', heard='IN'), Step(said='NOW', heard='')]
    """
    return list(_steps(jiwer.process_words(reference, hypothesis)))


def align_characters(reference: str, hypothesis: str) -> list[Step]:
    """Sets characters side by side, spaces included."""
    return list(_steps(jiwer.process_characters(reference, hypothesis)))


def _steps(output) -> Iterator[Step]:
    said, heard = output.references[0], output.hypotheses[0]
    for chunk in output.alignments[0]:
        here = said[chunk.ref_start_idx : chunk.ref_end_idx]
        there = heard[chunk.hyp_start_idx : chunk.hyp_end_idx]
        most = max(len(here), len(there))  # either as many, or none
        yield from map(Step, here or [""] * most, there or [""] * most)


@dataclass(frozen=True)
class Confusion:
    """What is mistaken for what, and how often.

    Attributes:
        said, heard: The word or character, and what was heard in its place; "" where there is none.
        count: How often.
        occurrences: How often `said` was said in all; 0 for an insertion.
    """

    said: str
    heard: str
    count: int
    occurrences: int


def confusions(alignments: Iterable[list[Step]]) -> tuple[Confusion, ...]:
    """Counts what is mistaken for what.

    >>> confusions([align_words("A B A", "A C"), align_words("B", "C")])[0]
    Confusion(said='B', heard='C', count=2, occurrences=2)

    Args:
        alignments: One per utterance.
    Returns:
        Every edit once, the most frequent first.
    """
    steps = Counter(step for alignment in alignments for step in alignment)
    occurrences = Counter()
    for step, count in steps.items():
        occurrences[step.said] += count if step.said else 0
    found = [
        Confusion(*step, count, occurrences[step.said]) for step, count in steps.items() if step.said != step.heard
    ]
    return tuple(sorted(found, key=lambda one: (-one.count, one.said, one.heard)))
