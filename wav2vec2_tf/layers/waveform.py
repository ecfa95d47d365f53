"""Waveforms on the device: int16 or float samples -> zero mean and unit variance over the real samples.

The same arithmetic in NumPy, for single files, is `Wav2Vec2Processor`.
"""

import tensorflow as tf

EPSILON = 1e-7


def to_float(audio):
    """Scales int16 samples to [-1, 1); float samples pass unchanged as float32."""
    if audio.dtype == tf.int16:
        return tf.cast(audio, tf.float32) / 32768.0
    return tf.cast(audio, tf.float32)


def normalize(audio, num_samples):
    """Brings each row to zero mean and unit variance over its real samples, zeros in the padding.

    Args:
        audio: [B, S] int16 or float.
        num_samples: [B] int32, real samples of each row; 0 gives a row of zeros.
    Returns:
        [B, S] float32.
    Source: transformers' Wav2Vec2FeatureExtractor (`do_normalize`), epsilon 1e-7.
    """
    audio = to_float(audio)
    real = tf.sequence_mask(num_samples, tf.shape(audio)[1])
    count = tf.maximum(tf.cast(num_samples, tf.float32), 1.0)[:, None]
    mean = tf.reduce_sum(tf.where(real, audio, 0.0), axis=1, keepdims=True) / count
    centred = tf.where(real, audio - mean, 0.0)  # a NaN in the padding stays there
    variance = tf.reduce_sum(centred * centred, axis=1, keepdims=True) / count
    return centred * tf.math.rsqrt(variance + EPSILON)
