"""What a beam search is made of: words spelled in labels, or labels alone; and a language model that hears hot words.

The classes are given flashlight-text by `beam`, which imports it, and build the parts that it searches with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wav2vec2_tf.decoding.hot_words import HotWords
from wav2vec2_tf.decoding.lexicon import Lexicon, labels_of, spell
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

_LABELS_TRIED = 16  # the best of each frame; more find nothing better, and all of some thousand would take long
_NEVER = -1e30  # -inf, but its sums are no nan


@dataclass(frozen=True)
class Settings:
    """Numbers of a search; see `beam.BeamDecoder`."""

    lm_weight: float
    word_score: float
    beam_size: int
    beam_threshold: float


class WordSearch:
    """Any sequence of words.

    A word ends with its delimiter. The last one may lack it: a frame that says nothing else is added for its sake.

    Args:
        flashlight: The library.
        tokenizer: With a delimiter between words.
        words: What may be heard.
        hot_words: Words or phrases -> bonus; their words are added to `words`.
    Raises:
        ValueError: Words or hot words cannot be spelled.
    """

    def __init__(
        self, flashlight, tokenizer: Wav2Vec2CTCTokenizer, words: Sequence[str], hot_words: Mapping[str, float]
    ):
        self._flashlight, self._tokenizer = flashlight, tokenizer
        self.lexicon, phrases = _with_hot_words(spell(words, tokenizer), hot_words, tokenizer)
        self.units = self.lexicon.words
        self.hot_words = HotWords(phrases)

    def build(self, settings: Settings, lm):
        """Makes the library's decoder with a language model of the units."""
        tokenizer, library = self._tokenizer, self._flashlight
        options = library.LexiconDecoderOptions(
            beam_size=settings.beam_size, beam_size_token=_LABELS_TRIED, beam_threshold=settings.beam_threshold,
            lm_weight=settings.lm_weight, word_score=settings.word_score, unk_score=-np.inf, sil_score=0.0,
            log_add=False, criterion_type=library.CriterionType.CTC,
        )  # fmt: skip
        delimiter, blank = tokenizer.word_delimiter_token_id, tokenizer.pad_token_id
        return library.LexiconDecoder(options, self._trie(lm), lm, delimiter, blank, -1, [], False)

    def _trie(self, lm):
        """Makes the tree of spellings; with what its words cost alone, unfinished words are compared."""
        delimiter = self._tokenizer.word_delimiter_token_id
        trie = self._flashlight.Trie(len(self._tokenizer.surfaces), delimiter)
        begin = lm.start(False)
        for unit, spelling in enumerate(self.lexicon.spellings):
            trie.insert([*spelling, delimiter], unit, lm.score(begin, unit)[1])
        trie.smear(self._flashlight.SmearingMode.MAX)
        return trie

    def frames(self, log_probs: np.ndarray) -> np.ndarray:
        """Gives the frames to search."""
        last = np.full((1, log_probs.shape[1]), _NEVER, np.float32)
        last[0, self._tokenizer.word_delimiter_token_id] = 0.0
        return np.concatenate([log_probs, last]).astype(np.float32)


class LabelSearch:
    """Any sequence of labels.

    Args:
        flashlight, tokenizer, hot_words: As for `WordSearch`.
    Raises:
        ValueError: A hot word cannot be spelled.
    """

    def __init__(self, flashlight, tokenizer: Wav2Vec2CTCTokenizer, hot_words: Mapping[str, float]):
        self._flashlight, self._tokenizer = flashlight, tokenizer
        tokens = {label: token for token, label in tokenizer.vocab.items()}
        self.units = tuple(tokens.get(label, f"<{label}>") for label in range(max(tokens) + 1))
        delimiter = tokenizer.vocab.get(tokenizer.word_delimiter_token)
        phrases = {labels_of(phrase, tokenizer): bonus for phrase, bonus in hot_words.items()}
        if delimiter is not None:
            phrases = {(delimiter, *labels, delimiter): bonus for labels, bonus in phrases.items()}
        self.hot_words = HotWords(phrases, delimiter)

    def build(self, settings: Settings, lm):
        """Makes the library's decoder with a language model of the units."""
        tokenizer, library = self._tokenizer, self._flashlight
        options = library.LexiconFreeDecoderOptions(
            beam_size=settings.beam_size, beam_size_token=_LABELS_TRIED, beam_threshold=settings.beam_threshold,
            lm_weight=settings.lm_weight, sil_score=0.0, log_add=False, criterion_type=library.CriterionType.CTC,
        )  # fmt: skip
        blank = tokenizer.pad_token_id
        return library.LexiconFreeDecoder(options, lm, blank, blank, [])  # a search begins with the first of the two

    def frames(self, log_probs: np.ndarray) -> np.ndarray:
        """Gives the frames to search."""
        frames = np.array(log_probs, np.float32)
        frames[:, [label for label in self._silent if label < frames.shape[1]]] = _NEVER
        return frames

    @cached_property
    def _silent(self) -> list[int]:
        """Labels that stand for no text, the blank excepted."""
        blank = self._tokenizer.pad_token_id
        return [label for label, text in enumerate(self._tokenizer.surfaces) if not text and label != blank]


def are_labels(words: Sequence[str], tokenizer: Wav2Vec2CTCTokenizer) -> bool:
    """Tells whether the words of a language model are labels, the one between words among them."""
    delimiter = tokenizer.word_delimiter_token
    return (delimiter is None or delimiter in words) and set(words) <= set(tokenizer.vocab)


def with_hot_words(flashlight, lm, hot_words: HotWords, lm_weight: float):
    """Adds hot words to a language model; its scores are weighted already, and count as they are.

    Args:
        flashlight: The library.
        lm: A language model of it.
        hot_words: What earns a bonus.
        lm_weight: What the scores of `lm` are multiplied by.
    Returns:
        A language model of the library.
    """

    class Biased(flashlight.LM):
        """The library's states are one per history, so what was heard before can be kept by state."""

        def start(self, start_with_nothing):
            state = lm.start(start_with_nothing)
            self.heard = {id(state): (state, hot_words.begin)}  # states are kept, or their ids would be used again
            self.known = {}
            return state

        def score(self, state, unit):
            key = id(state), unit
            if key not in self.known:
                after, price = lm.score(state, unit)
                heard, bonus = hot_words.step(self.heard[id(state)][1], unit)
                self.heard[id(after)] = after, heard
                self.known[key] = after, lm_weight * price + bonus
            return self.known[key]

        def finish(self, state):
            after, price = lm.finish(state)
            return after, lm_weight * price + hot_words.end(self.heard[id(state)][1])

    return Biased()


def _with_hot_words(
    lexicon: Lexicon, hot_words: Mapping[str, float], tokenizer: Wav2Vec2CTCTokenizer
) -> tuple[Lexicon, dict[tuple[int, ...], float]]:
    """Finds the words of each phrase by their spelling, and adds those that are not there."""
    words, spellings, phrases = list(lexicon.words), list(lexicon.spellings), {}
    units = {spelling: unit for unit, spelling in enumerate(spellings)}
    for phrase, bonus in hot_words.items():
        for word in phrase.split():
            spelling = labels_of(word, tokenizer)
            if units.setdefault(spelling, len(words)) == len(words):
                words.append(word)
                spellings.append(spelling)
        phrases[tuple(units[labels_of(word, tokenizer)] for word in phrase.split())] = bonus
    return Lexicon(tuple(words), tuple(spellings), lexicon.left_out), phrases
