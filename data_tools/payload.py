"""From the payloads of a batch of records to its samples, padded to one width.

PCM is unpacked by TensorFlow; FLAC by libsndfile (`scan.decode`), which lets other threads work meanwhile.
"""

import numpy as np
import tensorflow as tf

from data_tools.scan import DamagedError, decode


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
        wrong = tf.strings.length(fields["audio"]) != 2 * tf.cast(fields["num_samples"], tf.int32)
        message = "Records hold more or fewer samples than they promise; see data_tools.inspect --verify. Their ids:"
        tf.debugging.Assert(tf.logical_not(tf.reduce_any(wrong)), [message, tf.boolean_mask(fields["id"], wrong)])
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
        try:
            samples = decode(payload, encoding.decode() or "pcm")  # schema 1 knew nothing else
            if len(samples) != count:
                raise DamagedError(f"{count} samples are promised, {len(samples)} are there")
        except DamagedError as error:
            way_out = "Look at the shards with data_tools.inspect --verify, and write them again."
            raise ValueError(f"{id.decode()}: {error}. {way_out}") from error
        row[: min(count, width)] = samples[:width]
    return rows
