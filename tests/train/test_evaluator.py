import numpy as np
import pytest
import tensorflow as tf

from data_tools.index import load_index
from tests.tones import make_config
from train import evaluator as module
from train.config import BatchConfig
from train.evaluator import Evaluator
from train.layout import split
from train.setup import DataError, build_model, load_processor
from wav2vec2_tf.decoding.transcript import Transcript

BATCHES = BatchConfig(batch_seconds=2, max_buckets=4)


@pytest.fixture(scope="module")
def evaluator(shards):
    config = make_config(shards, shards / "unused")
    processor = load_processor(config)
    model = build_model(config, processor.tokenizer)
    return Evaluator(model, processor, load_index(config.data), "dev", BATCHES, jit_compile=False)


def test_the_whole_split_is_heard_once_in_at_most_half_the_shapes(evaluator):
    evaluation = evaluator()
    assert sorted(h.id for h in evaluation.hypotheses) == [f"dev-{i:02d}.wav" for i in range(7)]
    assert evaluation.words.length == 9
    lengths = sorted(evaluator.index.lengths("dev") / 16_000)
    assert sorted(h.seconds for h in evaluation.hypotheses) == lengths
    assert {h.speaker for h in evaluation.hypotheses} == {"s"}
    assert 1 <= len(evaluator.predict.shapes) <= 2


def test_batch_sizes_change_no_result(evaluator):
    whole = BatchConfig(batch_seconds=100, max_buckets=1)
    other = Evaluator(evaluator.model, evaluator.processor, evaluator.index, "dev", whole, jit_compile=False)()
    mine = evaluator()
    assert {h.id: h.text for h in other.hypotheses} == {h.id: h.text for h in mine.hypotheses}
    assert other.loss == pytest.approx(mine.loss, rel=1e-4)
    assert other.blank_ratio == pytest.approx(mine.blank_ratio)


def test_an_utterance_that_comes_twice_is_an_error(evaluator, monkeypatch):
    batches = module.batches
    monkeypatch.setattr(module, "batches", lambda *a, **k: batches(*a, **k).concatenate(batches(*a, **k)))
    with pytest.raises(DataError, match="occurs twice in split 'dev'"):
        evaluator()


def test_a_missing_utterance_is_an_error(evaluator, monkeypatch):
    batches = module.batches
    monkeypatch.setattr(module, "batches", lambda *a, **k: batches(*a, **k).take(1))
    with pytest.raises(DataError, match="gave . utterances, its index lists 7"):
        evaluator()


def test_the_sum_of_ids_is_on_the_device_and_beyond_real_frames_blank(evaluator):
    batch = next(iter(evaluator._batches()))
    ids, _ = evaluator.predict(split(batch, 1))
    frames = evaluator.model.frame_lengths(batch["num_samples"])
    beyond = ~tf.sequence_mask(frames, ids.shape[1])
    assert not tf.reduce_any(tf.boolean_mask(ids, beyond) != 0)


class Recorder:
    """A decoder that writes down what it is given."""

    def __init__(self):
        self.given = []

    def decode(self, log_probs, seconds_per_frame):
        self.given.append((log_probs, seconds_per_frame))
        return Transcript("A BE", 1.0)


def test_a_decoder_gets_the_log_probabilities_of_real_frames(evaluator):
    decoder = Recorder()
    common = evaluator.model, evaluator.processor, evaluator.index, "dev", BATCHES
    evaluation = Evaluator(*common, jit_compile=False, decoder=decoder)()
    assert {h.text for h in evaluation.hypotheses} == {"A BE"}
    assert evaluation.loss == pytest.approx(evaluator().loss, rel=1e-5)
    for log_probs, seconds_per_frame in decoder.given:
        np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1, rtol=1e-4)
        assert seconds_per_frame == 320 / 16_000
    frames = [len(log_probs) for log_probs, _ in decoder.given]
    lengths = evaluator.index.lengths("dev")
    assert sorted(frames) == sorted(evaluator.model.frame_lengths(lengths).tolist())


def test_shards_go_through_the_cache_that_is_given(evaluator, monkeypatch):
    seen, cache = [], object()
    monkeypatch.setattr(module, "batches", lambda *a, cache, **k: seen.append(cache) or tf.data.Dataset.range(0))
    Evaluator(evaluator.model, evaluator.processor, evaluator.index, "dev", BATCHES, False, cache=cache)._batches()
    assert seen == [cache]
