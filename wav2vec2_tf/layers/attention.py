"""Multi-head self-attention over the real frames."""

import keras
import tensorflow as tf

from wav2vec2_tf.layers.chance import dropout
from wav2vec2_tf.layers.initial import random
from wav2vec2_tf.layers.relative_position import PositionGate

MASKED = -1e9  # finite: a row without any real frame gets a mean, not a NaN


def attention_mask(frames, size):
    """Tells which frames may be attended to; boolean, since Keras would cast numbers to the compute type.

    Args:
        frames: [B] int32 real frames.
        size: T, padded frames.
    Returns:
        [B, 1, 1, T] bool: true on real frames.
    """
    return tf.sequence_mask(frames, size)[:, None, None]


class Attention(keras.layers.Layer):
    """Scaled dot-product attention of every frame to all real frames: [B, T, C] -> [B, T, C].

    The softmax is taken in float32 under every precision. Projections see [B * T, C]: over three axes of unknown size
    Keras takes a tensordot, whose gradient inside the `tf.cond` of LayerDrop XLA cannot compile.
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.width, self.rate = config.num_attention_heads, config.hidden_size, config.attention_dropout
        normal = random(keras.initializers.RandomNormal(stddev=config.initializer_range))
        names = ("q_proj", "k_proj", "v_proj", "out_proj")
        dense = [keras.layers.Dense(self.width, kernel_initializer=normal.clone(), name=name) for name in names]
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = dense
        self.gate = PositionGate(config, name="gate") if config.model_type == "wavlm" else None

    def build(self, shape):
        """Builds the four projections, and WavLM's gate."""
        if self.gate is not None:
            self.gate.build(shape)
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.out_proj):
            layer.build((None, None, self.width))

    def _split(self, x, batch):
        x = tf.reshape(x, [batch, -1, self.heads, self.width // self.heads])
        return tf.transpose(x, [0, 2, 1, 3])  # [B * T, C] -> [B, heads, T, C / heads]

    def call(self, x, visible, seed=None, positions=None):
        """Attends.

        Args:
            x: [B, T, C].
            visible: [B, 1, 1, T] bool.
            seed: int32 [2] or None.
            positions: [heads, T, T] scores by distance (WavLM), else None.
        Returns:
            [B, T, C].
        """
        flat, batch = tf.reshape(x, [-1, self.width]), tf.shape(x)[0]
        query = self._split(self.q_proj(flat) * (self.width // self.heads) ** -0.5, batch)
        scores = tf.matmul(query, self._split(self.k_proj(flat), batch), transpose_b=True)  # [B, heads, T, T]
        scores = tf.cast(scores, tf.float32)
        if positions is not None:
            scores += self.gate(x) * tf.cast(positions, tf.float32)
        shares = tf.cast(tf.nn.softmax(tf.where(visible, scores, MASKED)), x.dtype)
        mixed = tf.matmul(dropout(shares, self.rate, seed), self._split(self.v_proj(flat), batch))
        mixed = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [-1, self.width])  # back to [B * T, C]
        return tf.reshape(self.out_proj(mixed), tf.shape(x))
