"""The convolutional positional embedding: a grouped, weight-normalised convolution over the frames."""

import keras
import tensorflow as tf

from wav2vec2_tf.layers.activations import ACTIVATIONS
from wav2vec2_tf.layers.initial import random


class PositionalConvEmbedding(keras.layers.Layer):
    """Gives each frame a vector that tells its place: [B, T, C] -> [B, T, C], to be added to the input.

    The groups are separate convolutions: a grouped one has no CPU gradient in `tf.nn.conv1d`, and Keras's is many
    times slower there.

    Source: wav2vec 2.0, section 4.2; weight norm over in and out channels (Salimans and Kingma 2016).
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.width, self.span = config.hidden_size, config.num_conv_pos_embeddings
        self.groups = config.num_conv_pos_embedding_groups
        self.activation = ACTIVATIONS[config.feat_extract_activation]

    def build(self, _):
        """Makes weight_v (K, C / groups, C), weight_g (1, 1, K) and bias (C)."""
        shape = (self.span, self.width // self.groups, self.width)
        normal = random(keras.initializers.RandomNormal(stddev=2 * (self.span * self.width) ** -0.5))
        self.weight_v = self.add_weight(name="weight_v", shape=shape, initializer=normal)
        self.weight_g = self.add_weight(name="weight_g", shape=(1, 1, self.span), initializer="ones")
        norms = tf.sqrt(tf.reduce_sum(tf.square(tf.cast(self.weight_v.value, tf.float32)), axis=(1, 2)))
        self.weight_g.assign(norms[None, None])  # so that the kernel starts as weight_v, as torch's weight_norm does
        self.bias = self.add_weight(name="bias", shape=(self.width,), initializer="zeros")

    def kernel(self):
        """Gives the normalised kernel (K, C / groups, C): weight_g * weight_v / |weight_v| per tap, in float32."""
        direction = tf.cast(self.weight_v.value, tf.float32)
        scale = tf.cast(self.weight_g.value, tf.float32)[0, 0, :, None, None]
        norm = tf.sqrt(tf.reduce_sum(tf.square(direction), axis=(1, 2), keepdims=True))
        return tf.cast(direction * (scale / norm), self.compute_dtype)

    def call(self, x):
        """Args: x [B, T, C], zero beyond the real frames. Returns: [B, T, C]."""
        x = tf.pad(x, [[0, 0], [self.span // 2, self.span // 2], [0, 0]])
        inputs = tf.split(x, self.groups, axis=2)
        kernels = tf.split(self.kernel(), self.groups, axis=2)
        outputs = [tf.nn.conv1d(i, k, 1, "VALID") for i, k in zip(inputs, kernels, strict=True)]
        x = tf.concat(outputs, axis=2) + self.bias
        if self.span % 2 == 0:
            x = x[:, :-1]  # an even kernel looks one frame ahead; drop it as the original does
        return self.activation(x)
