"""N-best lists in a new order, by a neural language model: the causal ones of keras-hub. The one importer of keras_hub.

The lists are `beam`'s. Training or converting language models is keras-hub's business.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np

from wav2vec2_tf.decoding.beam import BeamDecoder, Hypothesis
from wav2vec2_tf.decoding.transcript import Transcript

N_BEST = 20
_ROUND = 8  # lengths are rounded up to a multiple, so that few shapes are traced


class Rescorer:
    """Scores texts with a language model.

    Args:
        model: A `keras_hub.models.CausalLM` with its preprocessor.
        weight: What its natural log-probability counts next to the score of the beam search.
        word_score: Added for each word, since a long text has more to pay.
    """

    def __init__(self, model, weight: float = 0.3, word_score: float = 0.0):
        self.model, self.weight, self.word_score = model, weight, word_score

    @classmethod
    def from_preset(cls, source: str | os.PathLike, weight: float = 0.3, word_score: float = 0.0) -> "Rescorer":
        """Loads a language model.

        Args:
            source: A folder that `save_to_preset` wrote, or what else keras-hub takes ("gpt2_base_en", "hf://...").
            weight, word_score: As for the class; `train.tune_lm --rescore` finds them.
        Raises:
            ImportError: keras-hub is not installed.
            ValueError: There is no such model.
        """
        try:
            import keras_hub
        except ImportError as error:
            raise ImportError("Rescoring needs keras-hub: pip install 'wav2vec2-tf[rescoring]'.") from error
        try:
            return cls(keras_hub.models.CausalLM.from_preset(os.fspath(source)), weight, word_score)
        except (ValueError, FileNotFoundError) as error:
            raise ValueError(f"keras-hub finds no causal language model {source}: {error}") from error

    def log_probs(self, texts: Sequence[str]) -> np.ndarray:
        """Gives the log-probability of each text, its end included.

        Texts in capitals are put to it in small letters, which is what such models have read most.

        Args:
            texts: At least one.
        Returns:
            float32 [texts], natural logarithms.
        """
        texts = [text.lower() if text.isupper() else text for text in texts]
        preprocessor = self.model.preprocessor
        longest = max(map(len, preprocessor.tokenizer(texts))) + 2  # begin and end
        inputs, targets, weights = preprocessor(texts, sequence_length=-(-longest // _ROUND) * _ROUND)
        logits = np.asarray(self.model(inputs), np.float32)
        logits = logits - logits.max(axis=-1, keepdims=True)
        chosen = np.take_along_axis(logits, np.asarray(targets)[..., None], axis=-1)[..., 0]
        return ((chosen - np.log(np.exp(logits).sum(axis=-1))) * np.asarray(weights)).sum(axis=1)

    def rescore(self, hypotheses: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
        """Adds what the language model says to the scores, and sorts anew, best first."""
        added = self.weight * self.log_probs([hypothesis.text for hypothesis in hypotheses])
        added += [self.word_score * len(hypothesis.text.split()) for hypothesis in hypotheses]
        scored = [
            dataclasses.replace(hypothesis, score=hypothesis.score + float(more))
            for hypothesis, more in zip(hypotheses, added, strict=True)
        ]
        return tuple(sorted(scored, key=lambda hypothesis: -hypothesis.score))


class RescoringDecoder:
    """A beam search whose best hypotheses are rescored.

    Args:
        beam: Makes the lists.
        rescorer: Puts them in a new order.
    """

    def __init__(self, beam: BeamDecoder, rescorer: Rescorer):
        self.beam, self.rescorer = beam, rescorer

    def n_best(self, log_probs: np.ndarray, count: int = N_BEST) -> tuple[Hypothesis, ...]:
        """Gives the best transcripts in their new order; see `BeamDecoder.n_best`."""
        return self.rescorer.rescore(self.beam.n_best(log_probs, count))

    def decode(self, log_probs: np.ndarray, seconds_per_frame: float) -> Transcript:
        """Gives the best transcript; see `BeamDecoder.decode`."""
        return self.beam.read(log_probs, seconds_per_frame, lambda frames: self.n_best(frames)[0])
