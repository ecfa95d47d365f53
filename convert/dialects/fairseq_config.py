"""The options of a fairseq model as a config.json.

Options that change what the model computes and have no counterpart are refused by name; options of training that have
none are passed over. Where a checkpoint leaves an option out, fairseq's default holds.
"""

from collections.abc import Mapping
from typing import Any

from convert.dialects.convolutions import parse_convolutions
from convert.dialects.errors import DialectError
from convert.dialects.fairseq_options import Settings, shown

CONVS = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] + [(512, 2, 2)]"

# config.json                      option of the body          its default
ARCHITECTURE = (
    ("hidden_size",                   "encoder_embed_dim",        768),
    ("num_hidden_layers",             "encoder_layers",           12),
    ("num_attention_heads",           "encoder_attention_heads",  12),
    ("intermediate_size",             "encoder_ffn_embed_dim",    3072),
    ("conv_bias",                     "conv_bias",                False),
    ("do_stable_layer_norm",          "layer_norm_first",         False),
    ("num_conv_pos_embeddings",       "conv_pos",                 128),
    ("num_conv_pos_embedding_groups", "conv_pos_groups",          16),
)  # fmt: skip

# config.json                   pretrained: option, default      fine-tuned: option, default
CHANCE = (
    ("hidden_dropout",          "dropout",             0.1,      "dropout",             0.0),
    ("attention_dropout",       "attention_dropout",   0.1,      "attention_dropout",   0.0),
    ("activation_dropout",      "activation_dropout",  0.0,      "activation_dropout",  0.0),
    ("feat_proj_dropout",       "dropout_input",       0.0,      "dropout_input",       0.0),
    ("final_dropout",           "final_dropout",       0.0,      "final_dropout",       0.0),
    ("layerdrop",               "encoder_layerdrop",   0.0,      "layerdrop",           0.0),
    ("apply_spec_augment",      "apply_mask",          True,     "apply_mask",          False),
    ("mask_time_prob",          "mask_prob",           0.65,     "mask_prob",           0.5),
    ("mask_time_length",        "mask_length",         10,       "mask_length",         10),
    ("mask_feature_prob",       "mask_channel_prob",   0.0,      "mask_channel_prob",   0.0),
    ("mask_feature_length",     "mask_channel_length", 10,       "mask_channel_length", 10),
)  # fmt: skip

# config.json                   option of the body      its default        (wav2vec 2.0 only)
CONTRAST = (
    ("feat_quantizer_dropout",        "dropout_features", 0.0),
    ("num_codevectors_per_group",     "latent_vars",      320),
    ("num_codevector_groups",         "latent_groups",    2),
    ("contrastive_logits_temperature", "logit_temp",      0.1),
    ("num_negatives",                 "num_negatives",    100),
)  # fmt: skip

# option of fairseq      its value -> the value in config.json; another value cannot be computed here
CHOICES = {
    "extractor_mode":    {"default": "group", "layer_norm": "layer"},
    "activation_fn":     {"gelu": "gelu", "relu": "relu", "gelu_accurate": "gelu_new", "gelu_fast": "gelu_new"},
}  # fmt: skip

# option                 the only value that is supported; what another one does
REFUSED = (
    ("layer_type",           "transformer", "other blocks"),
    ("quantize_input",       False,         "a quantizer before the encoder"),
    ("pos_conv_depth",       1,             "a stack of positional convolutions"),
    ("conv_pos_batch_norm",  False,         "batch normalisation before the positional convolution"),
    ("crop_seq_to_multiple", 1,             "frames cut off at the end"),
    ("blank_weight",         0,             "a bonus on the blank"),
)  # fmt: skip

# classes in config.json: fine-tuned, pretrained
CLASSES = {"wav2vec2": ("Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining"), "hubert": ("HubertForCTC", "HubertModel")}

# option of training   the only way it is done here
STATIC = (("mask_selection", "static"), ("mask_channel_selection", "static"), ("no_mask_overlap", False),
          ("no_mask_channel_overlap", False), ("mask_channel_before", False), ("mask_dropout", 0))  # fmt: skip


