"""One table: the tensor names of Hugging Face checkpoints, our weight paths, and the change of layout between them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# change      Hugging Face -> ours                 ours -> Hugging Face
CHANGES = {
    "same":    (lambda x: x,                       lambda x: x),
    "matrix":  (lambda x: x.T,                     lambda x: x.T),                      # (out, in) <-> (in, out)
    "conv":    (lambda x: x.transpose(2, 1, 0),    lambda x: x.transpose(2, 1, 0)),     # (out, in, k) <-> (k, in, out)
}  # fmt: skip

# kind        leaf there   leaf here   change
LEAVES = {
    "dense": (("weight",   "kernel",   "matrix"), ("bias", "bias", "same")),
    "norm":  (("weight",   "gamma",    "same"),   ("bias", "beta", "same")),
}  # fmt: skip

CONV, POS, BLOCK = "feature_extractor.conv_layers.{i}.", "encoder.pos_conv_embed.conv.", "encoder.layers.{i}."
OUR_CONV, OUR_POS, OUR_BLOCK = "feature_extractor/conv_layers_{i}/", "encoder/pos_conv_embed/", "encoder/layers_{i}/"

# Hugging Face name                           our path                                      kind or change
TABLE = (
    ("masked_spec_embed",                     "masked_spec_embed",                          "same"),
    (CONV + "conv.weight",                    OUR_CONV + "kernel",                          "conv"),
    (CONV + "conv.bias",                      OUR_CONV + "bias",                            "same"),
    (CONV + "layer_norm",                     OUR_CONV + "layer_norm",                      "norm"),
    ("feature_projection.layer_norm",         "feature_projection/layer_norm",              "norm"),
    ("feature_projection.projection",         "feature_projection/projection",              "dense"),
    (POS + "parametrizations.weight.original0", OUR_POS + "weight_g",                       "same"),
    (POS + "parametrizations.weight.original1", OUR_POS + "weight_v",                       "conv"),
    (POS + "bias",                            OUR_POS + "bias",                             "same"),
    ("encoder.layer_norm",                    "encoder/layer_norm",                         "norm"),
    (BLOCK + "attention.q_proj",              OUR_BLOCK + "attention/q_proj",               "dense"),
    (BLOCK + "attention.k_proj",              OUR_BLOCK + "attention/k_proj",               "dense"),
    (BLOCK + "attention.v_proj",              OUR_BLOCK + "attention/v_proj",               "dense"),
    (BLOCK + "attention.out_proj",            OUR_BLOCK + "attention/out_proj",             "dense"),
    (BLOCK + "layer_norm",                    OUR_BLOCK + "layer_norm",                     "norm"),
    (BLOCK + "feed_forward.intermediate_dense", OUR_BLOCK + "feed_forward/intermediate_dense", "dense"),
    (BLOCK + "feed_forward.output_dense",     OUR_BLOCK + "feed_forward/output_dense",      "dense"),
    (BLOCK + "final_layer_norm",              OUR_BLOCK + "final_layer_norm",               "norm"),
    (BLOCK + "adapter_layer.norm",            OUR_BLOCK + "adapter_layer/norm",             "norm"),
    (BLOCK + "adapter_layer.linear_1",        OUR_BLOCK + "adapter_layer/linear_1",         "dense"),
    (BLOCK + "adapter_layer.linear_2",        OUR_BLOCK + "adapter_layer/linear_2",         "dense"),
)  # fmt: skip

# older name of the same tensor (weight norm before torch 2)
ALIASES = {
    "wav2vec2." + POS + "weight_g": "wav2vec2." + POS + "parametrizations.weight.original0",
    "wav2vec2." + POS + "weight_v": "wav2vec2." + POS + "parametrizations.weight.original1",
}  # fmt: skip


@dataclass(frozen=True)
class Name:
    """Where a tensor lies there and here, and how its layout changes."""

    theirs: str
    ours: str
    change: str

    def to_ours(self, tensor: np.ndarray) -> np.ndarray:
        """Changes a Hugging Face tensor into our layout."""
        return CHANGES[self.change][0](tensor)

    def to_theirs(self, tensor: np.ndarray) -> np.ndarray:
        """Changes one of our weights into the Hugging Face layout, contiguous."""
        return np.ascontiguousarray(CHANGES[self.change][1](tensor))


def _rows(layers: int, convs: int):
    yield from _leaves("lm_head", "lm_head", "dense")
    for theirs, ours, kind in TABLE:
        count = convs if "conv_layers" in theirs else layers if "{i}" in theirs else 1
        for i in range(count):
            yield from _leaves("wav2vec2." + theirs.format(i=i), "wav2vec2/" + ours.format(i=i), kind)


def _leaves(theirs: str, ours: str, kind: str):
    if kind in CHANGES:
        yield Name(theirs, ours, kind)
    for leaf, our_leaf, change in LEAVES.get(kind, ()):
        yield Name(f"{theirs}.{leaf}", f"{ours}/{our_leaf}", change)


def names_by_path(layers: int, convs: int) -> Mapping[str, Name]:
    """Lists every name that a model of this many layers can have, by our path.

    >>> names_by_path(1, 7)["wav2vec2/encoder/layers_0/attention/q_proj/kernel"].theirs
    'wav2vec2.encoder.layers.0.attention.q_proj.weight'

    Args:
        layers: Transformer blocks.
        convs: Convolutions of the feature encoder.
    Returns:
        Our path -> Name.
    """
    return {name.ours: name for name in _rows(layers, convs)}
