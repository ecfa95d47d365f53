"""model.safetensors: a JSON header that is believed only as far as the file bears it out, and mapped tensors.

The format: 8 bytes, the length of the header, little-endian; the header, JSON; the data. The header gives each tensor
its dtype, its shape and where it begins and ends in the data: https://huggingface.co/docs/safetensors
"""

import json
import math
from pathlib import Path
from typing import Any

from convert.readers.dtypes import SAFETENSORS
from convert.readers.errors import CheckpointFileError, not_a
from convert.readers.mapped import MAX_AXES, MappedFile
from convert.tensors import Tensor

MAX_HEADER_BYTES = 16 << 20
"""Tensors of 100 000 layers; a longer header is a lie about the file or an attack on the memory."""


def open_safetensors(path: Path) -> tuple[Tensor, ...]:
    """Lists the tensors of one file, without reading them.

    Args:
        path: A .safetensors file.
    Returns:
        Its tensors in the order of their data.
    Raises:
        CheckpointFileError: It is no such file, is truncated, or its header contradicts itself or the file.
    """
    file = MappedFile.of(path)
    header, start = _header(file)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointFileError(f"{path}: `__metadata__` in the header must map text to text. Save the file again.")
    entries = sorted(((_entry(path, name, entry), name) for name, entry in header.items()), key=lambda e: e[0][2:])
    _contiguous(file, start, entries)
    return tuple(_tensor(file, start, name, *entry) for entry, name in entries)


def _header(file: MappedFile) -> tuple[dict[str, Any], int]:
    with file.path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if stream.read(1) != b"{":
            raise not_a("a safetensors file", file.path)
        if length > MAX_HEADER_BYTES:
            raise CheckpointFileError(
                f"{file.path} announces a header of {length} bytes; more than {MAX_HEADER_BYTES} are not read. "
                "It is damaged or no checkpoint: fetch the file again."
            )
        if 8 + length > file.size:
            raise _truncated(file, 8 + length)
        text = b"{" + stream.read(length - 1)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointFileError(f"{file.path}: the header is damaged ({error}). Fetch the file again.") from error
    return header, 8 + length


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"{name!r:.100} occurs twice")
        values[name] = value
    return values


def _entry(path: Path, name: str, entry: Any) -> tuple:
    """Checks the types of one entry of the header: dtype, shape, begin, end."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise CheckpointFileError(f"{path}: {name!r:.100} needs dtype, shape and data_offsets. Save the file again.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in SAFETENSORS:
        raise CheckpointFileError(f"{path}: {name!r:.100} is of type {dtype!r:.40}; known: {', '.join(SAFETENSORS)}.")
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or len(shape) > MAX_AXES:
        raise CheckpointFileError(
            f"{path}: {name!r:.100} has the shape {shape!r:.100} and the offsets {offsets!r:.100}; lists of whole "
            f"numbers belong there, at most {MAX_AXES} axes and two offsets. Save the file again."
        )
    need = math.prod(shape) * SAFETENSORS[dtype].itemsize
    if offsets[1] - offsets[0] != need:
        raise CheckpointFileError(
            f"{path}: {name!r:.100} of shape {shape} and type {dtype} needs {need} bytes, its offsets {offsets} give "
            f"{offsets[1] - offsets[0]}. The header is wrong: fetch or save the file again."
        )
    return SAFETENSORS[dtype], tuple(shape), *offsets


def _counts(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _contiguous(file: MappedFile, start: int, entries: list) -> None:
    """Checks that the tensors follow each other without gap or overlap, up to the end of the file."""
    at = 0
    for (_, _, begin, end), name in entries:
        if begin != at:
            raise CheckpointFileError(
                f"{file.path}: {name!r:.100} begins at byte {begin} of the data, the tensor before it ends at {at}; "
                "tensors must neither overlap nor leave gaps. The header is wrong: fetch or save the file again."
            )
        at = end
    if start + at > file.size:
        raise _truncated(file, start + at)
    if start + at < file.size:
        raise CheckpointFileError(
            f"{file.path} has {file.size - start - at} bytes after its last tensor. Fetch or save the file again."
        )


def _truncated(file: MappedFile, need: int) -> CheckpointFileError:
    return CheckpointFileError(
        f"{file.path} is truncated: it has {file.size} bytes, its header asks for {need}. Fetch the file again."
    )


def _tensor(file: MappedFile, start: int, name: str, dtype, shape, begin: int, _: int) -> Tensor:
    return Tensor(name, shape, dtype, lambda: file.array(dtype, shape, start + begin), str(file.path))
