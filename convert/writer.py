"""The one form in which weights are written: safetensors, as PyTorch's transformers write and read it."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np


def write_safetensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], arrays: Mapping[str, Callable[[], np.ndarray]]
) -> None:
    """Writes float32 tensors, holding one at a time; the same tensors give the same bytes.

    Args:
        path: A new file.
        shapes: Name -> shape.
        arrays: Name -> function that gives the array of that shape.
    Raises:
        OSError: The file cannot be written.
    Source: the safetensors format: length of the header, header, tensors by name without gaps.
    """
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(shapes):
        start, end = end, end + 4 * int(np.prod(shapes[name]))
        header[name] = {"dtype": "F32", "shape": list(shapes[name]), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(shapes):
            array = arrays[name]()
            if array.shape != tuple(shapes[name]):
                raise ValueError(f"{name}: the array is {array.shape}, announced was {shapes[name]}.")
            file.write(np.ascontiguousarray(array, "<f4").data)
