"""Claims about the config: the published files are read, kept whole, and checked."""

import dataclasses
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
    "hubert_base":          (768,  12, 12, 3072, "group", False, False),
    "hubert_large":         (1024, 24, 16, 4096, "layer", True,  True),
    "hubert_xlarge":        (1280, 48, 16, 5120, "layer", True,  True),
    "data2vec_audio_base":  (768,  12, 12, 3072, "layer", False, False),
    "data2vec_audio_large": (1024, 24, 16, 4096, "layer", False, False),
    "wavlm_base":           (768,  12, 12, 3072, "group", False, False),
    "wavlm_large":          (1024, 24, 16, 4096, "layer", False, True),
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


@pytest.mark.parametrize("folder", ["hubert_stable", "data2vec", "wavlm_post"])
def test_a_file_of_another_kind_of_model_is_written_back_as_it_was(folder):
    text = (GOLDEN / folder / "config.json").read_text("utf-8")
    assert Wav2Vec2Config.from_dict(json.loads(text)).to_json() == text


@pytest.mark.parametrize("folder", ["hubert_stable", "data2vec", "wavlm_post"])
def test_defaults_of_each_kind_of_model_are_those_of_transformers(folder):
    published = json.loads((GOLDEN / folder / "config.json").read_text("utf-8"))
    defaults = Wav2Vec2Config.of(published["model_type"]).to_dict()
    assert defaults.keys() <= published.keys()
    untouched = "conv_stride conv_kernel conv_bias layerdrop mask_time_length final_dropout layer_norm_eps hidden_act"
    assert {key: published[key] for key in untouched.split()} == {key: defaults[key] for key in untouched.split()}


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
        (dict(conv_stride=5), "conv_stride is a list of whole numbers, not 5"),
        (dict(conv_stride=[8, "4", 2]), r"conv_stride is a list of whole numbers, not \[8, '4', 2\]"),
        (dict(hidden_size="16"), "hidden_size is '16', which is no int"),
        (dict(pad_token_id=None), "pad_token_id is None, which is no int"),
        (dict(layerdrop=None), "layerdrop is None, which is no float"),
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
        (dict(num_buckets=3, model_type="wavlm"), "num_buckets must be at least 4, not 3"),
        (dict(max_bucket_distance=80, model_type="wavlm"), "max_bucket_distance must exceed num_buckets / 4"),
        (dict(num_buckets=32), "a wav2vec2 model has no num_buckets; it is 320 here, not 32"),
        (dict(model_type="data2vec-audio", feat_extract_norm="group"), "a data2vec-audio model has no feat_ex"),
    ],
)
def test_a_value_that_breaks_a_rule_is_named(changes, message):
    with pytest.raises(ValueError, match=f"Wav2Vec2Config: {message}"):
        tiny(**changes)


def test_begin_and_end_may_be_null_as_ctc_has_no_use_for_them():
    config = tiny(bos_token_id=None, eos_token_id=None)
    assert json.loads(config.to_json())["bos_token_id"] is None


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


def test_another_kind_of_model_is_refused_and_the_supported_ones_are_listed(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}', "utf-8")
    message = "config.json: model_type 'whisper' is not supported; this package reads wav2vec2, hubert, data2vec"
    with pytest.raises(ValueError, match=message):
        Wav2Vec2Config.from_file(tmp_path / "config.json")


def test_a_rule_broken_in_a_file_names_the_file(tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_act": "tanh"}', "utf-8")
    with pytest.raises(ValueError, match="config.json: Wav2Vec2Config: hidden_act is 'gelu', 'gelu_new' or"):
        Wav2Vec2Config.from_file(tmp_path / "config.json")


# model_type         has fields                                    and lacks
FIELDS = {
    "wav2vec2":       ("adapter_attn_dim num_negatives",            "num_buckets conv_pos_batch_norm"),
    "hubert":         ("feat_proj_layer_norm conv_pos_batch_norm",  "num_negatives add_adapter adapter_attn_dim"),
    "data2vec-audio": ("conv_pos_kernel_size add_adapter",          "feat_extract_norm do_stable_layer_norm"),
    "wavlm":          ("num_buckets max_bucket_distance",           "feat_quantizer_dropout mask_feature_min_masks"),
}  # fmt: skip


@pytest.mark.parametrize("model_type", FIELDS)
def test_each_kind_of_model_writes_its_own_fields_only(model_type):
    has, lacks = (set(names.split()) for names in FIELDS[model_type])
    written = Wav2Vec2Config.of(model_type).to_dict()
    assert has <= written.keys()
    assert not lacks & written.keys()
    assert written["model_type"] == model_type
    assert Wav2Vec2Config.from_dict(written).to_dict() == written


def test_the_class_of_each_kind_of_model_is_written():
    written = {kind: Wav2Vec2Config.of(kind).to_dict()["architectures"] for kind in FIELDS}
    assert list(written.values()) == [["Wav2Vec2ForCTC"], ["HubertForCTC"], ["Data2VecAudioForCTC"], ["WavLMForCTC"]]


def test_a_key_of_another_kind_of_model_is_kept_and_without_effect():
    values = {"model_type": "data2vec-audio", "do_stable_layer_norm": True, "num_negatives": 7}
    config = Wav2Vec2Config.from_dict(values)
    assert config.do_stable_layer_norm is False
    assert config.to_dict().items() >= values.items()


def test_a_field_that_config_json_may_leave_out_acts_where_it_is_given():
    config = Wav2Vec2Config.from_dict({"model_type": "hubert", "adapter_attn_dim": 4})
    assert config.adapter_attn_dim == config.to_dict()["adapter_attn_dim"] == 4
    assert dataclasses.replace(config, adapter_attn_dim=8).to_dict()["adapter_attn_dim"] == 8
    kept = {"model_type": "data2vec-audio", "apply_spec_augment": True}
    assert Wav2Vec2Config.from_dict(kept).to_dict()["apply_spec_augment"] is True
