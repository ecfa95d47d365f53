"""One table: the tensor names of Hugging Face checkpoints, our weight paths, and the change of layout between them.

Which tensors are left out, and why, is here too; filling weights and telling what was found is left to `assign`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.families import FAMILIES, family

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
    "batch_norm": (
        ("weight",       "gamma",           "same"), ("bias",        "beta",            "same"),
        ("running_mean", "moving_mean",     "same"), ("running_var", "moving_variance", "same"),
    ),
}  # fmt: skip

CONV, BLOCK = "feature_extractor.conv_layers.{conv}.", "encoder.layers.{block}."
OUR_CONV, OUR_BLOCK = "feature_extractor/conv_layers_{conv}/", "encoder/layers_{block}/"
POS, POS_LAYER = "encoder.pos_conv_embed.", "encoder.pos_conv_embed.layers.{position}."
OUR_POS, OUR_POS_LAYER = "encoder/pos_conv_embed/", "encoder/pos_conv_embed/layers_{position}/"
ATTENTION, OUR_ATTENTION = BLOCK + "attention.", OUR_BLOCK + "attention/"

# Hugging Face name, below the prefix         our path, below "wav2vec2/"                   kind or change
TABLE = (
    ("masked_spec_embed",                     "masked_spec_embed",                          "same"),
    (CONV + "conv.weight",                    OUR_CONV + "kernel",                          "conv"),
    (CONV + "conv.bias",                      OUR_CONV + "bias",                            "same"),
    (CONV + "layer_norm",                     OUR_CONV + "layer_norm",                      "norm"),
    ("feature_projection.layer_norm",         "feature_projection/layer_norm",              "norm"),
    ("feature_projection.projection",         "feature_projection/projection",              "dense"),
    (POS + "conv.parametrizations.weight.original0", OUR_POS + "weight_g",                  "same"),
    (POS + "conv.parametrizations.weight.original1", OUR_POS + "weight_v",                  "conv"),
    (POS + "conv.weight",                     OUR_POS + "kernel",                           "conv"),        # HuBERT
    (POS + "conv.bias",                       OUR_POS + "bias",                             "same"),
    (POS + "batch_norm",                      OUR_POS + "batch_norm",                       "batch_norm"),  # HuBERT
    (POS_LAYER + "conv.weight",               OUR_POS_LAYER + "kernel",                     "conv"),        # data2vec
    (POS_LAYER + "conv.bias",                 OUR_POS_LAYER + "bias",                       "same"),        # data2vec
    ("encoder.layer_norm",                    "encoder/layer_norm",                         "norm"),
    ("encoder.layers.0.attention.rel_attn_embed.weight", "encoder/relative_position/rel_attn_embed", "same"),  # WavLM
    (ATTENTION + "gru_rel_pos_const",         OUR_ATTENTION + "gate/const",                 "same"),        # WavLM
    (ATTENTION + "gru_rel_pos_linear",        OUR_ATTENTION + "gate/linear",                "dense"),       # WavLM
    (ATTENTION + "q_proj",                    OUR_ATTENTION + "q_proj",                     "dense"),
    (ATTENTION + "k_proj",                    OUR_ATTENTION + "k_proj",                     "dense"),
    (ATTENTION + "v_proj",                    OUR_ATTENTION + "v_proj",                     "dense"),
    (ATTENTION + "out_proj",                  OUR_ATTENTION + "out_proj",                   "dense"),
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
    f"{kind.prefix}.{POS}conv.{old}": f"{kind.prefix}.{POS}conv.parametrizations.weight.{new}"
    for kind in FAMILIES.values()
    for old, new in (("weight_g", "original0"), ("weight_v", "original1"))
}

# what public checkpoints hold and CTC does not use           why it is left out
IGNORED = (
    (r"quantizer\..+",                                          "quantizer of pretraining"),
    (r"project_(q|hid)\..+",                                    "projection of pretraining"),
    (r"(\w+\.)?(label_embs_concat|final_proj\..+)",             "cluster labels of HuBERT or WavLM pretraining"),
    (r"(\w+\.)?(_ema|_?ema(_model)?\..+|regression_head\..+)",  "teacher or head of data2vec pretraining"),
    (r"(\w+\.)?target_glu\..+",                                "gate of fairseq's pretraining"),
    (r"(projector|classifier)\..+|layer_weights",               "head of a classifier"),
    (r"(tdnn|objective)\..+|feature_extractor\.(weight|bias)",  "head of a speaker model"),
    (r".+\.num_batches_tracked",                                "counter of batch normalisation"),
)  # fmt: skip

# where the names of a body saved without its head start
BODY = ("feature_extractor.conv_layers.", "feature_projection.", "encoder.", "masked_spec_embed")


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


def _rows(config: Wav2Vec2Config):
    yield from _leaves("lm_head", "lm_head", "dense")
    prefix = family(config.model_type).prefix
    stacked = config.num_conv_pos_embeddings if config.model_type == "data2vec-audio" else 0
    counts = {"{conv}": len(config.conv_dim), "{block}": config.num_hidden_layers, "{position}": stacked}
    for theirs, ours, kind in TABLE:
        place = next((place for place in counts if place in theirs), None)
        for i in range(counts[place] if place else 1):
            numbered = (name.format(conv=i, block=i, position=i) for name in (f"{prefix}.{theirs}", f"wav2vec2/{ours}"))
            yield from _leaves(*numbered, kind)


def _leaves(theirs: str, ours: str, kind: str):
    if kind in CHANGES:
        yield Name(theirs, ours, kind)
    for leaf, our_leaf, change in LEAVES.get(kind, ()):
        yield Name(f"{theirs}.{leaf}", f"{ours}/{our_leaf}", change)


def names_by_path(config: Wav2Vec2Config) -> Mapping[str, Name]:
    """Lists every name that a model of this kind and depth can have, by our path.

    >>> names = names_by_path(Wav2Vec2Config.of("hubert", num_hidden_layers=1))
    >>> names["wav2vec2/encoder/layers_0/attention/q_proj/kernel"].theirs
    'hubert.encoder.layers.0.attention.q_proj.weight'

    Args:
        config: Its `model_type` and numbers of layers count; our paths start with "wav2vec2/" for every kind.
    Returns:
        Our path -> Name.
    """
    return {name.ours: name for name in _rows(config)}


def canonical(name: str, model_type: str = "wav2vec2") -> str:
    """Gives the name a tensor has in a CTC checkpoint of today, whatever the body alone or an older torch calls it.

    >>> canonical("encoder.pos_conv_embed.conv.weight_g", "wavlm")
    'wavlm.encoder.pos_conv_embed.conv.parametrizations.weight.original0'

    Args:
        name: As in the file.
        model_type: Kind of model that the file is of.
    Returns:
        The name as in `names_by_path`, if it is there at all; other names come back unchanged.
    """
    whole = f"{family(model_type).prefix}.{name}" if name.startswith(BODY) else name
    return ALIASES.get(whole, whole)


def why_ignored(name: str) -> str | None:
    """Tells why CTC leaves a tensor of a public checkpoint out.

    >>> why_ignored("quantizer.codevectors"), why_ignored("lm_head.weight")
    ('quantizer of pretraining', None)

    Args:
        name: As in the file.
    Returns:
        The reason; None where no rule covers the tensor.
    """
    return next((reason for pattern, reason in IGNORED if re.fullmatch(pattern, name)), None)
