"""The best weight of a neural language model on n-best lists: each text is scored once, then all weights are tried."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from train.edits import Errors, word_errors
from wav2vec2_tf.decoding.beam import Hypothesis

WEIGHTS = tuple(np.arange(0, 1.55, 0.05).round(2).tolist())
WORD_SCORES = tuple(np.arange(-2, 4.5, 0.5).tolist())


def search_rescoring(rescorer, lists: Sequence[Sequence[Hypothesis]], references: Sequence[str]) -> dict[str, float]:
    """Tries all pairs.

    Args:
        rescorer: A `wav2vec2_tf.decoding.rescoring.Rescorer`.
        lists: Hypotheses of each recording, best first.
        references: What was said in each.
    Returns:
        `weight` and `word_score` of the best pair (of equals, the one that changes least), and its `wer`.
    """
    rows = []
    for hypotheses, reference in zip(lists, references, strict=True):
        texts = [hypothesis.text for hypothesis in hypotheses]
        scores = np.array([hypothesis.score for hypothesis in hypotheses])
        num_words = np.array([len(text.split()) for text in texts])
        rows.append((scores, rescorer.log_probs(texts), num_words, [word_errors(reference, text) for text in texts]))

    def errors(weight: float, word_score: float) -> Errors:
        best = (np.argmax(scores + weight * neural + word_score * words) for scores, neural, words, _ in rows)
        return sum((row[3][choice] for choice, row in zip(best, rows, strict=True)), Errors())

    found = {pair: errors(*pair) for pair in product(WEIGHTS, WORD_SCORES)}
    best = min(found, key=lambda pair: (found[pair].edits, abs(pair[0]) + abs(pair[1])))
    return dict(weight=best[0], word_score=best[1], wer=found[best].rate)
