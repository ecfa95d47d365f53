"""The slow truth of beam search: every path through a few frames is tried, and n-gram models are read as ARPA says."""

import itertools
import re

import numpy as np

from wav2vec2_tf.decoding.greedy import collapse


class Arpa:
    """An ARPA file, whole in memory; `score` is log10 of the probability of a word after others, as ARPA defines it."""

    def __init__(self, path):
        rows = [line.split("\t") for line in path.read_text("utf-8").splitlines() if re.match(r"-?[\d.]+\t", line)]
        self.grams = {tuple(row[1].split()): tuple(map(float, (row[0], *row[2:]))) for row in rows}

    def score(self, word: str, before: tuple[str, ...]) -> float:
        word = word if (word,) in self.grams else "<unk>"
        known = tuple(w if (w,) in self.grams else "<unk>" for w in before)
        if (*known, word) in self.grams:
            return self.grams[*known, word][0]
        return self.grams.get(known, (0.0, 0.0))[1:][0] + self.score(word, known[1:]) if known else -99.0

    def total(self, words, order: int) -> float:
        said = ("<s>", *words, "</s>")
        return sum(self.score(said[i], said[max(0, i - order + 1) : i]) for i in range(1, len(said)))


def best_paths(log_probs: np.ndarray, score) -> dict[str, float]:
    """Gives every text and the score of its best path.

    Args:
        log_probs: [T, V], small.
        score: Labels without blanks and repeats -> text and what is added to the path's log-probability; None for those
            that cannot be.
    """
    best = {}
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        found = score(tuple(collapse(path)))
        if found is not None:
            text, added = found
            total = log_probs[np.arange(len(path)), path].sum() + added
            best[text] = max(total, best.get(text, -np.inf))
    return best
