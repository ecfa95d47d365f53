"""Claims about `python -m convert`: what is written is the source, told tensor by tensor, and findings end it."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from convert.__main__ import main
from convert.report import Converted, Report, differences
from wav2vec2_tf import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC, Wav2Vec2Processor

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture
def source(tmp_path):
    """A folder of transformers with processor files."""
    folder = tmp_path / "source"
    shutil.copytree(GOLDEN / "lv60_like", folder)
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEF"]
    tokenizer = Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(tokens)})
    Wav2Vec2Processor(tokenizer=tokenizer).save_pretrained(folder)
    return folder


def change(folder, **arrays):
    """Changes tensors of a folder's weights; None takes one away."""
    held = load_file(folder / "model.safetensors") | arrays
    save_file({k: v for k, v in held.items() if v is not None}, folder / "model.safetensors", {"format": "pt"})


def report_of(folder):
    return json.loads((folder / "conversion.json").read_text("utf-8"))


def test_what_is_written_is_the_source(source, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([str(source), str(out), "--verify"]) == 0
    for name in ("model.safetensors", "config.json", "vocab.json", "preprocessor_config.json"):
        assert (out / name).read_bytes() == (source / name).read_bytes()
    printed = capsys.readouterr().out
    assert "72 tensors written, 4,834 numbers (stored as 72 float32)" in printed
    held = load_file(source / "model.safetensors")
    for row in report_of(out)["tensors"]:
        assert row["sha256"] == hashlib.sha256(held[row["name"]].tobytes()).hexdigest()
        assert f"{row['name']}  float32 {row['shape']}  {row['sha256'][:16]}" in printed
    assert len(report_of(out)["tensors"]) == len(held)


def test_what_is_written_loads_as_the_source_does(source, tmp_path):
    main([str(source), str(tmp_path / "out")])
    audio = dict(np.load(source / "outputs.npz"))["audio"]
    ours, theirs = (Wav2Vec2ForCTC.from_pretrained(folder)(audio) for folder in (source, tmp_path / "out"))
    np.testing.assert_array_equal(ours, theirs)


def test_half_precision_is_written_as_float32(source, tmp_path):
    change(source, **{k: v.astype("f2") for k, v in load_file(source / "model.safetensors").items()})
    assert main([str(source), str(tmp_path / "out"), "--verify"]) == 0
    assert {str(v.dtype) for v in load_file(tmp_path / "out" / "model.safetensors").values()} == {"float32"}
    assert {row["dtype"] for row in report_of(tmp_path / "out")["tensors"]} == {"float16"}


def test_a_pretrained_body_is_written_without_a_head(source, tmp_path, capsys):
    change(source, **{"lm_head.weight": None, "lm_head.bias": None, "quantizer.codevectors": np.zeros(3, "f4")})
    config = json.loads((source / "config.json").read_text("utf-8")) | {"architectures": ["Wav2Vec2ForPreTraining"]}
    (source / "config.json").write_text(json.dumps(config), "utf-8")
    out = tmp_path / "out"
    assert main([str(source), str(out), "--verify"]) == 0
    printed = capsys.readouterr().out
    assert "1 left out: quantizer of pretraining" in printed
    assert "2 not in the checkpoint: lm_head.weight, lm_head.bias" in printed
    assert json.loads((out / "config.json").read_text("utf-8"))["architectures"] == ["Wav2Vec2Model"]
    with pytest.warns(UserWarning, match="lm_head starts at random"):
        Wav2Vec2ForCTC.from_pretrained(out)


def test_a_source_without_a_tokenizer_gives_what_it_has_and_says_so(source, tmp_path, capsys):
    (source / "vocab.json").unlink()
    assert main([str(source), str(tmp_path / "out")]) == 0
    assert "preprocessor_config.json written, but no tokenizer" in capsys.readouterr().out
    assert (tmp_path / "out" / "preprocessor_config.json").is_file()


def test_a_source_without_a_processor_says_so(source, tmp_path, capsys):
    (source / "preprocessor_config.json").unlink()
    assert main([str(source), str(tmp_path / "out")]) == 0
    assert "note: no processor written" in capsys.readouterr().out


def test_adapters_that_stay_behind_are_told(source, tmp_path, capsys):
    for language in ("swe", "hrv"):
        (source / f"adapter.{language}.safetensors").write_bytes(b"")
    assert main([str(source), str(tmp_path / "out")]) == 0
    assert "note: 2 adapter files stay behind" in capsys.readouterr().out


def test_findings_are_reported_and_nothing_loads(source, tmp_path, capsys):
    change(source, **{"lm_head.bias": None, "mystery": np.zeros(2, "f4")})
    out = tmp_path / "out"
    assert main([str(source), str(out)]) == 1
    printed = capsys.readouterr().out
    assert "finding: missing: lm_head.bias" in printed
    assert "finding: unknown: mystery" in printed
    assert [path.name for path in out.iterdir()] == ["conversion.json"]
    assert len(report_of(out)["findings"]) == 2


def test_numbers_that_are_not_finite_are_a_finding(source, tmp_path, capsys):
    change(source, **{"lm_head.bias": np.array([0, np.nan] + [1.0] * 9, "f4")})
    assert main([str(source), str(tmp_path / "out")]) == 1
    assert "finding: not finite: lm_head.bias holds 1" in capsys.readouterr().out
    assert not (tmp_path / "out" / "model.safetensors").exists()
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_vocabulary_of_another_size_than_the_head_is_a_finding(source, tmp_path, capsys):
    Wav2Vec2Processor().save_pretrained(source)
    assert main([str(source), str(tmp_path / "out")]) == 1
    assert "finding: " in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["conversion.json"]


def test_verify_tells_what_differs():
    written = [Converted(name, name, "float32", (1,), f"sum of {name}") for name in "abc"]
    assert differences(written, {"a": "sum of a", "b": "another", "d": "sum of d"}) == (
        "verify: b holds other numbers than the source",
        "verify: c is missing",
        "verify: d was not written",
    )
    assert "finding: verify" in str(Report("HERE", "fairseq", "HubertForCTC", findings=("verify: b is missing",)))


def test_a_folder_that_holds_something_is_left_alone(source, tmp_path, capsys):
    assert main([str(source), str(source)]) == 1
    assert f"{source} is not empty. Give another folder" in capsys.readouterr().err


def test_a_source_that_is_none_ends_with_1(tmp_path, capsys):
    assert main([str(tmp_path / "nothing" / "here" / "at all"), str(tmp_path / "out")]) == 1
    assert "convert: There is no folder or file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interruption_ends_with_a_line(monkeypatch, tmp_path, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("convert.conversion.convert", interrupted)
    assert main(["here", str(tmp_path / "out")]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_help_needs_no_tensorflow():
    code = "import sys; sys.modules['tensorflow'] = None; from convert.__main__ import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "bit by bit" in done.stdout, done.stderr
