"""tf_model.h5 of transformers 4.x: TFWav2Vec2ForCTC, TFHubertForCTC and the bodies alone.

Its names are those of PyTorch with the words of Keras, and its matrices and kernels lie the other way round.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.dialects.keras_names import translated
from convert.tensors import Checkpoint, Tensor

ROOTS = ("wav2vec2/", "hubert/", "lm_head/")


def recognises(tensors: Sequence[Tensor], config: Mapping[str, Any] | None) -> bool:
    """Tells whether Keras 2 named these tensors."""
    return bool(tensors) and all(tensor.name.endswith(":0") for tensor in tensors)


def translate(
    source: str, files: Sequence[Path], tensors: Sequence[Tensor], config: Mapping[str, Any] | None
) -> Checkpoint:
    """Translates a tf_model.h5, whole or in shards; config.json is of the Hugging Face form already.

    Args:
        source, files, tensors, config: As for `dialects.translate`.
    """
    return Checkpoint(source, "transformers-tf", tuple(_translated(tensor) for tensor in tensors), config)


def _translated(tensor: Tensor) -> Tensor:
    path = tensor.name.removesuffix(":0")
    inner = path if path.startswith(ROOTS) else path.partition("/")[2] or path  # less the name of the Keras model
    # a filter over time: Keras calls it weight_v and keeps it as PyTorch does, only its norms are turned
    turned = {"weight_g": (2, 1, 0)}
    return translated(tensor, inner, turned)
