"""Claims about fairseq's options: each has its place in config.json, is refused by name, or does not matter."""

import pytest

from convert.dialects.convolutions import parse_convolutions
from convert.dialects.errors import DialectError
from convert.dialects.fairseq_config import hugging_face_config
from convert.dialects.fairseq_options import Settings
from wav2vec2_tf import Wav2Vec2Config

HEAD = {"w2v_encoder.proj.weight": (32, 768)}


def config_of(body=None, tuned=None, family="wav2vec2", shapes=None):
    return hugging_face_config("here", Settings(family, body or {}, tuned, {}), shapes or {})


def test_defaults_are_those_of_fairseq():
    config, notes = config_of()
    assert notes == ()
    base = Wav2Vec2Config.base(
        activation_dropout=0.0, final_dropout=0.0, layerdrop=0.0, mask_time_prob=0.65, codevector_dim=768,
        proj_codevector_dim=768,
    )  # fmt: skip
    found = Wav2Vec2Config.from_dict(config)
    assert dict(found.to_dict(), architectures=None) == dict(base.to_dict(), architectures=None)
    assert config["architectures"] == ["Wav2Vec2ForPreTraining"]


def test_the_options_of_large_lv60():
    body = dict(
        extractor_mode="layer_norm", layer_norm_first=True, conv_bias=True, encoder_layers=24, encoder_embed_dim=1024,
        encoder_ffn_embed_dim=4096, encoder_attention_heads=16, final_dim=768, latent_temp=[2.0, 0.1, 0.999995],
        activation_dropout=0.1, encoder_layerdrop=0.1, mask_prob=0.05,
        conv_feature_layers="[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] * 2",
    )  # fmt: skip
    found = Wav2Vec2Config.from_dict(config_of(body)[0] | dict(architectures=["Wav2Vec2ForCTC"]))
    assert found == Wav2Vec2Config.large_lv60(final_dropout=0.0, extra=found.extra)


def test_fine_tuning_has_its_own_chances():
    body = dict(dropout=0.3, encoder_layerdrop=0.2, mask_prob=0.6, extractor_mode="layer_norm")
    tuned = dict(layerdrop=0.05, mask_prob=0.5, mask_channel_prob=0.25, mask_channel_length=64, final_dropout=0.2,
                 apply_mask=True, dropout=0)  # fmt: skip
    config, _ = config_of(body, tuned, shapes=HEAD)
    expected = dict(
        hidden_dropout=0.0, layerdrop=0.05, mask_time_prob=0.5, mask_feature_prob=0.25, mask_feature_length=64,
        final_dropout=0.2, apply_spec_augment=True, feat_extract_norm="layer", vocab_size=32, pad_token_id=0,
        architectures=["Wav2Vec2ForCTC"],
    )  # fmt: skip
    assert {key: config[key] for key in expected} == expected
    assert config_of(body, {}, shapes=HEAD)[0]["apply_spec_augment"] is False


def test_hubert_has_no_quantizer():
    config, _ = config_of(family="hubert")
    assert Wav2Vec2Config.from_dict(config).extra.keys() == {"architectures"}
    assert not {"num_negatives", "codevector_dim", "feat_quantizer_dropout"} & config.keys()
    assert (config["model_type"], config["architectures"]) == ("hubert", ["HubertModel"])


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("layer_type", "conformer", "other blocks"),
        ("layer_type", "trf_adp", "other blocks"),
        ("quantize_input", True, "a quantizer before the encoder"),
        ("pos_conv_depth", 5, "a stack of positional convolutions"),
        ("conv_pos_batch_norm", True, "batch normalisation"),
        ("crop_seq_to_multiple", 2, "frames cut off"),
        ("blank_weight", 1.5, "a bonus on the blank"),
        ("blank_weight", [[]], "a bonus on the blank"),
    ],
)
def test_what_changes_the_arithmetic_is_refused_by_name(option, value, why):
    for settings in ((({option: value}), None), ({}, {option: value})):
        with pytest.raises(DialectError, match=rf"here: the fairseq option {option}=.* \({why}.*\) is not supported"):
            config_of(*settings)


@pytest.mark.parametrize(("option", "known"), [("extractor_mode", "default"), ("activation_fn", "gelu")])
def test_an_unknown_choice_is_refused(option, known):
    with pytest.raises(DialectError, match=f"option {option}='new' is not supported; known are {known}, "):
        config_of({option: "new"})


@pytest.mark.parametrize(("theirs", "ours"), [("gelu_accurate", "gelu_new"), ("relu", "relu")])
def test_activations(theirs, ours):
    config, _ = config_of({"activation_fn": theirs})
    assert (config["hidden_act"], config["feat_extract_activation"]) == (ours, "gelu")


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [
        ("encoder_layers", "12", "a whole number"),
        ("encoder_layers", True, "a whole number"),
        ("conv_bias", 1, "True or False"),
        ("logit_temp", [0.1], "a number"),
        ("conv_feature_layers", 7, "a text"),
    ],
)
def test_an_option_of_another_type_is_refused(option, value, kind):
    with pytest.raises(DialectError, match=f"the fairseq option {option} is .*, not {kind}"):
        config_of({option: value})


def test_a_body_without_a_projection_is_refused():
    with pytest.raises(DialectError, match="encoder_embed_dim is the last size of conv_feature_layers, 512"):
        config_of({"encoder_embed_dim": 512})


def test_irrelevant_options_are_passed_over():
    ignored = dict(required_seq_len_multiple=2, fp16=True, checkpoint_activations=True, target_glu=True, attn_type="x")
    assert config_of(ignored) == config_of()


def test_other_ways_of_masking_leave_a_note():
    _, notes = config_of({"mask_selection": "poisson", "mask_channel_selection": "static"})
    assert notes == ("Trained with mask_selection='poisson' in fairseq; training here goes on with 'static'.",)


def test_convolutions_in_the_spellings_of_public_checkpoints():
    base = [(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2
    for text in (
        "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
        "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2",
        " [(512, 10, 5), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 2, 2), (512, 2, 2)] ",
    ):
        assert parse_convolutions("here", text) == base


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "[(512, 10, 5)] * 10 ** 9",
        "[(512, 10, 5)] * 1000000000",
        "[(512, 10, 5)] * 40 + [(512, 10, 5)] * 40",
        "[(512, 10)]",
        "[(512, 10, -5)]",
        "[(512, 10, 5.0)]",
        "[(512, 10, True)]",
        "[(512, 10, 0)]",
        "[[512, 10, 5]]",
        "[x for x in ()]",
        "[]",
        "",
        "[(512, 10, 5)",
        "(" * 1500,
        "+".join(["[(512, 10, 5)]"] * 200),
        "\0",
    ],
)
def test_any_other_text_is_refused_without_being_run(text):
    with pytest.raises(DialectError, match="conv_feature_layers is .* not lists of .channels, kernel, stride."):
        parse_convolutions("here", text)
