"""One shard file, record by record: checksums, fields, and whether the fields fit the audio.

What the index says of a shard as a whole, and how findings are told, is left to `verify`.
"""

import io
from collections.abc import Iterator

import numpy as np
import soundfile
import tensorflow as tf

from data_tools.records import masked_crc
from data_tools.schema import ENCODINGS, FEATURES, READABLE_VERSIONS
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ, ctc_frames_needed, frames_for

TEXT_FIELDS = ("id", "text", "transcript", "speaker", "source")
_HEAD, _TAIL = 12, 4  # bytes around a record: its length and the checksum of that; the checksum of the record


class DamagedError(ValueError):
    """A record that is not what it says; the message tells why."""


def read_records(path: str, size: int) -> Iterator["bytes | DamagedError"]:
    """Reads a TFRecord file and compares both checksums of each record.

    Args:
        path: The file, local or gs://.
        size: Its bytes.
    Returns:
        An iterator over the records; in the place of a damaged one, the error. It ends where a length is damaged.
    Raises:
        tf.errors.OpError: The file cannot be opened or read.
    """
    at = 0
    with tf.io.gfile.GFile(path, "rb") as file:
        while at < size:
            head = file.read(_HEAD)
            length = int.from_bytes(head[:8], "little")
            if masked_crc(head[:8]) != head[8:] or at + _HEAD + length + _TAIL > size:
                yield DamagedError(f"its length, at byte {at}, is damaged; nothing after it can be read")
                return
            record = file.read(length)
            if masked_crc(record) == file.read(_TAIL):
                yield record
            else:
                yield DamagedError(f"its {length} bytes from byte {at + _HEAD} on differ from their checksum")
            at += _HEAD + length + _TAIL


def parse_fields(record: bytes) -> dict[str, bytes | int]:
    """Splits a record into its fields.

    Args:
        record: A serialized tf.train.Example.
    Returns:
        Field -> value, for all of `schema.FEATURES`; a record of schema 1 has the encoding "pcm".
    Raises:
        DamagedError: It is no tf.train.Example, or a field is missing or of another type.
    """
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # noqa: BLE001 - protobuf's DecodeError, which has no public name in TensorFlow
        raise DamagedError(f"it is no tf.train.Example ({error})") from error
    fields = {name: _value(features, name, kind) for name, kind in FEATURES.items() if name != "encoding"}
    if fields["schema"] not in READABLE_VERSIONS:
        readable = " and ".join(map(str, READABLE_VERSIONS))
        raise DamagedError(f"it is of schema {fields['schema']}, this version reads {readable}")
    return fields | {"encoding": b"pcm" if fields["schema"] == 1 else _value(features, "encoding", "string")}


def _value(features, name: str, kind: str) -> bytes | int:
    form = "bytes_list" if kind == "string" else "int64_list"
    values = getattr(features[name], form).value if name in features else ()
    if len(values) != 1:
        found = f"{len(values)} of these" if name in features else "nothing"
        raise DamagedError(f"its field {name} shall hold one {kind}, and holds {found}")
    return values[0]


def check_fields(fields: dict[str, bytes | int], num_samples: int, num_labels: int) -> np.ndarray:
    """Compares the fields of a record with one another and with the index.

    Args:
        fields: From `parse_fields`.
        num_samples, num_labels: What the index says of it.
    Returns:
        Its samples, int16 [S].
    Raises:
        DamagedError: Something does not fit.
    """
    for name in (*TEXT_FIELDS, "encoding"):
        _check_utf8(name, fields[name])
    text, samples = fields["text"].decode(), decode(fields["audio"], fields["encoding"].decode())
    # said by         what is said           what is there  of what
    table = (
        ("num_samples", fields["num_samples"], len(samples), "samples in its audio"),
        ("the index",   num_samples,           len(samples), "samples in its audio"),
        ("the index",   num_labels,            len(text),    "characters in its text"),
    )  # fmt: skip
    for source, said, found, what in table:
        if said != found:
            raise DamagedError(f"{source} says {said}, there are {found} {what}")
    need, have = ctc_frames_needed(text), frames_for(len(samples))
    if not text.strip():
        raise DamagedError("its text is empty")
    if need > have:
        raise DamagedError(f"its {len(text)} labels need at least {need} frames, its audio has {have}")
    if not samples.any():
        raise DamagedError(f"all its {len(samples)} samples are zero")
    return samples


def _check_utf8(name: str, value: bytes) -> None:
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise DamagedError(f"its field {name} is not UTF-8 (byte {error.start})") from error


def decode(audio: bytes, encoding: str) -> np.ndarray:
    """Turns a record's payload into samples.

    >>> decode(b"\\1\\0\\2\\0", "pcm").tolist()
    [1, 2]

    Args:
        audio: The field `audio`.
        encoding: One of `schema.ENCODINGS`.
    Returns:
        int16 [S] at 16 kHz.
    Raises:
        DamagedError: The encoding is unknown, or the payload is not of it.
    """
    if encoding == "pcm":
        if len(audio) % 2:
            raise DamagedError(f"its audio has {len(audio)} bytes, half a sample too many or too few")
        return np.frombuffer(audio, "<i2")
    if encoding != "flac":
        raise DamagedError(f"its encoding is {encoding!r}; {' and '.join(ENCODINGS)} are known")
    try:
        samples, rate_hz = soundfile.read(io.BytesIO(audio), dtype="int16")
    except soundfile.SoundFileError as error:
        raise DamagedError(f"its audio is no FLAC stream: {error}") from error
    if rate_hz != SAMPLE_RATE_HZ or samples.ndim != 1:
        found = f"{rate_hz} Hz and shape {samples.shape}"
        raise DamagedError(f"its audio has {found}; one channel at {SAMPLE_RATE_HZ} Hz belongs there")
    return samples
