"""Claims about the weight files of TensorFlow: names and layouts of transformers 4.x and of the earlier port."""

import json
from pathlib import Path

import numpy as np
import pytest

from convert.dialects import translate
from convert.dialects.errors import DialectError
from convert.dialects.port import hugging_face_config, is_port_config
from convert.names import names_by_path
from convert.readers import open_tensors
from convert.tensors import Tensor
from wav2vec2_tf import Wav2Vec2Config

GOLDEN = Path(__file__).parents[2] / "golden" / "tf"
CASES = {"base": "transformers-tf", "lv60": "transformers-tf", "body": "transformers-tf", "hubert": "transformers-tf",
         "port": "port", "port_robust": "port", "port_trained": "port"}  # fmt: skip


def load(case):
    files = sorted((GOLDEN / case).glob("tf_model*"))
    config = json.loads((GOLDEN / case / "config.json").read_text("utf-8"))
    return translate(case, files, open_tensors(files), config)


def names(*tensors, config=None):
    """Translates tensors of these names and shapes."""
    lazy = [Tensor(name, shape, np.dtype("f4"), lambda shape=shape: np.zeros(shape), "f.h5") for name, shape in tensors]
    return {tensor.name: tensor.shape for tensor in translate("here", [Path("tf_model.h5")], lazy, config).tensors}


@pytest.mark.parametrize("case", CASES)
def test_every_tensor_is_one_of_the_model(case):
    checkpoint = load(case)
    known = {name.theirs for name in names_by_path(Wav2Vec2Config.from_dict(checkpoint.config)).values()}
    older = {name.replace("parametrizations.weight.original0", "weight_g") for name in known}
    older |= {name.replace("parametrizations.weight.original1", "weight_v") for name in known}
    assert {tensor.name for tensor in checkpoint.tensors} <= older
    assert checkpoint.format == CASES[case]


@pytest.mark.parametrize("case", CASES)
def test_shapes_are_told_as_they_will_be_read(case):
    for tensor in load(case).tensors:
        assert tensor.read().shape == tensor.shape, tensor.name


@pytest.mark.parametrize("model", ["tf_wav2_vec2_for_ctc", "tf_wav2_vec2_for_ctc_3", "mine"])
def test_transformers_names_and_layouts(model):
    found = names(
        (f"{model}/wav2vec2/feature_extractor/conv_layers.1/conv/kernel:0", (3, 5, 6)),
        (f"{model}/wav2vec2/encoder/layers.0/attention/k_proj/kernel:0", (12, 13)),
        (f"{model}/wav2vec2/encoder/layer_norm/gamma:0", (12,)),
        (f"{model}/wav2vec2/encoder/layer_norm/beta:0", (12,)),
        (f"{model}/wav2vec2/encoder/pos_conv_embed/conv/weight_v:0", (12, 6, 16)),
        (f"{model}/wav2vec2/encoder/pos_conv_embed/conv/weight_g:0", (16, 1, 1)),
        (f"{model}/lm_head/bias:0", (11,)),
    )
    assert found == {
        "wav2vec2.feature_extractor.conv_layers.1.conv.weight": (6, 5, 3),
        "wav2vec2.encoder.layers.0.attention.k_proj.weight": (13, 12),
        "wav2vec2.encoder.layer_norm.weight": (12,),
        "wav2vec2.encoder.layer_norm.bias": (12,),
        "wav2vec2.encoder.pos_conv_embed.conv.weight_v": (12, 6, 16),
        "wav2vec2.encoder.pos_conv_embed.conv.weight_g": (1, 1, 16),
        "lm_head.bias": (11,),
    }


def test_names_without_the_model_as_in_shards():
    found = names(("wav2vec2/masked_spec_embed:0", (4,)), ("lm_head/kernel:0", (4, 3)))
    assert found == {"wav2vec2.masked_spec_embed": (4,), "lm_head.weight": (3, 4)}


