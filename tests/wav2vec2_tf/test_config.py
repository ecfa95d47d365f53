"""Claims about the config: the published files are read, kept whole, and checked."""

import json
from pathlib import Path

import pytest

from tests.tiny import tiny
from wav2vec2_tf.config import Wav2Vec2Config

GOLDEN = Path(__file__).parents[1] / "golden"

# preset      hidden layers heads ffn   norm     bias   stable
PRESETS = {
    "base":       (768,  12, 12, 3072, "group", False, False),
    "large":      (1024, 24, 16, 4096, "group", False, False),
    "large_lv60": (1024, 24, 16, 4096, "layer", True,  True),
    "xls_r_300m": (1024, 24, 16, 4096, "layer", True,  True),
    "xls_r_1b":   (1280, 48, 16, 5120, "layer", True,  True),
    "xls_r_2b":   (1920, 48, 16, 7680, "layer", True,  True),
}  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_the_published_architectures(preset):
    config = getattr(Wav2Vec2Config, preset)()
    sizes = (config.hidden_size, config.num_hidden_layers, config.num_attention_heads, config.intermediate_size)
    assert sizes + (config.feat_extract_norm, config.conv_bias, config.do_stable_layer_norm) == PRESETS[preset]


def test_a_preset_takes_changes():
    assert Wav2Vec2Config.large_lv60(vocab_size=40, conv_bias=False).conv_bias is False


def test_defaults_are_those_of_transformers():
    published = json.loads((GOLDEN / "base_like" / "config.json").read_text("utf-8"))
    changed = {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"}
    changed |= {"conv_dim", "num_conv_pos_embeddings", "num_conv_pos_embedding_groups", "output_hidden_size"}
    ours = Wav2Vec2Config().to_dict()
    assert {key: published[key] for key in ours if key not in changed} == {
        key: value for key, value in ours.items() if key not in changed
    }


def test_unknown_keys_are_kept():
    values = json.loads((GOLDEN / "base_like" / "config.json").read_text("utf-8"))
    written = json.loads(Wav2Vec2Config.from_dict(values).to_json())
    assert written == values
    assert written["xvector_output_dim"] == 512


def test_legacy_keys_are_understood_and_the_newer_name_wins():
    old = {"hidden_dropout_prob": 0.3, "gradient_checkpointing": True, "freeze_feat_extract_train": True}
    config = Wav2Vec2Config.from_dict(old)
    assert config.hidden_dropout == 0.3
    assert config.to_dict()["gradient_checkpointing"] is True
    assert Wav2Vec2Config.from_dict({**old, "hidden_dropout": 0.2}).hidden_dropout == 0.2


def test_a_file_written_is_the_same_when_read(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(tiny("layer_norm", extra={"_name_or_path": "é"}).to_json(), "utf-8")
    assert Wav2Vec2Config.from_file(path).to_json() == path.read_text("utf-8")


def test_convs_are_kernels_and_strides():
    assert tiny().convs == ((10, 8), (3, 4), (2, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(conv_stride=(8, 4)), r"conv_dim, conv_kernel and conv_stride need one length; they have \(3, 3, 2\)"),
        (dict(conv_dim=(), conv_kernel=(), conv_stride=()), "conv_dim is empty; the feature encoder needs"),
        (dict(conv_stride=(8, 0, 2)), r"conv_stride must be positive, not \(8, 0, 2\)"),
        (dict(num_attention_heads=0), "num_attention_heads must be positive, not 0"),
        (dict(mask_time_length=0), "mask_time_length must be positive, not 0"),
        (dict(num_attention_heads=3), "hidden_size 16 is no multiple of 3 attention heads"),
        (dict(num_conv_pos_embedding_groups=5), "hidden_size 16 is no multiple of num_conv_pos_embedding_groups 5"),
        (dict(feat_extract_norm="batch"), "feat_extract_norm is 'group' or 'layer', not 'batch'"),
        (dict(hidden_act="swish"), "hidden_act is 'gelu', 'gelu_new' or 'relu', not 'swish'"),
        (dict(feat_extract_activation="silu"), "feat_extract_activation is 'gelu', 'gelu_new' or 'relu', not 'silu'"),
        (dict(pad_token_id=9), r"pad_token_id 9 \(the CTC blank\) lies outside the vocabulary of 9"),
        (dict(mask_time_prob=1.5), "mask_time_prob is a probability, not 1.5"),
        (dict(layerdrop=-0.1), "layerdrop is a probability, not -0.1"),
        (dict(hidden_dropout=1.0), r"hidden_dropout is a share in \[0, 1\), not 1.0"),
        (dict(add_adapter=True), "add_adapter=True .* is not supported"),
    ],
)
def test_a_value_that_breaks_a_rule_is_named(changes, message):
    with pytest.raises(ValueError, match=f"Wav2Vec2Config: {message}"):
        tiny(**changes)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="config.json"):
        Wav2Vec2Config.from_file(tmp_path / "config.json")


def test_a_file_that_is_not_json_is_named(tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": ', "utf-8")
    with pytest.raises(ValueError, match=r"config.json is not valid JSON \(.*\)\. Fetch or write the file again"):
        Wav2Vec2Config.from_file(tmp_path / "config.json")


def test_json_without_an_object_is_named(tmp_path):
    (tmp_path / "config.json").write_text("[1, 2]", "utf-8")
    with pytest.raises(ValueError, match="config.json holds no JSON object"):
        Wav2Vec2Config.from_file(tmp_path / "config.json")


def test_another_kind_of_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "hubert"}', "utf-8")
    with pytest.raises(ValueError, match="describes a 'hubert' model; this package reads model_type 'wav2vec2'"):
        Wav2Vec2Config.from_file(tmp_path / "config.json")
