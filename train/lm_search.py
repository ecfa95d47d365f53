"""The best weights of a language model for a model: many pairs tried on the same frames, in processes of their own.

Frames and language models come from `tune_lm`; nothing here knows TensorFlow, so that processes start quickly.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from data_tools.workers import Workers
from train.edits import Errors, character_errors, word_errors
from wav2vec2_tf.decoding.beam import BeamDecoder
from wav2vec2_tf.decoding.presets import LmWeights
from wav2vec2_tf.files import read_json, write_json
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

FIRST = tuple(LmWeights(lm_weight, word_score) for lm_weight, word_score in product(range(5), range(-2, 3)))
STEPS = (1.0, 0.5, 0.25)
_FRAMES, _REFERENCES = "frames.npz", "references.json"


@dataclass(frozen=True)
class Tried:
    """What one pair of weights gave on the whole set."""

    weights: LmWeights
    words: Errors
    characters: Errors

    @property
    def order(self) -> tuple[int, int, float, float, float]:
        """Sorts the better one first; of equals the one with smaller weights, whichever was tried first."""
        lm_weight, word_score = self.weights.lm_weight, self.weights.word_score
        return self.words.edits, self.characters.edits, abs(lm_weight) + abs(word_score), lm_weight, word_score


@dataclass(frozen=True)
class Bench:
    """Where other processes find what to decode.

    Args:
        folder: Written by `prepare`.
        lm: The language model.
        beam_size: Hypotheses kept at each frame.
    """

    folder: Path
    lm: str
    beam_size: int


def prepare(folder: Path, tokenizer: Wav2Vec2CTCTokenizer, frames: Sequence[np.ndarray], references: Sequence[str]):
    """Writes what is to be decoded.

    Args:
        folder: An empty one.
        tokenizer: What the labels mean.
        frames: [T, V] log-probabilities of each recording.
        references: What was said in each.
    """
    tokenizer.save_pretrained(folder / "tokenizer")
    np.savez(folder / _FRAMES, *frames)
    write_json(folder / _REFERENCES, {"references": list(references)})


def search(bench: Bench, processes: int = 0, report: Callable[[Tried], None] = lambda tried: None) -> list[Tried]:
    """Tries a coarse grid, then goes on from the best pair by steps that become smaller.

    Args:
        bench: What to decode, and with which language model.
        processes: How many work; 0: one per core.
        report: Is told of each pair.
    Returns:
        All that was tried, best first.
    Raises:
        ValueError: The language model cannot be read, or has another alphabet.
    """
    tried: dict[LmWeights, Tried] = {}

    def attempt(pairs: Sequence[LmWeights]) -> Tried:
        tasks = [(bench, weights) for weights in pairs if weights not in tried]
        for _, found in workers.run(try_weights, tasks, lambda task: str(task[1])):
            tried[found.weights] = found
            report(found)
        return min(tried.values(), key=lambda found: found.order)

    with Workers(processes) as workers:
        best = attempt(FIRST)
        for step in STEPS:
            while (better := attempt(around(best.weights, step))) is not best:
                best = better
    return sorted(tried.values(), key=lambda found: found.order)


def around(weights: LmWeights, step: float) -> list[LmWeights]:
    """Gives the eight pairs one step away; a language model never counts less than nothing."""
    moves = [move for move in product((-step, 0.0, step), repeat=2) if any(move)]
    pairs = [LmWeights(weights.lm_weight + more, weights.word_score + other) for more, other in moves]
    return [pair for pair in pairs if pair.lm_weight >= 0]


def try_weights(task: tuple[Bench, LmWeights]) -> Tried:
    """Decodes everything with one pair of weights."""
    bench, weights = task
    decoder, frames, references = _opened(bench)
    decoder.set_weights(weights.lm_weight, weights.word_score)
    pairs = [(reference, decoder.n_best(row, 1)[0].text) for reference, row in zip(references, frames, strict=True)]
    words = sum((word_errors(*pair) for pair in pairs), Errors())
    return Tried(weights, words, sum((character_errors(*pair) for pair in pairs), Errors()))


@lru_cache(1)
def _opened(bench: Bench) -> tuple[BeamDecoder, list[np.ndarray], list[str]]:
    """Loads what `prepare` wrote, once per process."""
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(bench.folder / "tokenizer")
    with np.load(bench.folder / _FRAMES) as stored:
        frames = [stored[f"arr_{i}"] for i in range(len(stored.files))]
    references = read_json(bench.folder / _REFERENCES)["references"]
    return BeamDecoder(tokenizer, bench.lm, beam_size=bench.beam_size), frames, references
