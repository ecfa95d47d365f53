"""The two doors: what they print, and the status they return."""

import json

import pytest

from tests.tones import MODEL, make_shards
from train import evaluate
from train.__main__ import main
from train.evaluation import read_hypotheses
from train.preemption import Preempted


@pytest.fixture(scope="module")
def flags(shards, tmp_path_factory):
    """Flags of a run of three updates."""
    model = [f"--model.{name}={json.dumps(value)}" for name, value in vars(MODEL).items() if value is not None]
    out = tmp_path_factory.mktemp("main") / "run"
    batches = ["--batches.batch_seconds=5", "--batches.max_buckets=1", "--jit_compile=false"]
    return ["--data", str(shards), "--out", str(out), "--epochs=1", *model, *batches]


@pytest.fixture(scope="module")
def best(flags):
    """The model folder of that run."""
    assert main(flags) == 0
    return f"{flags[3]}/best"


def test_a_run_in_a_used_folder_ends_with_status_1_and_a_clear_line(flags, best, capsys):
    assert main(flags) == 1
    assert "is not empty" in capsys.readouterr().err


def test_resuming_ends_with_status_0_and_names_the_model(flags, best, capsys):
    assert main([*flags, "--resume"]) == 0
    assert best in capsys.readouterr().out.splitlines()[-1]


def test_a_batch_that_is_not_learned_is_status_1(flags, capsys):
    assert main([*flags, "--overfit-one-batch", "--steps", "1"]) == 1
    assert "FAILED after 1 steps" in capsys.readouterr().out


def test_sigterm_is_status_75_and_tells_where_the_run_stands(flags, monkeypatch, capsys):
    def terminated(*_):
        raise Preempted("SIGTERM: step 7 of 9 is saved")

    monkeypatch.setattr("train.loop.train", terminated)
    assert main([*flags, "--resume"]) == 75
    assert "step 7 of 9 is saved" in capsys.readouterr().err


def test_ctrl_c_is_status_130_and_tells_how_to_go_on(flags, best, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("train.loop.train", interrupted)
    assert main(flags) == 130
    assert "--resume" in capsys.readouterr().err


def test_evaluate_prints_and_writes_beside_the_model(best, shards, capsys):
    assert evaluate.main(["--model", best, "--data", str(shards), "--split", "dev", "--jit_compile=false"]) == 0
    printed = capsys.readouterr().out
    assert "split=dev wer=" in printed.splitlines()[-1]
    assert "reference:  ABE" in printed
    with open(f"{best}/eval-dev.json") as file:
        figures = json.load(file)
    assert (figures["utterances"], [one["name"] for one in figures["speakers"]]) == (7, ["s"])
    with open(f"{best}/eval-dev.html") as file:
        assert "<audio" in file.read()


def test_evaluate_writes_where_it_is_told(best, shards, tmp_path):
    arguments = ["--model", best, "--data", str(shards), "--split", "train", "--out", str(tmp_path / "new")]
    assert evaluate.main([*arguments, "--jit_compile=false"]) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        f"eval-train.{kind}" for kind in ("json", "tsv", "html")
    }


def test_evaluate_searches_with_a_language_model_of_two_words(best, shards, tmp_path):
    pytest.importorskip("flashlight.lib.text.decoder.kenlm", reason="beam search is the extra lm")
    lm = tmp_path / "two.arpa"
    entries = "\n".join(f"-0.6\t{word}" for word in ("<unk>", "<s>", "</s>", "ABE", "EBB"))
    counts, pairs = "ngram 1=5\nngram 2=1", "\\2-grams:\n-0.3\tABE EBB"  # KenLM wants pairs
    lm.write_text(f"\\data\\\n{counts}\n\n\\1-grams:\n{entries}\n\n{pairs}\n\n\\end\\\n")
    arguments = ["--model", best, "--data", str(shards), "--split", "dev", "--jit_compile=false", "--lm", str(lm)]
    assert evaluate.main([*arguments, "--lm_weight=2", "--out", str(tmp_path / "new")]) == 0
    figures = json.loads((tmp_path / "new/eval-dev.json").read_text())
    assert figures["decoding"] == f"beam search, {lm}, weight 2, word score 0.52"
    heard = {h.text for h in read_hypotheses(tmp_path / "new/eval-dev.tsv")}
    assert {word for text in heard for word in text.split()} <= {"ABE", "EBB"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(lm="some.arpa"), "In the model's folder are the results without --lm"),
        (dict(lm="nowhere.arpa", out="unused"), "nowhere.arpa"),
        (dict(model="nowhere"), "nowhere"),
        (dict(data="nowhere"), "make_tfrecords"),
        (dict(split="nope"), "split 'nope'; it has train, dev"),
    ],
)
def test_evaluate_without_its_input_is_status_1_and_a_clear_line(best, shards, changes, message, capsys):
    values = dict(model=best, data=str(shards), split="dev") | changes
    assert evaluate.main([f"--{name}={value}" for name, value in values.items()]) == 1
    assert message in capsys.readouterr().err


def test_evaluate_refuses_shards_of_another_vocabulary(best, tmp_path, capsys):
    other = make_shards(tmp_path / "other", {"test": 2}, words=("EA", "E"))
    assert evaluate.main(["--model", best, "--data", str(other)]) == 1
    assert "differ in" in capsys.readouterr().err


def test_evaluate_with_a_flipped_byte_in_a_shard_is_status_1_and_names_the_shard(best, tmp_path, capsys):
    shards = make_shards(tmp_path / "flipped", {"test": 6})
    shard = next(shards.glob("test-*.tfrecord"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    assert evaluate.main(["--model", best, "--data", str(shards), "--jit_compile=false"]) == 1
    assert shard.name in capsys.readouterr().err
