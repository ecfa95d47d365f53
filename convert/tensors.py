"""What every reader hands on: tensors that are named and measured, and read only when asked for.

Files are opened by `readers`, foreign names and configs translated by `dialects`, weights filled by `assign`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tensor:
    """One tensor of a checkpoint, not yet read.

    >>> tensor = Tensor("lm_head.weight", (2, 3), np.dtype("f4"), lambda: np.ones((2, 3), "f4"), "a.bin")
    >>> turned = tensor.renamed("head").transposed((1, 0))
    >>> turned.name, turned.shape, turned.read().shape
    ('head', (3, 2), (3, 2))

    Args:
        name: As in the file, or as translated.
        shape: Axes as `read` gives them.
        dtype: Stored type; bfloat16 is that of `ml_dtypes`.
        read: Gives the array; a view of the mapped file where the format allows, released with the last reference.
        file: Where it lies, for messages.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]
    file: str

    def renamed(self, name: str) -> "Tensor":
        """Gives the same tensor under another name."""
        return replace(self, name=name)

    def transposed(self, axes: tuple[int, ...]) -> "Tensor":
        """Gives the tensor with its axes in another order; reading it still copies nothing."""
        read, shape = self.read, tuple(self.shape[axis] for axis in axes)
        return replace(self, shape=shape, read=lambda: read().transpose(axes))


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in the Hugging Face names, whatever it was written by.

    Args:
        source: What messages call it.
        format: How it was written: "safetensors", "pytorch", "fairseq", "transformers-tf", "port".
        tensors: Every tensor, in the order of the file; a name that occurs twice occurs twice here.
        config: Content of a Hugging Face config.json; None where only the tensors are known.
        vocabulary: Token -> id, where the checkpoint holds it (fairseq).
        normalize: Whether audio is brought to unit variance, where the checkpoint says it (fairseq).
    """

    source: str
    format: str
    tensors: tuple[Tensor, ...]
    config: Mapping[str, Any] | None = None
    vocabulary: Mapping[str, int] | None = None
    normalize: bool | None = None
    notes: tuple[str, ...] = field(default=())
