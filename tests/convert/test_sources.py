"""Claims about choosing the files of a checkpoint: one form, whole, and what is read with it."""

import json
import shutil
from pathlib import Path

import pytest

from convert.sources import choose_weights, open_checkpoint

GOLDEN = Path(__file__).parents[1] / "golden"

# what lies there                                                          what is taken
CASES = [
    ("config.json pytorch_model.bin model.safetensors tf_model.h5",        "model.safetensors config.json"),
    ("model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json pytorch_model.bin",
     "model.safetensors.index.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors"),
    ("pytorch_model.bin optimizer.pt config.json",                         "pytorch_model.bin config.json"),
    ("pytorch_model.bin.index.json pytorch_model-1-of-1.bin",
     "pytorch_model.bin.index.json pytorch_model-1-of-1.bin"),
    ("tf_model.h5 config.json vocab.json",                                 "tf_model.h5 config.json"),
    ("tf_model.index tf_model.data-00000-of-00001 config.json checkpoint",
     "tf_model.index tf_model.data-00000-of-00001 config.json"),
    ("wav2vec_small_960h.pt dict.ltr.txt",                                 "wav2vec_small_960h.pt dict.ltr.txt"),
    ("a.pt b.pt",                                                          ""),
    ("adapter.swe.safetensors README.md",                                  ""),
    ("",                                                                   ""),
]  # fmt: skip


@pytest.mark.parametrize(("there", "taken"), CASES)
def test_one_form_is_taken(there, taken):
    assert choose_weights(there.split()) == taken.split()


def test_a_weight_file_alone_takes_the_config_beside_it():
    opened = open_checkpoint(GOLDEN / "lv60_like" / "model.safetensors")
    assert opened.checkpoint.config["do_stable_layer_norm"]
    assert len(opened.checkpoint.tensors) == 72


def test_a_checkpoint_of_fairseq_brings_its_own_config():
    opened = open_checkpoint(GOLDEN / "fairseq" / "ctc_base.pt")
    assert opened.checkpoint.format == "fairseq"
    assert opened.checkpoint.config["model_type"] == "wav2vec2"


def test_weights_without_a_config_are_told(tmp_path):
    shutil.copy(GOLDEN / "lv60_like" / "model.safetensors", tmp_path)
    with pytest.raises(FileNotFoundError, match="it has no config.json, and model.safetensors holds none either"):
        open_checkpoint(tmp_path)


def test_many_names_are_shown_in_part(tmp_path):
    for i in range(20):
        (tmp_path / f"{i:02}.onnx").write_text("")
    with pytest.raises(FileNotFoundError, match=r"00.onnx, 01.onnx, .*07.onnx and 12 more. Supported are model.safe"):
        open_checkpoint(tmp_path)


def test_a_config_that_is_no_json_is_told(tmp_path):
    shutil.copy(GOLDEN / "lv60_like" / "model.safetensors", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "wav2vec2"})[:-3], "utf-8")
    with pytest.raises(ValueError, match="config.json is not valid JSON"):
        open_checkpoint(tmp_path)
