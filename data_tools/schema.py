"""The record: its fields, its version, and how it is written and parsed, side by side.

Files of records are left to `writer` and `reader`, decoding a FLAC payload to `reader`. TensorFlow is imported where
records are parsed: those who write do without.
"""

from data_tools.records import example_pieces

SCHEMA_VERSION = 2
"""Goes up when a reader of the old records would misread the new ones."""

READABLE_VERSIONS = (1, 2)
"""1 had no `encoding`: its audio is PCM."""

ENCODINGS = ("pcm", "flac")
"""What `audio` may hold: samples (int16 little endian), or a FLAC file of them; mono, 16 kHz, either way."""

# field          type        meaning
FEATURES = {
    "id":          "string",  # unique in the corpus
    "audio":       "string",  # as `encoding` says
    "encoding":    "string",  # one of ENCODINGS; "" in schema 1, which knew "pcm" alone
    "num_samples": "int64",   # samples in `audio`, once decoded
    "transcript":  "string",  # as the corpus has it, UTF-8
    "text":        "string",  # as the labels see it, UTF-8; characters are its code points
    "speaker":     "string",  # "" where unknown
    "source":      "string",  # the recording as the manifest names it
    "schema":      "int64",   # SCHEMA_VERSION
}  # fmt: skip


def serialize(**fields: str | bytes | int) -> bytes:
    """Makes one record; see `serialize_pieces`."""
    return b"".join(serialize_pieces(**fields))


def serialize_pieces(
    *, id: str, audio: bytes, encoding: str, num_samples: int, transcript: str, text: str, speaker: str, source: str
) -> tuple[bytes, bytes, bytes]:
    """Makes one record, in pieces so that its audio is not copied.

    Args:
        id, audio, encoding, num_samples, transcript, text, speaker, source: See `FEATURES`.
    Returns:
        A serialized tf.train.Example, cut.
    """
    texts = {"id": id, "encoding": encoding, "transcript": transcript, "text": text, "speaker": speaker}
    fields = {name: value.encode() for name, value in texts.items()}
    return example_pieces(
        fields | {"source": source.encode(), "audio": audio, "num_samples": num_samples, "schema": SCHEMA_VERSION}
    )


def parse_batch(records) -> dict:
    """Splits records into their fields; an empty string becomes a record of empty fields.

    Args:
        records: string [B].
    Returns:
        Field -> tensor [B]; `audio` still as bytes.
    """
    import tensorflow as tf

    empty = {"string": b"", "int64": 0}
    return tf.io.parse_example(
        records, {name: tf.io.FixedLenFeature([], kind, empty[kind]) for name, kind in FEATURES.items()}
    )


def parse(record) -> dict:
    """Reads one record of PCM.

    >>> record = serialize(id="a", audio=b"\\1\\0\\2\\0", encoding="pcm", num_samples=2, transcript="Hi!", text="HI",
    ...                    speaker="", source="a.wav")
    >>> parse(record)["audio"].numpy()
    array([1, 2], dtype=int16)

    Args:
        record: string scalar, or bytes.
    Returns:
        Field -> scalar; `audio` as int16 [S].
    Raises:
        tf.errors.InvalidArgumentError: The payload is FLAC, which `reader` decodes.
    """
    import tensorflow as tf

    fields = {name: value[0] for name, value in parse_batch(tf.reshape(record, [1])).items()}
    message = "This record holds FLAC; data_tools.reader decodes it. Id:"
    tf.debugging.Assert(fields["encoding"] != b"flac", [message, fields["id"]])
    return fields | {"audio": tf.io.decode_raw(fields["audio"], tf.int16)}
