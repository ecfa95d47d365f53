"""The architecture as data: `Wav2Vec2Config`, its presets, and its file.

Field names, defaults and meanings are those of the Hugging Face `config.json`, so that a file written there is read
here and the other way round. What HuBERT, data2vec and WavLM have of their own is in `families`, published sizes are in
`presets`. Training choices (rates, batch sizes) belong to `train.config`.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wav2vec2_tf.families import family
from wav2vec2_tf.lengths import Conv
from wav2vec2_tf.presets import Presets

# key in older files         -> field (None: understood and without effect here)
LEGACY_KEYS = {
    "hidden_dropout_prob":       "hidden_dropout",
    "feat_extract_dropout":      None,
    "gradient_checkpointing":    None,
    "freeze_feat_extract_train": None,
}  # fmt: skip


# sizes that divide, or that something is divided by
POSITIVE = ("hidden_size", "num_attention_heads", "num_conv_pos_embeddings", "num_conv_pos_embedding_groups")
POSITIVE += ("conv_pos_kernel_size", "conv_dim", "conv_kernel", "conv_stride")
POSITIVE += ("mask_time_length", "mask_feature_length")
LISTS = ("conv_dim", "conv_stride", "conv_kernel")
NULLABLE = ("bos_token_id", "eos_token_id")  # null in some files, and without effect on CTC


@dataclass(frozen=True)
class Wav2Vec2Config(Presets):
    """Describes one architecture: wav2vec 2.0, or with another `model_type` HuBERT, data2vec-audio or WavLM.

    >>> Wav2Vec2Config.base().hidden_size, Wav2Vec2Config.large_lv60(vocab_size=40).feat_extract_norm
    (768, 'layer')

    Args:
        The fields of `config.json`; sizes in units, probabilities in [0, 1], kernels and strides in steps of the
        layer's input. `extra` keeps keys unknown to the `model_type`, which are written back unchanged.
    Raises:
        ValueError: A value breaks a rule; the message names field, value and rule.
    Source: wav2vec 2.0 (arXiv:2006.11477), HuBERT (2106.07447), data2vec (2202.03555), WavLM (2110.13900); defaults as
        in transformers' `Wav2Vec2Config`.
    """

    model_type: str = "wav2vec2"
    vocab_size: int = 32
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout: float = 0.1
    activation_dropout: float = 0.1
    attention_dropout: float = 0.1
    feat_proj_dropout: float = 0.0
    feat_quantizer_dropout: float = 0.0
    final_dropout: float = 0.1
    layerdrop: float = 0.1
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    conv_dim: tuple[int, ...] = (512,) * 7
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    do_stable_layer_norm: bool = False
    apply_spec_augment: bool = True
    mask_time_prob: float = 0.05
    mask_time_length: int = 10
    mask_time_min_masks: int = 2
    mask_feature_prob: float = 0.0
    mask_feature_length: int = 10
    mask_feature_min_masks: int = 0
    num_codevectors_per_group: int = 320
    num_codevector_groups: int = 2
    contrastive_logits_temperature: float = 0.1
    num_negatives: int = 100
    codevector_dim: int = 256
    proj_codevector_dim: int = 256
    diversity_loss_weight: float = 0.1
    ctc_loss_reduction: str = "sum"
    ctc_zero_infinity: bool = False
    use_weighted_layer_sum: bool = False
    classifier_proj_size: int = 256
    pad_token_id: int = 0
    bos_token_id: int = 1
    eos_token_id: int = 2
    add_adapter: bool = False
    adapter_kernel_size: int = 3
    adapter_stride: int = 2
    num_adapter_layers: int = 3
    output_hidden_size: int | None = None
    adapter_attn_dim: int | None = None
    feat_proj_layer_norm: bool = True  # HuBERT
    conv_pos_batch_norm: bool = False  # HuBERT
    conv_pos_kernel_size: int = 19  # data2vec-audio
    num_buckets: int = 320  # WavLM
    max_bucket_distance: int = 800  # WavLM
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        self._check(self._types())
        for name in LISTS:  # JSON gives lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check(self._rules())

    def _check(self, rules):
        for holds, message in rules:
            if not holds:
                raise ValueError(f"Wav2Vec2Config: {message}. Correct the value in config.json or in the call.")

    def _types(self):
        for name in LISTS:
            values = getattr(self, name)
            fits = isinstance(values, list | tuple) and all(type(value) is int for value in values)
            yield fits, f"{name} is a list of whole numbers, not {values!r}"
        for item in dataclasses.fields(self):
            value, kind = getattr(self, item.name), type(item.default)
            if kind in (int, float, str) and item.name not in NULLABLE:
                fits = isinstance(value, int | float if kind is float else kind)
                yield fits, f"{item.name} is {value!r}, which is no {kind.__name__}"

    def _rules(self):
        convs = len(self.conv_dim), len(self.conv_kernel), len(self.conv_stride)
        heads, groups = self.num_attention_heads, self.num_conv_pos_embedding_groups
        yield len(set(convs)) == 1, f"conv_dim, conv_kernel and conv_stride need one length; they have {convs}"
        yield convs[0] > 0, "conv_dim is empty; the feature encoder needs a convolution"
        for name in POSITIVE:
            values = getattr(self, name)
            positive = min(values) > 0 if isinstance(values, tuple) else values > 0
            yield positive, f"{name} must be positive, not {values}"
        yield self.hidden_size % heads == 0, f"hidden_size {self.hidden_size} is no multiple of {heads} attention heads"
        yield (
            self.hidden_size % groups == 0,
            f"hidden_size {self.hidden_size} is no multiple of num_conv_pos_embedding_groups {groups}",
        )
        yield (
            self.feat_extract_norm in ("group", "layer"),
            f"feat_extract_norm is 'group' or 'layer', not {self.feat_extract_norm!r}",
        )
        for name in ("hidden_act", "feat_extract_activation"):
            value = getattr(self, name)
            yield value in ("gelu", "gelu_new", "relu"), f"{name} is 'gelu', 'gelu_new' or 'relu', not {value!r}"
        yield (
            0 <= self.pad_token_id < self.vocab_size,
            f"pad_token_id {self.pad_token_id} (the CTC blank) lies outside the vocabulary of {self.vocab_size}",
        )
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name.endswith(("_prob", "layerdrop")):
                yield 0 <= value <= 1, f"{item.name} is a probability, not {value}"
            if item.name.endswith("dropout"):
                yield 0 <= value < 1, f"{item.name} is a share in [0, 1), not {value}"
        yield not self.add_adapter, "add_adapter=True (stacked stride-2 convolutions) is not supported"
        yield self.num_buckets >= 4, f"num_buckets must be at least 4, not {self.num_buckets}"
        yield (
            self.max_bucket_distance > self.num_buckets // 4,
            f"max_bucket_distance must exceed num_buckets / 4, not be {self.max_bucket_distance}",
        )
        for name in sorted(family(self.model_type).absent):
            only, value = self._default(name), getattr(self, name)
            yield value == only, f"a {self.model_type} model has no {name}; it is {only!r} here, not {value!r}"

    @property
    def convs(self) -> tuple[Conv, ...]:
        """Kernels and strides of the feature encoder, for `wav2vec2_tf.lengths`."""
        return tuple(Conv(k, s) for k, s in zip(self.conv_kernel, self.conv_stride, strict=True))

    @classmethod
    def of(cls, model_type: str, **changes) -> "Wav2Vec2Config":
        """Builds a config with the defaults of a kind of model, changed as given.

        >>> Wav2Vec2Config.of("data2vec-audio").num_conv_pos_embeddings
        5
        """
        return cls(model_type=model_type, **dict(family(model_type).defaults) | changes)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Wav2Vec2Config":
        """Builds a config from the content of a `config.json`; keys unknown to its `model_type` are kept in `extra`.

        >>> config = Wav2Vec2Config.from_dict({"hidden_dropout_prob": 0.0, "architectures": ["Wav2Vec2ForCTC"]})
        >>> config.hidden_dropout, config.to_dict()["architectures"]
        (0.0, ['Wav2Vec2ForCTC'])
        """
        values = dict(values)
        kind = family(model_type := values.pop("model_type", cls.model_type))
        known = {item.name for item in dataclasses.fields(cls)} - kind.absent - {"extra"}
        fields = {key: value for key, value in values.items() if key in known}
        extra = {key: value for key, value in values.items() if key not in known - kind.tacit}
        for key, name in LEGACY_KEYS.items():
            if key in extra and name and name not in fields:
                fields[name] = extra[key]
        return cls.of(model_type, **fields, extra=extra)

    def to_dict(self) -> dict[str, Any]:
        """Gives the content of `config.json`: every field of the `model_type`, and the keys it was read with."""
        own = [item.name for item in dataclasses.fields(self) if self._is_written(item.name)]
        fields = {name: getattr(self, name) for name in own}
        lists = {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}
        return {"architectures": [family(self.model_type).ctc_class]} | dict(self.extra) | lists

    def _is_written(self, name: str) -> bool:
        if name == "extra" or name in family(self.model_type).absent:
            return False
        tacit = name in family(self.model_type).tacit and getattr(self, name) == self._default(name)
        return name in self.extra or not tacit

    def _default(self, name: str):
        return family(self.model_type).defaults.get(name, getattr(type(self), name))

    @classmethod
    def from_file(cls, path: str | Path) -> "Wav2Vec2Config":
        """Reads a `config.json`.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is not JSON, or a value breaks a rule, or it describes another kind of model.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is not valid JSON ({error}). Fetch or write the file again.") from error
        if not isinstance(values, dict):
            raise ValueError(f"{path} holds no JSON object. Fetch or write the file again.")
        try:
            return cls.from_dict(values)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def to_json(self) -> str:
        """Gives the text of `config.json`: sorted keys, two spaces, the form Hugging Face writes."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
