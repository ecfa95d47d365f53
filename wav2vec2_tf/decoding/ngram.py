"""An n-gram language model from sentences: modified Kneser-Ney, interpolated, unpruned, as KenLM's lmplz estimates it.

Everything is counted in memory, in Python: good for some million words. Files are `arpa`'s business, the choice
between this and lmplz `build_lm`'s.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log10

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # of lmplz --discount_fallback, for corpora too small to tell

Gram = tuple[str, ...]


@dataclass(frozen=True)
class Ngram:
    """What a model says of one n-gram.

    Args:
        log10_prob: Of its last word after the others.
        log10_backoff: What a word never seen after it costs, on top of its price after all but the first word.
    """

    log10_prob: float
    log10_backoff: float = 0.0


def estimate(sentences: Iterable[Sequence[str]], order: int) -> list[dict[Gram, Ngram]]:
    """Estimates a model.

    >>> model = estimate([["GO", "ON"], ["GO"]], order=2)
    >>> len(model), round(10 ** model[1]["GO", "ON"].log10_prob, 2)
    (2, 0.38)

    Args:
        sentences: Words, without marks for begin and end.
        order: Words of the longest n-grams; at least 1.
    Returns:
        One table per length, from 1 to `order`.
    Raises:
        ValueError: There is no word, one of them is a mark (<s>, </s>, <unk>), or `order` is below 1.
    Source: Chen and Goodman 1998, section 3; Heafield et al. 2013.
    """
    if order < 1:
        raise ValueError(f"An n-gram has one word at least; got order {order}.")
    levels = _adjusted(_counted(sentences, order))
    num_words = len(levels[0]) + 1  # </s> and <unk> among them, <s> not: nothing ever leads to it
    probs: dict[Gram, float] = {(): 1 / num_words}
    masses = [_masses(counts) for counts in levels]
    model = []
    for counts, mass, longer in zip(levels, masses, [*masses[1:], {}], strict=True):
        probs = {gram: _prob(gram, count, mass[gram[:-1]], probs) for gram, count in counts.items()}
        if not model:
            probs |= {(BEGIN,): 1.0, (UNKNOWN,): mass[()].left / num_words}
        model.append({gram: Ngram(log10(prob), _backoff(longer.get(gram))) for gram, prob in probs.items()})
    return model


def _counted(sentences: Iterable[Sequence[str]], order: int) -> list[Counter[Gram]]:
    """Counts the n-grams of every length."""
    counts: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for words in sentences:
        if not {BEGIN, END, UNKNOWN}.isdisjoint(words):
            raise ValueError(f"{' '.join(words)!r} holds one of the marks <s>, </s>, <unk>. Take them out of the text.")
        padded = (BEGIN, *words, END)
        for length, table in enumerate(counts, 1):
            table.update(zip(*(padded[i:] for i in range(length)), strict=False))
    if not counts[0].keys() - {(BEGIN,), (END,)}:
        raise ValueError("There is no word to learn a language model from. Check that the text is not empty.")
    return counts


def _adjusted(counts: list[Counter[Gram]]) -> list[Counter[Gram]]:
    """Replaces counts, but of the longest n-grams, by the number of words seen before them; <s> begins it all."""
    adjusted = []
    for own, longer in zip(counts, [*counts[1:], None], strict=True):
        if longer is not None:
            before = Counter(gram[1:] for gram in longer)
            own = before + Counter({gram: count for gram, count in own.items() if gram[0] == BEGIN})
        own.pop((BEGIN,), None)
        adjusted.append(own)
    return adjusted


@dataclass
class _Mass:
    """Of one context: the sum of its counts, and the share of probability that discounts leave to shorter contexts."""

    total: int
    left: float
    discounts: tuple[float, ...]


def _masses(counts: Counter[Gram]) -> dict[Gram, _Mass]:
    discounts = _discounts(counts)
    masses: dict[Gram, _Mass] = {}
    for gram, count in counts.items():
        mass = masses.setdefault(gram[:-1], _Mass(0, 0.0, discounts))
        mass.total += count
        mass.left += discounts[min(count, 3) - 1]
    for mass in masses.values():
        mass.left /= mass.total
    return masses


def _discounts(counts: Counter[Gram]) -> tuple[float, ...]:
    """What is taken off counts of 1, 2, and 3 or more."""
    seen = Counter(counts.values())
    n1, n2, n3, n4 = (seen[i] for i in range(1, 5))
    if not (n1 and n2 and n3):
        return FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    fits = all(0 <= discount <= count for count, discount in enumerate(found, 1))
    return found if fits else FALLBACK_DISCOUNTS


def _prob(gram: Gram, count: int, mass: _Mass, shorter: dict[Gram, float]) -> float:
    return (count - mass.discounts[min(count, 3) - 1]) / mass.total + mass.left * shorter[gram[1:]]


def _backoff(mass: _Mass | None) -> float:
    if mass is None:
        return 0.0
    return log10(mass.left) if mass.left > 0 else -99.0
