"""The bottleneck that MMS adds after each feed-forward, one set of weights per language."""

import keras
import tensorflow as tf

from wav2vec2_tf.layers.initial import random

NORM_EPSILON = 1e-5


class AttentionAdapter(keras.layers.Layer):
    """Layer norm, down to `adapter_attn_dim`, ReLU, up again: [B, T, C] -> [B, T, C], to be added to the input.

    Source: MMS (arXiv:2305.13516), section 5.4; names as in the Hugging Face checkpoints.
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.width = config.hidden_size
        self.norm = keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name="norm")
        normal = random(keras.initializers.RandomNormal(stddev=config.initializer_range))
        self.linear_1 = keras.layers.Dense(
            config.adapter_attn_dim, activation="relu", kernel_initializer=normal.clone(), name="linear_1"
        )
        self.linear_2 = keras.layers.Dense(self.width, kernel_initializer=normal.clone(), name="linear_2")

    def build(self, _):
        """Builds norm, down and up."""
        self.norm.build((None, None, self.width))
        self.linear_1.build((None, None, self.width))
        self.linear_2.build((None, None, self.linear_1.units))

    def call(self, x):
        """Args: x [B, T, C]. Returns: [B, T, C]."""
        flat = tf.reshape(self.norm(x), [-1, self.width])  # [B, T, C] -> [B * T, C]: see Attention
        return tf.reshape(self.linear_2(self.linear_1(flat)), tf.shape(x))
