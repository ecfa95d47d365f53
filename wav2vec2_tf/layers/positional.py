"""Convolutional positional embeddings: grouped convolutions over the frames, of which each family has its own kind.

Each is called with the frames [B, T, C] and with what is real [B, T, 1] (1 or 0), and gives each frame a vector that
tells its place, to be added to the input; no convolution sees padding. WavLM's relative positions, which come on top,
are in `relative_position`.
"""

import keras
import tensorflow as tf

from wav2vec2_tf.layers.activations import ACTIVATIONS
from wav2vec2_tf.layers.initial import random

NORM_EPSILON = 1e-5  # fixed in the references, whatever layer_norm_eps says


def convolve(x, kernel, bias, groups: int):
    """Convolves groups of channels apart from each other, and gives as many frames as it takes.

    The groups are separate convolutions: a grouped one has no CPU gradient in `tf.nn.conv1d`, and Keras's is many
    times slower there.

    Args:
        x: [B, T, C].
        kernel: (K, C / groups, C).
        bias: [C].
        groups: Divides C.
    Returns:
        [B, T, C].
    """
    span = kernel.shape[0]
    x = tf.pad(x, [[0, 0], [span // 2, span // 2], [0, 0]])
    inputs, kernels = tf.split(x, groups, axis=2), tf.split(kernel, groups, axis=2)
    outputs = [tf.nn.conv1d(i, k, 1, "VALID") for i, k in zip(inputs, kernels, strict=True)]
    x = tf.concat(outputs, axis=2) + bias
    return x[:, :-1] if span % 2 == 0 else x  # an even kernel looks one frame ahead; drop it as the original does


class PositionalConvEmbedding(keras.layers.Layer):
    """One convolution with weight norm: wav2vec 2.0, WavLM and most of HuBERT.

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

    def call(self, x, real):
        """Args: x [B, T, C]; real [B, T, 1]. Returns: [B, T, C]."""
        return self.activation(convolve(x * real, self.kernel(), self.bias, self.groups))


class PlainConv(keras.layers.Layer):
    """A grouped convolution without weight norm: what both classes below are made of."""

    def __init__(self, config, span: int, **kwargs):
        super().__init__(**kwargs)
        self.width, self.span, self.groups = config.hidden_size, span, config.num_conv_pos_embedding_groups
        self.activation = ACTIVATIONS[config.feat_extract_activation]

    def build(self, _):
        """Makes kernel (K, C / groups, C) and bias (C)."""
        shape = (self.span, self.width // self.groups, self.width)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=random("he_normal"))
        self.bias = self.add_weight(name="bias", shape=(self.width,), initializer="zeros")

    def conv(self, x):
        """[B, T, C] -> [B, T, C]."""
        return convolve(x, self.kernel, self.bias, self.groups)


class BatchNormConvEmbedding(PlainConv):
    """One convolution behind a batch normalisation: HuBERT with `conv_pos_batch_norm`.

    The statistics are those of the checkpoint, in training too: so padding and the other rows of a batch stay without
    effect, and a step depends on its batch alone.
    """

    def __init__(self, config, **kwargs):
        super().__init__(config, config.num_conv_pos_embeddings, **kwargs)
        self.batch_norm = keras.layers.BatchNormalization(epsilon=NORM_EPSILON, name="batch_norm")

    def build(self, shape):
        """Makes the convolution's weights, and scale, offset, mean and variance of each channel."""
        super().build(shape)
        self.batch_norm.build((None, None, self.width))

    def call(self, x, real):
        """Args: x [B, T, C]; real [B, T, 1]. Returns: [B, T, C]."""
        return self.activation(self.conv(self.batch_norm(x, training=False) * real))


class PositionalConvLayer(PlainConv):
    """One of data2vec's convolutions: convolution, layer norm without weights, activation."""

    def __init__(self, config, **kwargs):
        super().__init__(config, config.conv_pos_kernel_size, **kwargs)
        self.norm = keras.layers.LayerNormalization(epsilon=NORM_EPSILON, center=False, scale=False, name="norm")

    def call(self, x, real):
        """Args: x [B, T, C]; real [B, T, 1]. Returns: [B, T, C]."""
        return self.activation(self.norm(self.conv(x * real)))


class PositionalConvStack(keras.layers.Layer):
    """Several smaller convolutions one after the other: data2vec-audio.

    Source: data2vec (arXiv:2202.03555), section 4.2.
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        numbers = range(config.num_conv_pos_embeddings)
        self.convs = [PositionalConvLayer(config, name=f"layers_{i}") for i in numbers]

    def build(self, shape):
        """Builds every convolution."""
        for conv in self.convs:
            conv.build(shape)

    def call(self, x, real):
        """Args: x [B, T, C]; real [B, T, 1]. Returns: [B, T, C]."""
        for conv in self.convs:
            x = conv(x, real)
        return x


def positional_embedding(config, **kwargs) -> keras.layers.Layer:
    """Makes the positional embedding that a config asks for."""
    if config.model_type == "data2vec-audio":
        return PositionalConvStack(config, **kwargs)
    return (BatchNormConvEmbedding if config.conv_pos_batch_norm else PositionalConvEmbedding)(config, **kwargs)
