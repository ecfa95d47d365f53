"""Weights and config.json of the earlier TensorFlow port (package `wav2vec2`, repository gsoc-wav2vec2).

Its models wrote tf_model.h5, its training the checkpoints of TensorFlow, both under the same names: numbered layers as
folders ("layers/0"). It kept both parts of the weight norm turned, and had a config of its own words, without a
model_type.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.dialects.errors import DialectError
from convert.dialects.keras_names import translated
from convert.tensors import Checkpoint, Tensor

MODEL = "wav2vec2-ctc/"
TURNED = {"weight_g": (2, 1, 0), "weight_v": (2, 1, 0)}

# config.json of the port           of Hugging Face                      default of the port
SAME = {
    "vocab_size":                   ("vocab_size",                       32),
    "hidden_size":                  ("hidden_size",                      768),
    "num_heads":                    ("num_attention_heads",              12),
    "num_layers":                   ("num_hidden_layers",                12),
    "intermediate_size":            ("intermediate_size",                3072),
    "layer_norm_eps":               ("layer_norm_eps",                   1e-5),
    "pad_id":                       ("pad_token_id",                     0),
    "num_conv_pos_embeddings":      ("num_conv_pos_embeddings",          128),
    "num_conv_pos_embedding_groups": ("num_conv_pos_embedding_groups",   16),
    "filter_sizes":                 ("conv_dim",                         [512] * 7),
    "kernal_sizes":                 ("conv_kernel",                      [10, 3, 3, 3, 3, 2, 2]),
    "strides":                      ("conv_stride",                      [5, 2, 2, 2, 2, 2, 2]),
    "conv_bias":                    ("conv_bias",                        False),
    "apply_spec_augment":           ("apply_spec_augment",               True),
    "mask_time_prob":               ("mask_time_prob",                   0.05),
    "mask_time_length":             ("mask_time_length",                 10),
}  # fmt: skip
DROPOUTS = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout")
CHOICES = {
    "attention_norm_type":          ("postnorm", {"postnorm": False, "prenorm": True}),
    "feature_extractor_norm_type":  ("group",    {"group": "group", "layer": "layer"}),
}  # fmt: skip
OTHER = {"dropout", "survival_prob", "is_gelu_approx", "is_robust", *CHOICES}


def recognises(tensors: Sequence[Tensor], config: Mapping[str, Any] | None) -> bool:
    """Tells whether the port named these tensors: its layers are numbered by a part of the path of their own."""
    return is_port_config(config) or any("/conv_layers/0/" in tensor.name for tensor in tensors)


def is_port_config(config: Mapping[str, Any] | None) -> bool:
    """Tells whether a config.json is the port's.

    >>> is_port_config({"kernal_sizes": [10, 3]}), is_port_config({"model_type": "wav2vec2", "conv_kernel": [10, 3]})
    (True, False)
    """
    return config is not None and "model_type" not in config and ("kernal_sizes" in config or "num_layers" in config)


def translate(
    source: str, files: Sequence[Path], tensors: Sequence[Tensor], config: Mapping[str, Any] | None
) -> Checkpoint:
    """Translates weights of the port, and its config.json where it is the port's.

    Args:
        source, files, tensors, config: As for `dialects.translate`.
    Raises:
        DialectError: The config has a key or a value that the port does not know.
    """
    found = tuple(translated(tensor, _path(tensor.name), TURNED) for tensor in tensors)
    return Checkpoint(source, "port", found, hugging_face_config(source, config) if is_port_config(config) else config)


def _path(name: str) -> str:
    inner = name.removesuffix(":0")
    return inner.removeprefix(MODEL)


def hugging_face_config(source: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the config.json of Hugging Face for the port's.

    >>> found = hugging_face_config("here", {"num_layers": 24, "survival_prob": 0.9, "attention_norm_type": "prenorm"})
    >>> found["num_hidden_layers"], found["layerdrop"], found["do_stable_layer_norm"]
    (24, 0.1, True)

    Args:
        source: What messages call the checkpoint.
        config: Keys of the port; its defaults stand for those that are absent.
    Raises:
        DialectError: A key or a value that the port does not know.
    """
    unknown = sorted(config.keys() - SAME.keys() - OTHER)
    if unknown:
        raise DialectError(
            f"{source}: config.json is the earlier TF port's, which has no {', '.join(unknown)}. Remove it, or write "
            "the file in the Hugging Face form, with a model_type."
        )
    values = {theirs: config.get(key, default) for key, (theirs, default) in SAME.items()}
    values |= dict.fromkeys(DROPOUTS, config.get("dropout", 0.1))
    values["layerdrop"] = round(1 - config.get("survival_prob", 1.0), 12)
    activation = "gelu_new" if config.get("is_gelu_approx", False) else "gelu"
    values |= dict(hidden_act=activation, feat_extract_activation=activation)
    values["do_stable_layer_norm"] = _choice(source, config, "attention_norm_type")
    values["feat_extract_norm"] = _choice(source, config, "feature_extractor_norm_type")
    return values | dict(model_type="wav2vec2", architectures=["Wav2Vec2ForCTC"])


def _choice(source: str, config: Mapping[str, Any], key: str) -> Any:
    default, known = CHOICES[key]
    value = config.get(key, default)
    if value not in known:
        raise DialectError(f"{source}: config.json has {key}={value!r}; the port knows {' and '.join(known)}.")
    return known[value]
