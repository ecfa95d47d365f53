"""CTC beam search with an n-gram language model, by flashlight-text. The one importer of flashlight.

With a language model of words, what is heard is made of its words. With one of labels (characters and the delimiter
between words, or pieces of words), or with none, any text may come out. What is searched is built in `searches`; where
the frames come from, and rescoring with a larger language model, is left to others.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from wav2vec2_tf.decoding import arpa
from wav2vec2_tf.decoding.cuts import pieces
from wav2vec2_tf.decoding.greedy import Greedy
from wav2vec2_tf.decoding.presets import PRESETS
from wav2vec2_tf.decoding.searches import LabelSearch, Settings, WordSearch, are_labels, with_hot_words
from wav2vec2_tf.decoding.transcript import Transcript
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

BEAM_SIZE, BEAM_THRESHOLD = 100, 15.0
_DEFAULT = PRESETS["base_960h"]


@dataclass(frozen=True)
class Hypothesis:
    """One of several transcripts of the same frames.

    Args:
        text: What is heard.
        score: Acoustic score, plus those of language model, words and hot words, weighted; in nats.
        acoustic: Sum of the log-probabilities on its best path.
        path: [T] the label of each frame on this path.
    """

    text: str
    score: float
    acoustic: float
    path: np.ndarray


class BeamDecoder:
    """Finds the transcripts with the highest score.

    The score is the sum of the log-probabilities on the best path, plus `lm_weight` times log10 of the language model's
    probability, end of sentence included, plus `word_score` for each word, as in fairseq and torchaudio.

    Args:
        tokenizer: What the labels mean.
        lm: An n-gram model, .arpa, .arpa.gz or KenLM binary, of words or of labels (see `build_lm`); None: none.
        lm_weight, word_score: `presets` has published ones, and `train.tune_lm` finds the best for a model. In a search
            of labels, `word_score` does not count.
        beam_size: Hypotheses kept at each frame.
        beam_threshold: Nats below the best at which a hypothesis is given up: 10 is twice as fast, 25 loses nothing.
        words: What may be heard; by default the words of the language model. Without either, any text may.
        hot_words: Words or phrases -> nats that each occurrence adds to the score; 5 is little, 15 is much. Those that
            the language model does not know become possible.
    Raises:
        ImportError: flashlight-text is not installed.
        FileNotFoundError: There is no such language model.
        ValueError: It cannot be read or its alphabet is another, or a hot word cannot be spelled.
    """

    def __init__(
        self,
        tokenizer: Wav2Vec2CTCTokenizer,
        lm: str | os.PathLike | None = None,
        *,
        lm_weight: float = _DEFAULT.lm_weight,
        word_score: float = _DEFAULT.word_score,
        beam_size: int = BEAM_SIZE,
        beam_threshold: float = BEAM_THRESHOLD,
        words: Iterable[str] | None = None,
        hot_words: Mapping[str, float] | None = None,
    ):
        self.tokenizer, self._flashlight, self._reader = tokenizer, _flashlight(), Greedy(tokenizer)
        delimiter = tokenizer.vocab.get(tokenizer.word_delimiter_token, tokenizer.pad_token_id)
        self._silent = (tokenizer.pad_token_id, delimiter)
        self._parts = self._find_parts(lm, words, hot_words or {})
        self._lm = _load(self._flashlight, lm, self._parts.units)
        self._settings = Settings(lm_weight, word_score, beam_size, beam_threshold)
        self.set_weights(lm_weight, word_score)

    def _find_parts(self, lm, words: Iterable[str] | None, hot_words: Mapping[str, float]) -> WordSearch | LabelSearch:
        known = arpa.words_of(lm) if lm is not None else []
        of_labels = lm is None or are_labels(known, self.tokenizer)
        if words is None and of_labels:
            return LabelSearch(self._flashlight, self.tokenizer, hot_words)
        if lm is not None and of_labels:
            raise ValueError(f"{lm} is a language model of labels, which takes no list of words.")
        parts = WordSearch(self._flashlight, self.tokenizer, list(words or known), hot_words)
        if left_out := parts.lexicon.left_out:
            warnings.warn(
                f"{len(left_out)} of {len(left_out) + len(parts.units)} words of the language model have a character "
                f"without a label and cannot be heard, {left_out[0]!r} for one.",
                stacklevel=4,
            )
        return parts

    def set_weights(self, lm_weight: float, word_score: float) -> None:
        """Changes both weights; the language model stays loaded.

        Args:
            lm_weight, word_score: As for the class.
        """
        self._settings = replace(self._settings, lm_weight=lm_weight, word_score=word_score)
        settings, self._scored_by = self._settings, self._lm
        if self._parts.hot_words.phrases:  # they count the same whatever the weight
            settings = replace(settings, lm_weight=1.0)
            self._scored_by = with_hot_words(self._flashlight, self._lm, self._parts.hot_words, lm_weight)
        self._search = self._parts.build(settings, self._scored_by)

    def decode(self, log_probs: np.ndarray, seconds_per_frame: float) -> Transcript:
        """Gives the best transcript, with the times and confidences of its path.

        Long recordings are cut at pauses, so that memory does not grow with them; the language model begins anew there.

        Args:
            log_probs: As for `n_best`.
            seconds_per_frame: From one frame to the next.
        Raises:
            ValueError: `log_probs` is no such array.
        """
        return self.read(log_probs, seconds_per_frame, lambda frames: self.n_best(frames, 1)[0])

    def read(
        self, log_probs: np.ndarray, seconds_per_frame: float, choose: Callable[[np.ndarray], Hypothesis]
    ) -> Transcript:
        """Gives the transcript of hypotheses that something else chooses.

        Args:
            log_probs, seconds_per_frame: As for `decode`.
            choose: Takes the frames of a piece; gives its hypothesis.
        """
        log_probs = _checked(log_probs)
        silent = np.isin(log_probs.argmax(axis=1), self._silent) if len(log_probs) else np.zeros(0, bool)
        paths = [choose(log_probs[piece]).path for piece in pieces(silent)]
        path = np.concatenate(paths)
        heard = self._reader.read(path, log_probs[np.arange(len(path)), path], seconds_per_frame)
        starts = np.cumsum([0, *map(len, paths[:-1])])
        parts = [
            self._reader.read(own, log_probs[np.arange(start, start + len(own)), own], seconds_per_frame, int(start))
            for own, start in zip(paths, starts, strict=True)
        ]
        spaced = isinstance(self._parts, WordSearch) or any(len(part.words) > 1 for part in parts)
        return replace(
            heard,  # in a writing without spaces, none comes in where pieces meet
            text=" ".join(part.text for part in parts if part.text) if spaced else heard.text,
            words=tuple(word for part in parts for word in part.words),
            characters=tuple(character for part in parts for character in part.characters),
        )

    def n_best(self, log_probs: np.ndarray, count: int) -> tuple[Hypothesis, ...]:
        """Gives the best transcripts, best first, each text once.

        Args:
            log_probs: [T, V] natural logarithms of the probabilities of one recording's real frames.
            count: How many at most; the beam may hold fewer.
        Raises:
            ValueError: `log_probs` is no such array.
        """
        frames = self._parts.frames(_checked(log_probs))
        found: dict[str, Hypothesis] = {}
        for result in self._search.decode(frames.ctypes.data, *frames.shape) if len(log_probs) else ():
            path = np.array(result.tokens[1 : len(log_probs) + 1], np.int32)
            text = self.tokenizer.decode(path)
            found.setdefault(text, Hypothesis(text, result.score, result.emittingModelScore, path))
            if len(found) == count:
                break
        return tuple(found.values()) or (Hypothesis("", 0.0, 0.0, np.zeros(0, np.int32)),)


def _checked(log_probs: np.ndarray) -> np.ndarray:
    log_probs = np.asarray(log_probs, np.float32)
    if log_probs.ndim != 2 or not (log_probs <= 1e-3).all():
        raise ValueError(
            "Decoders take log-probabilities [T, V], at most 0, of one recording; got an array of shape "
            f"{log_probs.shape}{f' up to {log_probs.max()}' if log_probs.size else ''}. Take the log-softmax of logits."
        )
    return log_probs


def _load(flashlight, lm: str | os.PathLike | None, units: Iterable[str]):
    """Loads a language model; in it, each unit goes by its place."""
    if lm is None:
        return flashlight.ZeroLM()
    dictionary = flashlight.Dictionary()
    for unit in units:
        dictionary.add_entry(unit)
    with arpa.readable(lm) as path:
        try:
            return flashlight.KenLM(path, dictionary)
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1]
            raise ValueError(f"KenLM cannot read the language model {lm}: {said} Make or fetch it again.") from error


def _flashlight() -> SimpleNamespace:
    try:
        from flashlight.lib.text import decoder
        from flashlight.lib.text.decoder.kenlm import KenLM
        from flashlight.lib.text.dictionary import Dictionary
    except ImportError as error:
        raise ImportError("Beam search needs flashlight-text: pip install 'wav2vec2-tf[lm]'.") from error
    return SimpleNamespace(**vars(decoder), KenLM=KenLM, Dictionary=Dictionary)
