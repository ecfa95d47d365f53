"""What an evaluation tells: intervals, confusions, speakers, lengths, and the utterances that cost most.

How it is told is `report_text`'s and `report_page`'s.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from train.edits import Confusion, Errors, align_characters, align_words, confusions
from train.evaluation import Evaluation, Hypothesis
from train.intervals import LEVEL, RESAMPLES, SEED, interval

_LENGTH_GROUPS = 5
_FEWEST_PER_GROUP = 10
_MOST_CONFUSIONS = 50
_MOST_WORST = 20


@dataclass(frozen=True)
class Group:
    """Utterances that have something in common.

    Attributes:
        name: What that is: a speaker, a length.
        utterances: How many.
        seconds: Their audio; None where it is not known of all.
        words, characters: Edits over them.
        interval: Of the word error rate; None for a few utterances (`intervals.interval`).
    """

    name: str
    utterances: int
    seconds: float | None
    words: Errors
    characters: Errors
    interval: tuple[float, float] | None

    def numbers(self) -> dict:
        """Gives the figures that are saved."""
        counts = dict(utterances=self.utterances, seconds=self.seconds, words=self.words.counts())
        rates = dict(wer=self.words.rate, wer_interval=self.interval, cer=self.characters.rate)
        return dict(name=self.name) | rates | counts


@dataclass(frozen=True)
class Report:
    """What there is to tell.

    Attributes:
        evaluation: What was measured.
        every: All utterances.
        characters_interval: Of the character error rate.
        speakers: By speaker, the worst first; empty where no speaker is known.
        lengths: By length, the shortest first; empty where lengths are not known.
        words, characters: What is mistaken for what, the most frequent first.
        worst: The utterances with the most edits; those without an error are left out.
    """

    evaluation: Evaluation
    every: Group
    characters_interval: tuple[float, float] | None
    speakers: tuple[Group, ...]
    lengths: tuple[Group, ...]
    words: tuple[Confusion, ...]
    characters: tuple[Confusion, ...]
    worst: tuple[Hypothesis, ...]

    @property
    def right(self) -> int:
        """Utterances without an error."""
        return sum(not h.characters.edits for h in self.evaluation.hypotheses)

    @property
    def empty_references(self) -> int:
        """Utterances in which nothing was said: every word heard there is an insertion."""
        return sum(not h.reference.strip() for h in self.evaluation.hypotheses)

    @property
    def empty_hypotheses(self) -> int:
        """Utterances in which nothing was heard: every word said there is a deletion."""
        return sum(not h.text.strip() for h in self.evaluation.hypotheses)

    def numbers(self) -> dict:
        """Gives what is saved besides `Evaluation.numbers`."""
        return dict(
            wer_interval=self.every.interval,
            cer_interval=self.characters_interval,
            interval=f"{100 * LEVEL:.0f} %, bootstrap over utterances, {RESAMPLES} draws, seed {SEED}",
            words=self.every.words.counts(),
            characters=self.every.characters.counts(),
            right=self.right,
            empty_references=self.empty_references,
            empty_hypotheses=self.empty_hypotheses,
            speakers=[group.numbers() for group in self.speakers],
            lengths=[group.numbers() for group in self.lengths],
            word_confusions=[asdict(one) for one in self.words[:_MOST_CONFUSIONS]],
            character_confusions=[asdict(one) for one in self.characters[:_MOST_CONFUSIONS]],
            worst=[h.id for h in self.worst],
        )


def frequent(some: Sequence[Confusion]) -> Sequence[Confusion]:
    """Gives those that are there more than once; all, if none is."""
    return [one for one in some if one.count > 1] or some


def make_report(evaluation: Evaluation) -> Report:
    """Looks closely at an evaluation; in which order its utterances were read makes no difference."""
    some = sorted(evaluation.hypotheses, key=lambda h: h.id)
    return Report(
        evaluation,
        group("all", some),
        interval([h.characters for h in some]),
        by_speaker(some),
        by_length(some),
        confusions(align_words(h.reference, h.text) for h in some),
        confusions(align_characters(h.reference, h.text) for h in some),
        worst(some),
    )


def group(name: str, some: Sequence[Hypothesis]) -> Group:
    """Sums up utterances."""
    seconds = sum(h.seconds for h in some) if all(h.seconds is not None for h in some) else None
    words, characters = (sum((getattr(h, kind) for h in some), Errors()) for kind in ("words", "characters"))
    return Group(name, len(some), seconds, words, characters, interval([h.words for h in some]))


def by_speaker(some: Iterable[Hypothesis]) -> tuple[Group, ...]:
    """Sums up each speaker's utterances, the worst first; "" are those whose speaker is not known."""
    speakers = defaultdict(list)
    for h in some:
        speakers[h.speaker].append(h)
    if set(speakers) <= {""}:
        return ()
    groups = (group(name, theirs) for name, theirs in speakers.items())
    return tuple(sorted(groups, key=lambda one: (-one.words.rate, one.name)))


def by_length(some: Sequence[Hypothesis]) -> tuple[Group, ...]:
    """Sums up utterances of about one length: a few groups of about as many, the shortest first."""
    known = [h for h in some if h.seconds is not None]
    wanted = max(1, min(_LENGTH_GROUPS, len(known) // _FEWEST_PER_GROUP))
    if not known:
        return ()
    seconds = np.array([h.seconds for h in known])
    edges = np.unique(np.quantile(seconds, np.linspace(0, 1, wanted + 1)).round(1))
    place = np.searchsorted(edges[1:-1], seconds, side="right")
    members = [[known[i] for i in np.flatnonzero(place == n)] for n in range(max(1, len(edges) - 1))]
    return tuple(group(_span(theirs), theirs) for theirs in members if theirs)


def _span(some: Sequence[Hypothesis]) -> str:
    shortest, longest = (end(h.seconds for h in some) for end in (min, max))
    return f"{shortest:.1f}\N{EN DASH}{longest:.1f} s"


def worst(some: Iterable[Hypothesis]) -> tuple[Hypothesis, ...]:
    """Picks the utterances that add most to the error rate: by words wrong, then by characters wrong."""
    wrong = (h for h in some if h.words.edits or h.characters.edits)
    by_cost = sorted(wrong, key=lambda h: (-h.words.edits, -h.characters.edits, h.id))
    return tuple(by_cost[:_MOST_WORST])
