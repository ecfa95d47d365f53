"""Weights of a word 4-gram that were published with wav2vec 2.0 models; for other models `train.tune_lm` finds them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LmWeights:
    """How a language model counts in a beam search.

    Args:
        lm_weight: What log10 of its probability is multiplied by, next to the frames' natural logarithms.
        word_score: Added for each word.
    """

    lm_weight: float
    word_score: float


#: By model and hours of transcribed speech; of the LibriSpeech 4-gram, found with a beam of 1500 and more.
#: Source: wav2vec 2.0, appendix C (arXiv:2006.11477).
PRESETS: dict[str, LmWeights] = {
    "base_10m":   LmWeights(3.23, -0.26),
    "base_100h":  LmWeights(2.15, -0.52),
    "base_960h":  LmWeights(1.74,  0.52),
    "large_960h": LmWeights(1.74,  0.52),
    "lv60_10m":   LmWeights(3.86, -1.18),
    "lv60_100h":  LmWeights(2.15, -0.52),
    "lv60_960h":  LmWeights(1.57, -0.64),
}  # fmt: skip