def hugging_face_config(
    source: str, settings: Settings, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Gives the config.json of a fairseq checkpoint, and notes on what of its training has no counterpart.

    Args:
        source: What messages call the checkpoint.
        settings: What it tells of its model.
        shapes: Of its tensors, by their names in fairseq.
    Returns:
        The content of a config.json, and notes.
    Raises:
        DialectError: An option changes the arithmetic and has no counterpart, or is of the wrong type.
    """
    body, tuned = settings.body, settings.tuned
    for options in (body, tuned or {}):
        _refuse(source, options)
    options = _Options(source, body)
    config = _architecture(source, options)
    chance, first = _Options(source, body if tuned is None else tuned), 0 if tuned is None else 2
    config |= {key: chance.get(*option[first : first + 2]) for key, *option in CHANCE}
    if settings.family == "wav2vec2":
        config |= {key: options.get(*option) for key, *option in CONTRAST} | _codevectors(options, config)
    head = shapes.get("w2v_encoder.proj.weight")
    if head:
        config |= dict(vocab_size=head[0], pad_token_id=0, bos_token_id=1, eos_token_id=2)
    config |= dict(model_type=settings.family, architectures=[CLASSES[settings.family][0 if head else 1]])
    return config, _notes(chance.values)


class _Options:
    """Options that fall back on fairseq's defaults, and are of the type of these."""

    def __init__(self, source: str, values: Mapping[str, Any]):
        self.source, self.values = source, values

    def get(self, name: str, default: Any) -> Any:
        value = self.values.get(name)
        value = default if value is None else value
        fits = isinstance(value, int | float) if isinstance(default, float) else type(value) is type(default)
        if not fits:
            raise DialectError(
                f"{self.source}: the fairseq option {name} is {shown(value)}, not {_article(default)}. "
                "Fetch or save the checkpoint again."
            )
        return type(default)(value)

    def choice(self, name: str, default: str) -> str:
        value = self.get(name, default)
        if value not in CHOICES[name]:
            raise DialectError(
                f"{self.source}: the fairseq option {name}={shown(value)} is not supported; "
                f"known are {', '.join(CHOICES[name])}."
            )
        return CHOICES[name][value]


def _article(default: Any) -> str:
    return {"int": "a whole number", "float": "a number", "bool": "True or False"}.get(type(default).__name__, "a text")


def _refuse(source: str, options: Mapping[str, Any]) -> None:
    for name, value, why in REFUSED:
        if options.get(name) not in (None, value):
            raise DialectError(
                f"{source}: the fairseq option {name}={shown(options[name])} ({why}) is not supported; "
                f"it must be {value!r}."
            )


def _architecture(source: str, options: _Options) -> dict[str, Any]:
    config = {key: options.get(*option) for key, *option in ARCHITECTURE}
    layers = parse_convolutions(source, options.get("conv_feature_layers", CONVS))
    config |= {key: [layer[i] for layer in layers] for i, key in enumerate(("conv_dim", "conv_kernel", "conv_stride"))}
    if config["conv_dim"][-1] == config["hidden_size"]:
        raise DialectError(
            f"{source}: encoder_embed_dim is the last size of conv_feature_layers, {config['hidden_size']}: fairseq "
            "then has no projection between the two (post_extract_proj), which is not supported."
        )
    config |= dict(hidden_act=options.choice("activation_fn", "gelu"), feat_extract_activation="gelu")
    return config | dict(feat_extract_norm=options.choice("extractor_mode", "default"), layer_norm_eps=1e-5)


def _codevectors(options: _Options, config: Mapping[str, Any]) -> dict[str, int]:
    final, latent = options.get("final_dim", 0), options.get("latent_dim", 0)
    final = final if final > 0 else config["hidden_size"]
    return dict(codevector_dim=latent if latent > 0 else final, proj_codevector_dim=final)


def _notes(options: Mapping[str, Any]) -> tuple[str, ...]:
    differing = [(name, usual) for name, usual in STATIC if options.get(name) not in (None, usual)]
    return tuple(
        f"Trained with {name}={shown(options[name])} in fairseq; training here goes on with {usual!r}."
        for name, usual in differing
    )
