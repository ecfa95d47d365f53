"""WavLM's relative positions: scores by the distance of two frames, and the gate through which a frame takes them.

The scores are the same in every block and are computed once per call of the encoder; adding them to the scores of the
contents is left to `attention`.

Source: WavLM (arXiv:2110.13900), section 3.1.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from wav2vec2_tf.layers.initial import random


def buckets(num_buckets: int, max_distance: int) -> np.ndarray:
    """Tells the bucket of each distance in one direction: one each for small ones, then ever wider in the logarithm.

    >>> buckets(16, 20).tolist()
    [0, 1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7]

    Args:
        num_buckets: Of both directions together, at least 4.
        max_distance: Frames from which on all is one bucket.
    Returns:
        int32 [max_distance + 1]; in float32 arithmetic, as the reference rounds.
    """
    half = num_buckets // 2
    exact = half // 2
    distances = np.arange(max_distance + 1)
    octaves = np.log(np.maximum(distances, exact).astype(np.float32) / np.float32(exact))
    wide = exact + octaves / np.float32(math.log(max_distance / exact)) * np.float32(half - exact)
    return np.where(distances < exact, distances, np.minimum(wide.astype(np.int32), half - 1)).astype(np.int32)


def by_distance(scores, size):
    """Lays scores of distances out over pairs of frames.

    >>> by_distance(tf.constant([[-2, -1, 0, 1, 2]]), 3).numpy().tolist()
    [[[0, 1, 2], [-1, 0, 1], [-2, -1, 0]]]

    Args:
        scores: [heads, 2 T - 1], distances from 1 - T to T - 1.
        size: T.
    Returns:
        [heads, T, T], entry (i, j) that of distance j - i; by repeating and cutting, whose gradient needs no scatter.
    """
    rows = tf.tile(tf.pad(scores, [[0, 0], [0, 1]]), [1, size])  # period 2 T, read with period 2 T - 1
    rows = tf.reshape(rows[:, : size * (2 * size - 1)], [scores.shape[0], size, 2 * size - 1])
    return rows[:, :, size - 1 :]


class RelativePosition(keras.layers.Layer):
    """Scores every pair of frames by their distance, per head: T -> [heads, T, T]."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config, self.far = config, config.max_bucket_distance
        self.bucket_of = buckets(config.num_buckets, config.max_bucket_distance)

    def build(self, _=None):
        """Makes rel_attn_embed (num_buckets, heads), kept in float32."""
        config = self.config
        self.rel_attn_embed = self.add_weight(
            name="rel_attn_embed",
            shape=(config.num_buckets, config.num_attention_heads),
            initializer=random(keras.initializers.RandomNormal(stddev=config.initializer_range)),
            autocast=False,
        )

    def call(self, size):
        """Args: size int32 scalar, T. Returns: [heads, T, T]."""
        distances = tf.range(1 - size, size)
        bucket = tf.gather(self.bucket_of, tf.minimum(tf.abs(distances), self.far))
        bucket += tf.where(distances > 0, self.config.num_buckets // 2, 0)
        scores = tf.gather(tf.transpose(self.rel_attn_embed.value), bucket, axis=1)
        return tf.cast(by_distance(scores, size), self.compute_dtype)


class PositionGate(keras.layers.Layer):
    """Tells from a frame's content how much of the position scores it takes: [B, T, C] -> [B, heads, T, 1], float32."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        normal = random(keras.initializers.RandomNormal(stddev=config.initializer_range))
        self.linear = keras.layers.Dense(8, kernel_initializer=normal, name="linear")

    def build(self, _):
        """Makes const (1, heads, 1, 1) and the projection of a head to two gates of four parts."""
        self.const = self.add_weight(name="const", shape=(1, self.heads, 1, 1), initializer="ones")
        self.linear.build((None, self.width))

    def call(self, x):
        """Args: x [B, T, C]. Returns: [B, heads, T, 1], between 1 and 2 while const is 1."""
        parts = tf.cast(self.linear(tf.reshape(x, [-1, self.width])), tf.float32)  # [B * T * heads, 8]
        gates = tf.sigmoid(tf.reduce_sum(tf.reshape(parts, [tf.shape(x)[0], -1, self.heads, 2, 4]), axis=-1))
        gates = tf.transpose(gates, [0, 2, 1, 3])  # [B, T, heads, 2] -> [B, heads, T, 2]
        update, reset = gates[..., :1], gates[..., 1:]
        return update * (reset * tf.cast(self.const, tf.float32) - 1.0) + 2.0
