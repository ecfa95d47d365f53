"""The kinds of model this package reads, told apart by `model_type` in `config.json`, as differences to wav2vec 2.0.

Which fields a kind has, which of its defaults differ, and how its tensors and its CTC class are called elsewhere. The
fields themselves are in `config`, published sizes in `presets`, the differing layers in `layers`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Fields of the quantizer that only pretraining uses.
QUANTIZER = set(
    """num_codevectors_per_group num_codevector_groups contrastive_logits_temperature num_negatives codevector_dim
    proj_codevector_dim diversity_loss_weight""".split()
)
#: Fields of the stacked convolutions that `add_adapter` switches on.
ADAPTER = set("add_adapter adapter_kernel_size adapter_stride num_adapter_layers output_hidden_size".split())
HUBERT, DATA2VEC, WAVLM = (
    {"feat_proj_layer_norm", "conv_pos_batch_norm"},
    {"conv_pos_kernel_size"},
    {"num_buckets", "max_bucket_distance"},
)


@dataclass(frozen=True)
class Family:
    """What one `model_type` has of its own.

    Args:
        prefix: First part of the names of the body's tensors.
        ctc_class: Name of the model in `architectures`.
        absent: Fields of `Wav2Vec2Config` that such a model neither has nor obeys.
        tacit: Fields that it obeys where they are given, and that its `config.json` otherwise leaves out.
        defaults: Fields whose default is another than wav2vec 2.0's.
    """

    prefix: str
    ctc_class: str
    absent: frozenset[str]
    tacit: frozenset[str] = frozenset()
    defaults: Mapping = field(default_factory=dict)


FAMILIES = {
    "wav2vec2": Family(
        prefix="wav2vec2",
        ctc_class="Wav2Vec2ForCTC",
        absent=frozenset(HUBERT | DATA2VEC | WAVLM),
    ),
    "hubert": Family(
        prefix="hubert",
        ctc_class="HubertForCTC",
        absent=frozenset(DATA2VEC | WAVLM | QUANTIZER | ADAPTER | {"feat_quantizer_dropout"}),
        tacit=frozenset({"adapter_attn_dim"}),
    ),
    "data2vec-audio": Family(
        prefix="data2vec_audio",
        ctc_class="Data2VecAudioForCTC",
        absent=frozenset(
            {"feat_extract_norm", "do_stable_layer_norm", "feat_quantizer_dropout", "adapter_attn_dim"}
            | HUBERT | WAVLM | QUANTIZER
        ),
        tacit=frozenset({"apply_spec_augment"}),
        defaults=dict(feat_extract_norm="layer", num_conv_pos_embeddings=5),
    ),
    "wavlm": Family(
        prefix="wavlm",
        ctc_class="WavLMForCTC",
        absent=frozenset(HUBERT | DATA2VEC | {"feat_quantizer_dropout", "adapter_attn_dim"}),
        tacit=frozenset({"mask_feature_min_masks"}),
        defaults=dict(ctc_loss_reduction="mean"),
    ),
}  # fmt: skip


def family(model_type: str) -> Family:
    """Looks up a kind of model.

    >>> family("hubert").prefix
    'hubert'

    Args:
        model_type: As in `config.json`.
    Returns:
        Its differences.
    Raises:
        ValueError: Models of this kind are not supported.
    """
    if model_type not in FAMILIES:
        raise ValueError(
            f"model_type {model_type!r} is not supported; this package reads {', '.join(FAMILIES)}. "
            f"Give a checkpoint of one of these."
        )
    return FAMILIES[model_type]
