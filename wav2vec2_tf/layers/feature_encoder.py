"""The convolutional feature encoder: waveform -> one vector every 20 ms, and its projection into the transformer.

Normalisation counts real samples and frames only, so padding never changes a result. Stride arithmetic is in
`wav2vec2_tf.lengths`.
"""

import keras
import tensorflow as tf

from wav2vec2_tf.layers.activations import ACTIVATIONS
from wav2vec2_tf.layers.chance import dropout
from wav2vec2_tf.layers.initial import random
from wav2vec2_tf.lengths import frames_for

NORM_EPSILON = 1e-5  # fixed in the reference's convolutions, whatever layer_norm_eps says


class MaskedGroupNorm(keras.layers.Layer):
    """Normalises each channel over the real frames of its utterance, in float32: [B, T, C] -> [B, T, C].

    Equal to group normalisation with one channel per group, but blind to padding.
    """

    def build(self, shape):
        """Makes scale and offset: [B, T, C] -> two [C]."""
        self.gamma = self.add_weight(name="gamma", shape=(shape[-1],), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(shape[-1],), initializer="zeros")

    def call(self, x, frames):
        """Args: x [B, T, C]; frames [B] int32 real frames. Returns: [B, T, C]."""
        real = tf.sequence_mask(frames, tf.shape(x)[1], dtype=tf.float32)[..., None]
        count = tf.maximum(tf.cast(frames, tf.float32), 1.0)[:, None, None]
        wide = tf.cast(x, tf.float32)
        mean = tf.reduce_sum(wide * real, axis=1, keepdims=True) / count
        variance = tf.reduce_sum(tf.square(wide - mean) * real, axis=1, keepdims=True) / count
        scale = tf.math.rsqrt(variance + NORM_EPSILON) * tf.cast(self.gamma, tf.float32)
        return tf.cast((wide - mean) * scale + tf.cast(self.beta, tf.float32), x.dtype)


class ConvLayer(keras.layers.Layer):
    """One convolution, its normalisation if it has one, and the activation: [B, S, C] -> [B, T, C']."""

    def __init__(self, config, index: int, **kwargs):
        super().__init__(**kwargs)
        self.config, self.index = config, index
        self.activation = ACTIVATIONS[config.feat_extract_activation]
        self.layer_norm = None
        if config.feat_extract_norm == "layer":
            self.layer_norm = keras.layers.LayerNormalization(epsilon=NORM_EPSILON, name="layer_norm")
        elif index == 0:
            self.layer_norm = MaskedGroupNorm(name="layer_norm")

    def build(self, channels: int):
        """Makes the kernel (k, in, out) and, with conv_bias, the bias."""
        config, width = self.config, self.config.conv_dim[self.index]
        shape = (config.conv_kernel[self.index], channels, width)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=random("he_normal"))
        self.bias = self.add_weight(name="bias", shape=(width,), initializer="zeros") if config.conv_bias else None
        if self.layer_norm is not None:
            self.layer_norm.build((None, None, width))

    def call(self, x, frames):
        """Args: x [B, S, C]; frames [B] real frames of the *output*. Returns: [B, T, C']."""
        x = tf.nn.conv1d(x, self.kernel, self.config.conv_stride[self.index], "VALID")
        x = x if self.bias is None else x + self.bias
        if isinstance(self.layer_norm, MaskedGroupNorm):
            x = self.layer_norm(x, frames)
        elif self.layer_norm is not None:
            x = self.layer_norm(x)
        return self.activation(x)


class FeatureEncoder(keras.layers.Layer):
    """The stack of convolutions: [B, S] samples -> [B, T, conv_dim[-1]]."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.conv_layers = [ConvLayer(config, i, name=f"conv_layers_{i}") for i in range(len(config.conv_dim))]

    def build(self, _):
        """Builds every convolution on the width of the one before."""
        for layer, channels in zip(self.conv_layers, (1, *self.config.conv_dim[:-1]), strict=True):
            layer.build(channels)

    def call(self, audio, num_samples):
        """Args: audio [B, S] float; num_samples [B] int32 real samples. Returns: [B, T, C]."""
        real = tf.sequence_mask(num_samples, tf.shape(audio)[1])  # a NaN in the padding must not get past here
        x = tf.where(real, audio, tf.zeros([], audio.dtype))[..., None]  # [B, S] -> [B, S, 1]
        for i, layer in enumerate(self.conv_layers):
            x = layer(x, frames_for(num_samples, self.config.convs[: i + 1]))
        return x if self.trainable else tf.stop_gradient(x)


class FeatureProjection(keras.layers.Layer):
    """Layer norm, projection to hidden_size, dropout: [B, T, conv_dim[-1]] -> [B, T, hidden_size].

    HuBERT can do without the norm (`feat_proj_layer_norm`).
    """

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config, self.layer_norm = config, None
        if config.feat_proj_layer_norm:
            self.layer_norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name="layer_norm")
        bound = config.conv_dim[-1] ** -0.5
        uniform = random(keras.initializers.RandomUniform(-bound, bound))
        self.projection = keras.layers.Dense(
            config.hidden_size, kernel_initializer=uniform, bias_initializer=uniform, name="projection"
        )

    def build(self, _):
        """Builds both parts on the width of the last convolution."""
        for layer in filter(None, (self.layer_norm, self.projection)):
            layer.build((None, None, self.config.conv_dim[-1]))

    def call(self, x, seed=None):
        """Args: x [B, T, C]; seed int32 [2] or None. Returns: [B, T, hidden_size]."""
        x = x if self.layer_norm is None else self.layer_norm(x)
        return dropout(self.projection(x), self.config.feat_proj_dropout, seed)
