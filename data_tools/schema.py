"""The record: its fields, its version, and how it is written and parsed, side by side.

Files of records are left to `writer` and `reader`.
"""

import tensorflow as tf

SCHEMA_VERSION = 1
"""Goes up when a reader of the old records would misread the new ones."""

# field          type        meaning
FEATURES = {
    "id":          tf.string,  # unique in the corpus
    "audio":       tf.string,  # mono 16 kHz PCM, int16 little endian
    "num_samples": tf.int64,   # samples in `audio`
    "transcript":  tf.string,  # as the corpus has it, UTF-8
    "text":        tf.string,  # as the labels see it, UTF-8: one label per code point
    "speaker":     tf.string,  # "" where unknown
    "source":      tf.string,  # the recording as the manifest names it
    "schema":      tf.int64,   # SCHEMA_VERSION
}  # fmt: skip


def serialize(*, id: str, audio: bytes, transcript: str, text: str, speaker: str, source: str) -> bytes:
    """Makes one record.

    Args:
        id, transcript, text, speaker, source: See `FEATURES`.
        audio: int16 samples, little endian.
    Returns:
        A serialized tf.train.Example.
    """
    texts = {"id": id, "transcript": transcript, "text": text, "speaker": speaker, "source": source}
    feature = {name: _bytes(value.encode()) for name, value in texts.items()}
    feature |= {"audio": _bytes(audio), "num_samples": _int(len(audio) // 2), "schema": _int(SCHEMA_VERSION)}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def parse_batch(records: tf.Tensor) -> dict[str, tf.Tensor]:
    """Splits records into their fields; an empty string becomes a record of empty fields.

    Args:
        records: string [B].
    Returns:
        Field -> [B]; `audio` still as bytes.
    """
    empty = {tf.string: b"", tf.int64: 0}
    return tf.io.parse_example(
        records, {name: tf.io.FixedLenFeature([], kind, empty[kind]) for name, kind in FEATURES.items()}
    )


def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads one record.

    >>> record = serialize(id="a", audio=b"\\1\\0\\2\\0", transcript="Hi!", text="HI", speaker="", source="a.wav")
    >>> parse(record)["audio"].numpy()
    array([1, 2], dtype=int16)

    Args:
        record: string scalar.
    Returns:
        Field -> scalar; `audio` as int16 [S].
    """
    fields = {name: value[0] for name, value in parse_batch(tf.reshape(record, [1])).items()}
    return fields | {"audio": tf.io.decode_raw(fields["audio"], tf.int16)}


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
