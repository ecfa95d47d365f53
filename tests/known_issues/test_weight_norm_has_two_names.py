"""Checkpoints of both weight-norm namings exist, and loaders left the kernel random without a word."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.tiny import noise
from wav2vec2_tf import Wav2Vec2ForCTC

GOLDEN = Path(__file__).parents[1] / "golden" / "base_like"
NEW, OLD = "parametrizations.weight.original", ("weight_g", "weight_v")


def folder_with(tmp_path, rename):
    tensors = load_file(GOLDEN / "model.safetensors")
    save_file({rename(name): tensor for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((GOLDEN / "config.json").read_bytes())
    return tmp_path


def test_the_older_names_load_the_same_model(tmp_path):
    older = folder_with(tmp_path, lambda name: name.replace(NEW + "0", OLD[0]).replace(NEW + "1", OLD[1]))
    audio = noise(1, 4000)
    truth = Wav2Vec2ForCTC.from_pretrained(GOLDEN)(audio)
    np.testing.assert_array_equal(Wav2Vec2ForCTC.from_pretrained(older)(audio), truth)


def test_a_third_name_is_not_passed_over(tmp_path):
    other = folder_with(tmp_path, lambda name: name.replace(NEW + "0", "weight_scale"))
    with pytest.raises(ValueError, match=r"(?s)missing: .*weight.original0.*unknown: .*weight_scale"):
        Wav2Vec2ForCTC.from_pretrained(other)
