"""Recordings that are FLAC of the wanted kind already: their frames become the payload of a record as they are.

Most published speech is FLAC of 16 kHz, 16 bits, mono. To encode it again would take as long as decoding it, for the
same samples. What has to be encoded is left to `clips`.
"""

from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

_MAGIC = b"fLaC"
_INFO_BYTES = 34  # of the block STREAMINFO, which is the first
_HEAD_BYTES = len(_MAGIC) + 4 + _INFO_BYTES


def as_recorded(source: str | bytes, num_samples: int) -> bytes | None:
    """Gives a recording without its tags, pictures, tables and padding, where that can be a payload.

    Args:
        source: The file, or its bytes; it has been decoded without fault.
        num_samples: Samples that it was found to hold.
    Returns:
        A FLAC file of the same frames; None if the recording is anything but a FLAC file of 16 kHz, 16 bits and one
        channel that states this many samples.
    Raises:
        OSError: The file cannot be read any more.
    """
    if isinstance(source, bytes):
        return _bare(source) if _fits(source[:_HEAD_BYTES], num_samples) else None
    with open(source, "rb", buffering=0) as file:
        if not _fits(file.read(_HEAD_BYTES), num_samples):
            return None  # and the rest, which may be long, is not read
        file.seek(0)
        return _bare(file.read())


def _fits(head: bytes, num_samples: int) -> bool:
    kind, size = head[4:5], int.from_bytes(head[5:8])
    stated = int.from_bytes(head[18:26])  # 20 bits rate, 3 channels - 1, 5 bits - 1, 36 samples
    wanted = SAMPLE_RATE_HZ << 44 | 0 << 41 | 15 << 36 | num_samples
    return head[:4] == _MAGIC and kind in (b"\x00", b"\x80") and size == _INFO_BYTES and stated == wanted


def _bare(content: bytes) -> bytes | None:
    at, is_last = len(_MAGIC), False
    while not is_last:
        block = content[at : at + 4]
        at += 4 + int.from_bytes(block[1:])
        is_last = at >= len(content) or block[0] >= 0x80
    if at >= len(content):
        return None
    info = content[8:_HEAD_BYTES]
    return b"".join((_MAGIC, b"\x80", _INFO_BYTES.to_bytes(3), info, memoryview(content)[at:]))
