"""Bytes of a TFRecord file without TensorFlow: a tf.train.Example, and the frame around it.

Worker processes write with this: they start at once and stay small. Which fields a record has is left to `schema`.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache

import google_crc32c

FRAME_BYTES = 16
"""Per record: 8 of length, 4 of checksum of the length, 4 of checksum of the record."""

_INT64_LIST, _BYTES_LIST = b"\x1a", b"\x0a"  # fields 3 and 1 of tf.train.Feature
_MASK_DELTA = 0xA282EAD8
_SMALL = [bytes([value]) for value in range(0x80)]


def example(fields: Mapping[str, bytes | int]) -> bytes:
    """Makes a tf.train.Example, byte for byte as TensorFlow's protobuf does when asked for the same bytes every time.

    >>> example({"n": 3})
    b'\\n\\x0c\\n\\n\\n\\x01n\\x12\\x05\\x1a\\x03\\n\\x01\\x03'

    Args:
        fields: Name -> a single value; an integer is at least 0.
    Returns:
        The serialized message, its fields in order of their names.
    """
    return b"".join(example_pieces(fields))


def example_pieces(fields: Mapping[str, bytes | int]) -> tuple[bytes, bytes, bytes]:
    """Makes it in three pieces: the largest value as it was given, not copied, and what stands before and after it."""
    pieces = [b""]
    for name in sorted(fields):
        value, kind = fields[name], _BYTES_LIST
        if isinstance(value, int):
            value, kind = _varint(value), _INT64_LIST
        pieces += (_start(name, kind, len(value)), value)
    sizes = list(map(len, pieces))
    pieces[0] = b"\x0a" + _varint(sum(sizes))
    largest = sizes.index(max(sizes))
    return b"".join(pieces[:largest]), pieces[largest], b"".join(pieces[largest + 1 :])


def frame(*pieces: bytes) -> list[bytes]:
    """Gives what a TFRecord file holds for one record, in pieces to be written one after the other.

    >>> [len(piece) for piece in frame(b"abc", b"de")]
    [12, 3, 2, 4]

    Args:
        pieces: The record; it may come in several.
    """
    length = struct.pack("<Q", sum(map(len, pieces)))
    return [length + masked_crc(length), *pieces, masked_crc(*pieces)]


def masked_crc(*pieces: bytes) -> bytes:
    """Gives the checksum that TFRecord files keep of a piece: CRC-32C, rotated and shifted, 4 bytes little endian."""
    crc = 0
    for piece in pieces:
        crc = google_crc32c.extend(crc, piece)
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF)


@lru_cache(4096)  # most sizes come again and again
def _start(name: str, kind: bytes, size: int) -> bytes:
    """Gives what stands before a value of so many bytes in Features.feature: lengths within lengths, and the name."""
    head = b"\x0a" + _varint(size)
    feature = kind + _varint(len(head) + size) + head
    encoded = name.encode()
    key = b"\x0a" + _varint(len(encoded)) + encoded + b"\x12" + _varint(len(feature) + size) + feature
    return b"\x0a" + _varint(len(key) + size) + key


def _varint(value: int) -> bytes:
    if value <= 0x7F:
        return _SMALL[value]
    pieces = bytearray()
    while value > 0x7F:
        pieces.append(value & 0x7F | 0x80)
        value >>= 7
    pieces.append(value)
    return bytes(pieces)
