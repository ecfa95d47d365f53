"""From the payloads of a batch of records to its samples, padded to one width.

PCM is unpacked by TensorFlow; FLAC by libsndfile, which lets other threads work meanwhile. One record at a time, for
those who look at shards, is `scan`'s.
"""

import io

import numpy as np
import soundfile
import tensorflow as tf


def unpack(fields: dict, width: tf.Tensor) -> tf.Tensor:
    """Gives the audio of records.

    Args:
        fields: Of `schema.parse_batch`: `id`, `audio`, `encoding`, `num_samples`, [B] each; an empty record is silent.
        width: Samples per row.
    Returns:
        int16 [B, width], zero beyond each clip.
    Raises:
        tf.errors.InvalidArgumentError: While reading: a payload is not what its record says (the message has its id).
    """

    def pcm():
        return tf.io.decode_raw(fields["audio"], tf.int16, fixed_length=2 * width)

    def mixed():
        wanted = [fields[name] for name in ("id", "audio", "encoding", "num_samples")]
        rows = tf.numpy_function(_unpack_each, [*wanted, width], tf.int16, stateful=False)
        return tf.reshape(rows, [-1, width])

    known = (fields["encoding"] == b"pcm") | (fields["encoding"] == b"")
    return tf.cond(tf.reduce_all(known), pcm, mixed)


def _unpack_each(ids, payloads, encodings, num_samples, width) -> np.ndarray:
    rows = np.zeros((len(ids), width), np.int16)
    for row, id, payload, encoding, count in zip(rows, ids, payloads, encodings, num_samples, strict=True):
        samples = _samples(id.decode(), payload, encoding)
        if len(samples) != count:
            raise ValueError(f"{id.decode()}: {count} samples are promised, {len(samples)} are there. {_WAY_OUT}")
        row[: min(count, width)] = samples[:width]
    return rows


_WAY_OUT = "Look at the shards with data_tools.inspect --verify, and write them again."


def _samples(id: str, payload: bytes, encoding: bytes) -> np.ndarray:
    if encoding in (b"", b"pcm"):
        return np.frombuffer(payload, "<i2")
    if encoding != b"flac":
        raise ValueError(f"{id}: its audio is encoded as {encoding.decode()!r}, which this version cannot read.")
    try:
        with soundfile.SoundFile(io.BytesIO(payload)) as file:
            return file.read(dtype="int16")
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{id}: its FLAC cannot be decoded ({error.error_string}). {_WAY_OUT}") from error