@pytest.mark.parametrize("model", ["wav2vec2-ctc/", ""])
def test_port_names_and_layouts(model):
    found = names(
        (f"{model}wav2vec2/feature_extractor/conv_layers/0/conv/kernel:0", (10, 1, 4)),
        (f"{model}wav2vec2/encoder/layers/1/feed_forward/output_dense/kernel:0", (20, 12)),
        (f"{model}wav2vec2/encoder/pos_conv_embed/conv/weight_v:0", (16, 6, 12)),
        (f"{model}wav2vec2/encoder/pos_conv_embed/conv/weight_g:0", (16, 1, 1)),
    )
    assert found == {
        "wav2vec2.feature_extractor.conv_layers.0.conv.weight": (4, 1, 10),
        "wav2vec2.encoder.layers.1.feed_forward.output_dense.weight": (12, 20),
        "wav2vec2.encoder.pos_conv_embed.conv.weight_v": (12, 6, 16),
        "wav2vec2.encoder.pos_conv_embed.conv.weight_g": (1, 1, 16),
    }


def test_a_weight_of_an_unexpected_number_of_axes_keeps_its_layout():
    tensors = (("mine/lm_head/kernel:0", (3,)), ("mine/wav2vec2/conv/weight_g:0", (2,)))
    assert names(*tensors) == {"lm_head.weight": (3,), "wav2vec2.conv.weight_g": (2,)}


def test_the_config_of_the_port():
    config = hugging_face_config("here", {"dropout": 0.2, "survival_prob": 0.9, "is_gelu_approx": True, "pad_id": 3})
    base = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "final_dropout"), 0.2)
    expected = Wav2Vec2Config.base(
        **base, feat_proj_dropout=0.2, layerdrop=0.1, hidden_act="gelu_new", feat_extract_activation="gelu_new",
        pad_token_id=3,
    )  # fmt: skip
    assert Wav2Vec2Config.from_dict(config).to_dict() == expected.to_dict()


def test_the_robust_config_of_the_port():
    robust = dict(
        attention_norm_type="prenorm", feature_extractor_norm_type="layer", is_robust=True, conv_bias=True,
        hidden_size=1024, intermediate_size=4096, num_heads=16, num_layers=24,
    )  # fmt: skip
    found = Wav2Vec2Config.from_dict(hugging_face_config("here", robust))
    changes = dict(feat_proj_dropout=0.1, layerdrop=0.0, codevector_dim=256, proj_codevector_dim=256)
    assert found.to_dict() == Wav2Vec2Config.large_lv60(**changes).to_dict()


def test_every_key_of_the_port_is_understood():
    config = json.loads((GOLDEN / "port_robust" / "config.json").read_text("utf-8"))
    assert len(config) == 22
    assert is_port_config(config)
    assert Wav2Vec2Config.from_dict(hugging_face_config("here", config)).num_hidden_layers == 2


def test_an_unknown_key_of_the_port_is_refused():
    with pytest.raises(DialectError, match="here: config.json is the earlier TF port's, which has no num_label, type."):
        hugging_face_config("here", {"num_layers": 2, "type": 1, "num_label": 3})


@pytest.mark.parametrize("key", ["attention_norm_type", "feature_extractor_norm_type"])
def test_an_unknown_norm_of_the_port_is_refused(key):
    with pytest.raises(DialectError, match=f"config.json has {key}='batch'; the port knows "):
        hugging_face_config("here", {"num_layers": 2, key: "batch"})


def test_weights_of_the_port_with_a_hugging_face_config_are_taken():
    config = {"model_type": "wav2vec2", "num_hidden_layers": 1}
    found = names(("wav2vec2-ctc/wav2vec2/feature_extractor/conv_layers/0/conv/bias:0", (4,)), config=config)
    assert list(found) == ["wav2vec2.feature_extractor.conv_layers.0.conv.bias"]
