import json
import sys

import numpy as np
import pytest

from tests.tones import WORDS, make_config
from train import lm_search, tune_lm
from train.edits import Errors
from train.lm_search import Bench, Tried, around, prepare, search, try_weights
from train.rescoring_search import search_rescoring
from train.setup import build_model, load_processor
from wav2vec2_tf.decoding.arpa import write_arpa
from wav2vec2_tf.decoding.beam import Hypothesis
from wav2vec2_tf.decoding.ngram import estimate
from wav2vec2_tf.decoding.presets import LmWeights
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

pytest.importorskip("flashlight.lib.text", reason="flashlight-text is not installed (extra lm)")

STANDARD = Wav2Vec2CTCTokenizer.standard()
REFERENCES = ["GO ON", "NO"]


def frames(text, doubt=0.3):
    path = [label for target in STANDARD.encode(text) for label in (target, 0)]
    probs = np.full((len(path), len(STANDARD)), doubt / (len(STANDARD) - 1), np.float32)
    probs[np.arange(len(path)), path] = 1 - doubt
    return np.log(probs)


@pytest.fixture
def lm(tmp_path):
    write_arpa(tmp_path / "lm.arpa", estimate([["GO", "ON"], ["GO", "ON"], ["NO"], ["ON"]], 2))
    return str(tmp_path / "lm.arpa")


@pytest.fixture
def bench(tmp_path, lm):
    (tmp_path / "bench").mkdir()
    prepare(tmp_path / "bench", STANDARD, [frames("GO OM"), frames("NO")], REFERENCES)
    return Bench(tmp_path / "bench", lm, 50)


def test_one_pair_gives_the_edits_of_the_whole_set(bench):
    found = try_weights((bench, LmWeights(1.0, 0.0)))
    assert (found.words.edits, found.words.length, found.characters.length) == (0, 3, 7)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_search_goes_on_from_the_best_until_none_is_better(bench, processes):
    tried = search(bench, processes)
    assert set(lm_search.FIRST) <= {one.weights for one in tried}
    assert set(around(tried[0].weights, lm_search.STEPS[-1])) <= {one.weights for one in tried}
    assert tried == sorted(tried, key=lambda one: one.order)
    assert len({one.weights for one in tried}) == len(tried)
    assert tried[0].words.edits == 0


def test_a_language_model_never_counts_less_than_nothing():
    assert {pair.lm_weight for pair in around(LmWeights(0.0, 0.0), 0.5)} == {0.0, 0.5}
    assert len(around(LmWeights(1.0, 0.0), 0.5)) == 8


def test_rescoring_weights_are_found_on_n_best_lists():
    class Rescorer:
        def log_probs(self, texts):
            return np.array([-1.0 if text in REFERENCES else -9.0 for text in texts])

    lists = [[Hypothesis(text, score, score, np.zeros(0)) for text, score in pairs]
             for pairs in ([("GO OM", -1.0), ("GO ON", -2.0)], [("NO", -1.0), ("N O", -3.0)])]  # fmt: skip
    found = search_rescoring(Rescorer(), lists, REFERENCES)
    assert found == {"weight": 0.15, "word_score": 0.0, "wer": 0.0}


@pytest.fixture
def model(shards, tmp_path):
    config = make_config(shards, tmp_path / "run")
    processor = load_processor(config)
    built = build_model(config, processor.tokenizer)
    built.save_pretrained(tmp_path / "model")
    processor.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_command_hears_tunes_prints_and_writes(model, shards, lm, monkeypatch, capsys):
    monkeypatch.setattr(tune_lm, "search", lambda bench, processes, report: [try_weights((bench, LmWeights(1.0, 0.0)))])
    write_arpa(lm, estimate([line.split() for line in WORDS], 2))
    flags = ["--model", str(model), "--data", str(shards), "--lm", lm, "--jit_compile", "false", "--processes", "1"]
    assert tune_lm.main(flags) == 0
    assert "--lm_weight 1 " in capsys.readouterr().out
    result = json.loads((model / "tune_lm-dev.json").read_text())
    assert result["best"] == result["tried"][0]
    assert result["best"].keys() == {"lm_weight", "word_score", "wer", "cer"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"--model": "nowhere"}, "Say with --out"), ({"--lm": "nowhere.arpa"}, "no language model nowhere.arpa")],
)
def test_what_is_wrong_is_one_line_and_status_1(model, shards, lm, capsys, changes, says):
    flags = {"--model": str(model), "--data": str(shards), "--lm": lm, "--jit_compile": "false"} | changes
    assert tune_lm.main([part for flag in flags.items() for part in flag]) == 1
    assert says in capsys.readouterr().err


def test_a_rescorer_that_is_not_there_is_told_before_the_work(model, shards, lm, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    monkeypatch.setattr(tune_lm, "hear", lambda options: pytest.fail("it went to work"))
    assert tune_lm.main(["--model", str(model), "--data", str(shards), "--lm", lm, "--rescore", "gpt2"]) == 1
    assert "Rescoring needs keras-hub" in capsys.readouterr().err


def test_equal_error_rates_go_to_the_smaller_weights_whichever_came_first():
    errors = Errors(1, 0, 0, 9)
    small, large, mirrored = (Tried(LmWeights(1.0, score), errors, errors) for score in (1.0, 2.0, -1.0))
    assert small.order < large.order
    assert small.order != mirrored.order
