"""Claims about the table of names: whole, unambiguous, invertible, and nothing is left out without a reason."""

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from convert.names import CHANGES, canonical, names_by_path, why_ignored
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.families import FAMILIES

GOLDEN = Path(__file__).parents[1] / "golden"
FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/model.safetensors"))


def config(model_type="wav2vec2", **changes):
    return Wav2Vec2Config.of(model_type, **changes)


@pytest.mark.parametrize("model_type", FAMILIES)
def test_no_name_appears_twice(model_type):
    names = names_by_path(config(model_type))
    assert len({name.theirs for name in names.values()}) == len(names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_every_tensor_of_transformers_has_a_name_or_a_reason(folder):
    theirs = {name.theirs for name in names_by_path(Wav2Vec2Config.from_file(folder / "config.json")).values()}
    with safe_open(folder / "model.safetensors", framework="np") as file:
        assert not {name for name in set(file.keys()) - theirs if not why_ignored(name)}


def test_rows_repeat_per_block_and_per_convolution():
    names = names_by_path(config(num_hidden_layers=5, conv_dim=(4,) * 3, conv_kernel=(2,) * 3, conv_stride=(2,) * 3))
    theirs = [name.theirs for name in names.values()]
    assert sum("attention.q_proj.weight" in name for name in theirs) == 5
    assert sum("conv.weight" in name and "conv_layers" in name for name in theirs) == 3


def test_the_positional_convolutions_of_data2vec_are_numbered():
    names = [name.theirs for name in names_by_path(config("data2vec-audio", num_conv_pos_embeddings=3)).values()]
    assert sum("pos_conv_embed.layers." in name and name.endswith("weight") for name in names) == 3


@pytest.mark.parametrize(("model_type", "prefix"), [(name, kind.prefix) for name, kind in FAMILIES.items()])
def test_a_body_saved_without_its_head_gets_the_prefix(model_type, prefix):
    for name in ("masked_spec_embed", "encoder.layer_norm.weight", "feature_extractor.conv_layers.0.conv.weight"):
        assert canonical(name, model_type) == canonical(f"{prefix}.{name}", model_type) == f"{prefix}.{name}"
    assert canonical("lm_head.weight", model_type) == "lm_head.weight"
    assert canonical("feature_extractor.weight", model_type) == "feature_extractor.weight"  # a speaker model's head


def test_weight_norm_of_an_older_torch_gets_the_name_of_today():
    today = "hubert.encoder.pos_conv_embed.conv.parametrizations.weight.original1"
    assert canonical("hubert.encoder.pos_conv_embed.conv.weight_v", "hubert") == today
    assert canonical("encoder.pos_conv_embed.conv.weight_v", "hubert") == today


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("quantizer.weight_proj.bias", "quantizer of pretraining"),
        ("project_hid.weight", "projection of pretraining"),
        ("label_embs_concat", "cluster labels of HuBERT or WavLM pretraining"),
        ("hubert.final_proj.weight", "cluster labels of HuBERT or WavLM pretraining"),
        ("_ema", "teacher or head of data2vec pretraining"),
        ("regression_head.0.weight", "teacher or head of data2vec pretraining"),
        ("classifier.bias", "head of a classifier"),
        ("layer_weights", "head of a classifier"),
        ("tdnn.0.kernel.weight", "head of a speaker model"),
        ("feature_extractor.bias", "head of a speaker model"),
        ("hubert.encoder.pos_conv_embed.batch_norm.num_batches_tracked", "counter of batch normalisation"),
    ],
)
def test_what_is_left_out_has_a_reason(name, reason):
    assert why_ignored(name) == reason


@pytest.mark.parametrize("model_type", FAMILIES)
def test_no_rule_leaves_out_a_tensor_that_a_model_needs(model_type):
    assert not [name.theirs for name in names_by_path(config(model_type)).values() if why_ignored(name.theirs)]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_undo_each_other(change):
    to_ours, to_theirs = CHANGES[change]
    tensor = np.arange(24).reshape((4, 6) if change == "matrix" else (2, 3, 4))
    np.testing.assert_array_equal(to_theirs(to_ours(tensor)), tensor)


def test_a_tensor_for_them_is_contiguous():
    name = names_by_path(config())["lm_head/kernel"]
    assert name.to_theirs(np.ones((3, 2))).flags["C_CONTIGUOUS"]
