import json

import pytest
import tensorflow as tf

from data_tools.index import load_index
from tests.tones import make_config
from train import evaluator as module
from train.config import BatchConfig
from train.evaluator import Evaluation, Evaluator, compare
from train.layout import split
from train.setup import DataError, build_model, load_processor

BATCHES = BatchConfig(batch_seconds=2, max_buckets=4)


@pytest.fixture(scope="module")
def evaluator(shards):
    config = make_config(shards, shards / "unused")
    processor = load_processor(config)
    model = build_model(config, processor.tokenizer)
    return Evaluator(model, processor, load_index(config.data), "dev", BATCHES, jit_compile=False)


def made(*pairs, blank_ratio=0.5):
    hypotheses = tuple(compare(f"u{i}", reference, text) for i, (reference, text) in enumerate(pairs))
    return Evaluation("dev", hypotheses, loss=1.0, blank_ratio=blank_ratio, infeasible=0)


def test_the_whole_split_is_heard_once_in_at_most_half_the_shapes(evaluator):
    evaluation = evaluator()
    assert sorted(h.id for h in evaluation.hypotheses) == [f"dev-{i:02d}.wav" for i in range(7)]
    assert evaluation.words.length == 9
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


def test_results_are_saved_per_utterance_and_in_sum(tmp_path):
    made(("GO ON", "GO"), ("", "UH")).save(tmp_path)
    assert json.loads((tmp_path / "eval-dev.json").read_text())["wer"] == 1.0
    assert (tmp_path / "eval-dev.tsv").read_text().splitlines() == [
        "id\twer\tcer\treference\thypothesis",
        "u0\t0.5000\t0.6000\tGO ON\tGO",
        "u1\t1.0000\t1.0000\t\tUH",
    ]


def test_samples_show_hypotheses_under_references_across_the_split():
    shown = made(*[(f"R{i}", f"H{i}") for i in range(9)]).samples(3)
    assert [line.split()[-1] for line in shown.splitlines()] == "u0 R0 H0 u3 R3 H3 u6 R6 H6".split()


def test_a_model_that_says_nothing_gets_a_likely_cause():
    assert "learning_rate" in made(("GO", ""), blank_ratio=1.0).verdict()
    assert made(("GO", "GO"), blank_ratio=0.5).verdict() == ""


def test_distinct_characters_tell_what_a_model_says():
    assert made(("GO", "OO O"), ("ON", "N")).numbers()["distinct_characters"] == 2


def test_the_sum_of_ids_is_on_the_device_and_beyond_real_frames_blank(evaluator):
    batch = next(iter(evaluator._batches()))
    ids, _ = evaluator.predict(split(batch, 1))
    frames = evaluator.model.frame_lengths(batch["num_samples"])
    beyond = ~tf.sequence_mask(frames, ids.shape[1])
    assert not tf.reduce_any(tf.boolean_mask(ids, beyond) != 0)
