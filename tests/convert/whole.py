"""Whole checkpoints in memory, for tests that take something away or add something."""

import numpy as np

from convert.names import names_by_path
from convert.tensors import Checkpoint, Tensor
from wav2vec2_tf.config import Wav2Vec2Config


def tensor(name: str, array: np.ndarray, file: str = "FILE") -> Tensor:
    return Tensor(name, array.shape, array.dtype, lambda: array, file)


def checkpoint(arrays: dict, **config) -> Checkpoint:
    """Gives a checkpoint of named arrays."""
    return Checkpoint("HERE", "safetensors", tuple(tensor(name, array) for name, array in arrays.items()), config)


def shapes_of(config: Wav2Vec2Config) -> dict:
    """Gives the weights that the audit's tests compare with: the head, one convolution, one matrix, the mask vector."""
    names = names_by_path(config)
    width, prefix = config.hidden_size, "wav2vec2/"
    shapes = {
        "lm_head/kernel": (width, config.vocab_size),
        "lm_head/bias": (config.vocab_size,),
        prefix + "masked_spec_embed": (width,),
        prefix + "feature_extractor/conv_layers_0/kernel": (10, 1, 6),
        prefix + "encoder/pos_conv_embed/weight_g": (1, 1, 4),
        prefix + "encoder/layers_0/feed_forward/output_dense/kernel": (config.intermediate_size, width),
    }
    return {names[path]: shape for path, shape in shapes.items()}


def arrays_of(shapes: dict) -> dict:
    """Gives arrays that fit such weights, by their Hugging Face names."""
    return {name.theirs: name.to_theirs(np.zeros(shape, np.float32)) for name, shape in shapes.items()}
