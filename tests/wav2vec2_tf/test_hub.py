"""Claims about model folders: whole or absent, the same when read, and the fault named."""

import resource
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import ARCHITECTURES, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2ForCTC

GOLDEN = Path(__file__).parents[1] / "golden" / "lv60_like"
FILES = ("config.json", "model.safetensors")


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.fixture
def folder(tmp_path):
    perturb(Wav2Vec2ForCTC(tiny())).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("changes", [{}, {"adapter_attn_dim": 3}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_read_is_the_model_written(tmp_path, architecture, changes):
    model = perturb(Wav2Vec2ForCTC(tiny(architecture, **changes)))
    model.save_pretrained(tmp_path / "deep" / "one")
    again = Wav2Vec2ForCTC.from_pretrained(str(tmp_path / "deep" / "one"))
    np.testing.assert_array_equal(again(noise(2, 640)), model(noise(2, 640)))
    again.save_pretrained(tmp_path / "two")
    assert contents(tmp_path / "deep" / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "two")) == set(FILES)


def test_a_folder_of_transformers_is_written_back_as_it_was(tmp_path):
    Wav2Vec2ForCTC.from_pretrained(GOLDEN).save_pretrained(tmp_path)
    assert contents(tmp_path)["model.safetensors"] == (GOLDEN / "model.safetensors").read_bytes()


def test_saving_twice_replaces(folder):
    other = perturb(Wav2Vec2ForCTC(tiny()), seed=1)
    other.save_pretrained(folder)
    np.testing.assert_array_equal(Wav2Vec2ForCTC.from_pretrained(folder)(noise(1, 640)), other(noise(1, 640)))


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named_with_the_way_out(folder, file):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"is not a model folder: it has no {file}. Give a folder written by"):
        Wav2Vec2ForCTC.from_pretrained(folder)


def test_a_missing_folder_is_no_model_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a model folder"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_truncated_weights_are_named(folder, share):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"model.safetensors is damaged \(.*\)\. Copy or write it again"):
        Wav2Vec2ForCTC.from_pretrained(folder)


def test_a_config_of_another_model_is_told(folder):
    (folder / "config.json").write_text(tiny(vocab_size=30).to_json(), "utf-8")
    with pytest.raises(ValueError, match=r"(?s)model.safetensors does not fit its config.json.*lm_head.bias is \(9,\)"):
        Wav2Vec2ForCTC.from_pretrained(folder)


def test_a_full_disk_leaves_the_old_model_whole(folder):
    before, limits = contents(folder), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))  # a write beyond 4000 bytes fails
    try:
        with pytest.raises(OSError, match="model.safetensors"):
            perturb(Wav2Vec2ForCTC(tiny()), seed=1).save_pretrained(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert contents(folder) == before


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "model").write_text("")
    with pytest.raises(OSError, match="model"):
        Wav2Vec2ForCTC(tiny()).save_pretrained(tmp_path / "model")
