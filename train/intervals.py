"""How far an error rate, or the difference of two, may be off by the chance that chose the utterances.

Bootstrap by utterance (Bisani and Ney 2004): the test set is drawn anew from itself, utterances whole, many times, and
the rate looked at each time. Utterances count as independent; where a few speakers speak them all, the truth about
other speakers is wider.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.edits import Errors

RESAMPLES = 10_000
SEED = 0
LEVEL = 0.95
FEWEST = 5
"""Utterances below which no interval is given: drawing so few anew says nothing."""

_AT_A_TIME = 1 << 22  # numbers drawn at once: some ten MB


@dataclass(frozen=True)
class Difference:
    """How much lower or higher the error rate of one system is than another's, on the same utterances.

    Attributes:
        rate: Rate of the second minus rate of the first.
        low, high: The interval of that; None where there are too few utterances.
        p: Two-sided: how often the test set drawn anew turns the difference round, or undoes it, twice; 1 at most, and
            at least twice 1 / (RESAMPLES + 1). None where there are too few utterances.
    """

    rate: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def is_significant(self) -> bool:
        """Says whether chance is an unlikely reason: p below 5 %."""
        return self.p is not None and self.p < 1 - LEVEL


def interval(errors: Sequence[Errors]) -> tuple[float, float] | None:
    """Gives the interval in which an error rate lies, at `LEVEL`.

    >>> interval([Errors(1, 0, 0, 4)] * 5)
    (0.25, 0.25)

    Args:
        errors: Of each utterance.
    Returns:
        Lower and upper end; None for fewer than `FEWEST` utterances.
    """
    if len(errors) < FEWEST:
        return None
    edits, lengths = _drawn_anew(np.array([(e.edits, e.length) for e in errors]))
    return _middle(_rates(edits, lengths))


def difference(first: Sequence[Errors], second: Sequence[Errors]) -> Difference:
    """Compares two systems on the same utterances.

    Args:
        first, second: Errors of each utterance, in the same order.
    Returns:
        The difference, second minus first.
    Raises:
        ValueError: The utterances differ in number or in length.
    """
    if [e.length for e in first] != [e.length for e in second]:
        raise ValueError(
            f"Only results on the same references can be compared; {len(first)} and {len(second)} utterances of "
            "different lengths were given. Evaluate both systems on the same split."
        )
    rate = sum(second, Errors()).rate - sum(first, Errors()).rate
    if len(first) < FEWEST:
        return Difference(rate, None, None, None)
    counts = [(a.edits, b.edits, a.length) for a, b in zip(first, second, strict=True)]
    one, other, lengths = _drawn_anew(np.array(counts))
    drawn = _rates(other, lengths) - _rates(one, lengths)
    turned = min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    return Difference(rate, *_middle(drawn), p=min(1.0, 2 * (turned + 1) / (RESAMPLES + 1)))


def _drawn_anew(counts: np.ndarray) -> np.ndarray:
    """Sums up counts [N, K] over as many rows drawn with replacement, again and again: [K, RESAMPLES]."""
    rng, num_rows = np.random.default_rng(SEED), len(counts)
    columns = np.ascontiguousarray(counts.T)
    sums = []
    for start in range(0, RESAMPLES, step := max(1, _AT_A_TIME // num_rows)):
        rows = rng.integers(num_rows, size=(min(step, RESAMPLES - start), num_rows), dtype=np.int32)
        sums.append([column[rows].sum(axis=1) for column in columns])
    return np.concatenate(sums, axis=1)


def _rates(edits: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Gives `Errors.rate` of each draw; one may have hit empty references only."""
    return np.where(lengths > 0, edits / np.maximum(lengths, 1), edits > 0)


def _middle(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
