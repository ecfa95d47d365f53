"""A checkpoint in TensorFlow's own form, as `model.save_weights("tf_model")` of Keras 2 and its callbacks write it.

PREFIX.index is a sorted table (of LevelDB): key -> type, shape and place of a variable; PREFIX.data-00000-of-00001
holds the values. Under one key lies the graph of objects, which tells the name of the variable behind every other key.
Format: tensorflow/core/util/tensor_bundle, tensorflow/core/protobuf/{tensor_bundle,trackable_object_graph}.proto.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import ml_dtypes
import numpy as np

from convert.readers.errors import CheckpointFileError, not_a
from convert.readers.mapped import MAX_AXES, MappedFile
from convert.tensors import Tensor

MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
FOOTER, MAX_INDEX_BYTES = 48, 16 << 20
OBJECT_GRAPH, MAX_GRAPH_BYTES = "_CHECKPOINTABLE_OBJECT_GRAPH", 16 << 20
MAX_ENTRIES, MAX_KEY_BYTES = 100_000, 4096
STRING = 7

# number in TensorFlow's DataType: type
DTYPES = {
    1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"), 9: np.dtype("<i8"), 10: np.dtype("?"),
    14: np.dtype(ml_dtypes.bfloat16), 19: np.dtype("<f2"),
}  # fmt: skip

# what a checkpoint of training holds beside the weights
TRAINING = ("optimizer/", "save_counter/", "keras_api/", "_CHECKPOINTABLE")


@dataclass(frozen=True)
class Entry:
    """Where a variable lies: its type by TensorFlow's number, its shape, the file and the bytes in it."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    start: int
    size: int


def open_bundle(path: Path) -> tuple[Tensor, ...]:
    """Lists the weights of a checkpoint of TensorFlow, without reading them.

    Args:
        path: Its PREFIX.index; the PREFIX.data files lie beside it.
    Returns:
        Tensors named as Keras names them in its .h5 files, "wav2vec2-ctc/lm_head/kernel:0"; the state of an optimizer
        is passed over.
    Raises:
        CheckpointFileError: It is no such file, is truncated or damaged, or a file of data is absent.
    """
    file = MappedFile.of(path)
    with path.open("rb") as stream:
        content = stream.read(MAX_INDEX_BYTES + 1)
    if len(content) > MAX_INDEX_BYTES or content[-len(MAGIC) :] != MAGIC:
        raise not_a("the .index of a checkpoint of TensorFlow", path)
    try:
        table = dict(islice(_table(content), MAX_ENTRIES))
        shards = _shards(file, table.pop(b""))
        entries = {key.decode("utf-8"): _entry(value) for key, value in table.items()}
        names = _names(shards, entries)
        return tuple(
            _tensor(shards, names[key], entry)
            for key, entry in entries.items()
            if not key.startswith(TRAINING) and ".OPTIMIZER_SLOT" not in key
        )
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, CheckpointFileError):
            raise
        raise CheckpointFileError(f"{path} is damaged ({error!r:.100}). Fetch all files of it again.") from error


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Walks the sorted table: a footer points to a block of pointers, these to blocks of entries."""
    _, at = _handle(content, len(content) - FOOTER)
    pointers, _ = _handle(content, at)
    for _, pointer in _block(content, *pointers):
        yield from _block(content, *_handle(pointer, 0)[0])


def _handle(content: bytes, at: int) -> tuple[tuple[int, int], int]:
    start, at = _varint(content, at)
    size, at = _varint(content, at)
    return (start, size), at


def _block(content: bytes, start: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Walks one block, whose keys leave out what they share with the key before."""
    if content[start + size] != 0:
        raise ValueError("a compressed block")
    block, key, at = content[start : start + size], b"", 0
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        if at + own + length > end or shared + own > MAX_KEY_BYTES:
            raise ValueError("an entry that leaves its block, or a key without end")
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[at]
        value, at = value | (byte & 127) << shift, at + 1
        if byte < 128:
            return value, at
    raise ValueError("a number without an end")


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Walks a message of protobuf: field number and value, a number or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = message[at : at + size], at + size
            if len(value) < size:
                raise ValueError("a message that ends too early")
        yield tag >> 3, value


def _entry(message: bytes) -> Entry:
    found = {1: 0, 2: b"", 3: 0, 4: 0, 5: 0} | dict(_fields(message))
    if 7 in found:
        raise ValueError("a variable in slices")
    sizes = [dict(_fields(axis)).get(1, 0) for number, axis in _fields(found[2]) if number == 2]
    if not all(isinstance(number, int) for number in (*sizes, found[1], found[3], found[4], found[5])):
        raise ValueError("a text in the place of a number")
    return Entry(found[1], tuple(sizes), found[3], found[4], found[5])


def _shards(file: MappedFile, header: bytes) -> list[MappedFile]:
    told = dict(_fields(header))
    count = told.get(1, 0)
    if told.get(2, 0) or not 0 < count < 1000:
        raise ValueError("big-endian, or without data")
    prefix = str(file.path).removesuffix(".index")
    return [MappedFile.of(Path(f"{prefix}.data-{number:05d}-of-{count:05d}")) for number in range(count)]


def _names(shards: list[MappedFile], entries: Mapping[str, Entry]) -> dict[str, str]:
    """Reads the graph of objects: key -> name of the variable."""
    entry = entries[OBJECT_GRAPH]
    if entry.dtype != STRING or entry.size > MAX_GRAPH_BYTES:
        raise ValueError("no graph of objects")
    if entry.start + entry.size > shards[entry.shard].size:
        raise CheckpointFileError(f"{shards[entry.shard].path} is truncated. Fetch all files of the checkpoint again.")
    stored = shards[entry.shard].array(np.dtype("u1"), (entry.size,), entry.start).tobytes()
    length, at = _varint(stored, 0)
    graph = stored[at + 4 :]  # a checksum lies between the length and the text
    if len(graph) != length:
        raise ValueError("a graph of objects of another length")
    nodes = [node for number, node in _fields(graph) if number == 1]
    variables = [dict(_fields(value)) for node in nodes for number, value in _fields(node) if number == 2]
    return {told[3].decode("utf-8"): told[2].decode("utf-8") + ":0" for told in variables if 2 in told and 3 in told}


def _tensor(shards: list[MappedFile], name: str, entry: Entry) -> Tensor:
    file, dtype, shape = shards[entry.shard], DTYPES[entry.dtype], entry.shape
    size = dtype.itemsize * math.prod(shape)
    if len(shape) > MAX_AXES or size != entry.size or entry.start + size > file.size:
        raise CheckpointFileError(
            f"{file.path}: {name!r:.200} of shape {shape} has {entry.size} bytes from {entry.start} in a file of "
            f"{file.size}. It is truncated or of another checkpoint: fetch all files of it again."
        )
    return Tensor(name, shape, dtype, lambda: file.array(dtype, shape, entry.start), str(file.path))
