"""Two systems on the same utterances: how they differ, and whether chance alone explains that.

The statistics are `intervals`'; how it is told is `comparison_text`'s and `comparison_page`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from train.evaluation import Hypothesis, read_hypotheses
from train.intervals import Difference, difference
from train.report import Group, by_length, by_speaker, group

_MOST_CHANGED = 10


@dataclass(frozen=True)
class Pair:
    """What two systems heard in one utterance."""

    first: Hypothesis
    second: Hypothesis

    @property
    def change(self) -> tuple[int, int]:
        """Word edits and character edits of the second, minus those of the first: below zero, the second is better."""
        one, other = self.first, self.second
        return other.words.edits - one.words.edits, other.characters.edits - one.characters.edits


@dataclass(frozen=True)
class Comparison:
    """How two systems differ.

    Attributes:
        names: What the two are called.
        pairs: Every utterance, in the order of ids.
        every: All utterances, for each system.
        words, characters: Differences of the rates, second minus first.
        speakers, lengths: Groups for each system, in the same order; empty where nothing is known of them.
    """

    names: tuple[str, str]
    pairs: tuple[Pair, ...]
    every: tuple[Group, Group]
    words: Difference
    characters: Difference
    speakers: tuple[tuple[Group, ...], tuple[Group, ...]]
    lengths: tuple[tuple[Group, ...], tuple[Group, ...]]

    @property
    def better(self) -> tuple[Pair, ...]:
        """Utterances in which the second has fewer edits, those it gains most from first."""
        return tuple(sorted((p for p in self.pairs if p.change < (0, 0)), key=lambda p: p.change))

    @property
    def worse(self) -> tuple[Pair, ...]:
        """Utterances in which the second has more edits, those it loses most with first."""
        return tuple(sorted((p for p in self.pairs if p.change > (0, 0)), key=lambda p: p.change, reverse=True))

    def shown(self) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
        """Gives the utterances to look at, better and worse ones."""
        return self.better[:_MOST_CHANGED], self.worse[:_MOST_CHANGED]

    def numbers(self) -> dict:
        """Gives the figures that are saved."""
        systems = [
            dict(name=name) | {key: value for key, value in one.numbers().items() if key != "name"}
            for name, one in zip(self.names, self.every, strict=True)
        ]
        groups = {
            kind: [[one.numbers() for one in theirs] for theirs in getattr(self, kind)]
            for kind in ("speakers", "lengths")
        }
        counts = dict(better=len(self.better), worse=len(self.worse), utterances=len(self.pairs))
        changes = dict(wer_difference=asdict(self.words), cer_difference=asdict(self.characters))
        return dict(systems=systems) | changes | counts | groups


def compare(first: Path, second: Path, names: tuple[str, str]) -> Comparison:
    """Compares two tables of hypotheses.

    Args:
        first, second: For `evaluation.read_hypotheses`.
        names: What to call them.
    Raises:
        OSError: One cannot be read.
        ValueError: One is no such table, or they do not hold the same utterances with the same references.
    """
    pairs = _match(first, second)
    ours, theirs = [p.first for p in pairs], [p.second for p in pairs]
    differences = (difference([getattr(h, kind) for h in ours], [getattr(h, kind) for h in theirs])
                   for kind in ("words", "characters"))  # fmt: skip
    every = group(names[0], ours), group(names[1], theirs)
    speakers, lengths = by_speaker(ours), by_length(ours)
    return Comparison(
        names,
        pairs,
        every,
        *differences,
        (speakers, _ordered_as(speakers, by_speaker(theirs))),
        (lengths, by_length(theirs)),
    )


def _ordered_as(model: Sequence[Group], groups: Iterable[Group]) -> tuple[Group, ...]:
    by_name = {one.name: one for one in groups}
    return tuple(by_name[one.name] for one in model)


def _match(first: Path, second: Path) -> tuple[Pair, ...]:
    ours, theirs = ({h.id: h for h in read_hypotheses(path)} for path in (first, second))
    for path, other, here, there in ((first, second, ours, theirs), (second, first, theirs, ours)):
        missing = sorted(here.keys() - there.keys())
        if missing:
            raise ValueError(
                f"{other} lacks {len(missing)} of the {len(here)} utterances of {path}, such as {missing[0]}. Evaluate "
                "both systems on the same split of the same shards."
            )
    pairs = []
    for name in sorted(ours):
        one, other = ours[name], theirs[name]
        if one.reference != other.reference:
            raise ValueError(
                f"{name}: the reference is {one.reference!r} in {first} and {other.reference!r} in {second}. "
                "Only rates against the same references can be compared: evaluate both with the same shards."
            )
        facts = dict(speaker=one.speaker or other.speaker, seconds=one.seconds or other.seconds)
        pairs.append(Pair(replace(one, **facts), replace(other, **facts)))
    return tuple(pairs)
