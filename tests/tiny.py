"""Tiny architectures for tests: three convolutions (58 samples for the first frame, 64 for each next), two blocks."""

import numpy as np

from wav2vec2_tf.config import Wav2Vec2Config

SIZES = dict(
    vocab_size=9, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
    conv_dim=(6, 7, 8), conv_kernel=(10, 3, 2), conv_stride=(8, 4, 2),
    num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, mask_time_length=2, mask_feature_length=3,
)  # fmt: skip
ARCHITECTURES = {
    "group_norm": dict(),
    "layer_norm": dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True),
}
KINDS = ARCHITECTURES | {
    "hubert": dict(model_type="hubert", conv_pos_batch_norm=True, feat_proj_layer_norm=False),
    "data2vec": dict(model_type="data2vec-audio", num_conv_pos_embeddings=2, conv_pos_kernel_size=3),
    "wavlm": dict(model_type="wavlm", num_buckets=12, max_bucket_distance=8),
}
NO_CHANCE = dict.fromkeys(
    ("hidden_dropout", "activation_dropout", "attention_dropout", "final_dropout", "layerdrop", "mask_time_prob"), 0.0
)
SAMPLES = 64 * 20


def tiny(architecture: str = "group_norm", **changes) -> Wav2Vec2Config:
    """Gives a tiny config of one of KINDS."""
    fields = SIZES | KINDS[architecture] | changes
    return Wav2Vec2Config.of(fields.pop("model_type", "wav2vec2"), **fields)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Gives float32 noise of unit variance."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def perturb(model, seed: int = 0):
    """Gives every weight a random value, since zeros and ones hide mistakes; the same for the same seed."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        drawn = rng.standard_normal(weight.shape)
        if weight.name in ("gamma", "weight_g", "moving_variance"):
            weight.assign(1 + 0.3 * np.tanh(drawn))
        else:
            weight.assign(drawn * (np.prod(weight.shape[:-1]) ** -0.5 if len(weight.shape) > 1 else 0.2))
    return model
