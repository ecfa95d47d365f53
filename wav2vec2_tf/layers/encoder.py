"""The transformer: blocks in post-LN (base) or pre-LN ("stable") order, and the stack around them."""

import keras
import tensorflow as tf

from wav2vec2_tf.layers.activations import ACTIVATIONS
from wav2vec2_tf.layers.adapters import AttentionAdapter
from wav2vec2_tf.layers.attention import Attention, attention_mask
from wav2vec2_tf.layers.chance import coin, dropout, fold
from wav2vec2_tf.layers.initial import random
from wav2vec2_tf.layers.positional import positional_embedding
from wav2vec2_tf.layers.recompute import read, recompute
from wav2vec2_tf.layers.relative_position import RelativePosition


class FeedForward(keras.layers.Layer):
    """Two projections with an activation between: [B, T, C] -> [B, T, intermediate_size] -> [B, T, C]."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config, self.activation = config, ACTIVATIONS[config.hidden_act]
        normal = random(keras.initializers.RandomNormal(stddev=config.initializer_range))
        self.intermediate_dense = keras.layers.Dense(
            config.intermediate_size, kernel_initializer=normal.clone(), name="intermediate_dense"
        )
        self.output_dense = keras.layers.Dense(
            config.hidden_size, kernel_initializer=normal.clone(), name="output_dense"
        )

    def build(self, _):
        """Builds both projections."""
        self.intermediate_dense.build((None, None, self.config.hidden_size))
        self.output_dense.build((None, None, self.config.intermediate_size))

    def call(self, x, seed=None):
        """Args: x [B, T, C]; seed int32 [2] or None. Returns: [B, T, C]."""
        shape = tf.shape(x)
        x = tf.reshape(x, [-1, x.shape[-1]])  # [B, T, C] -> [B * T, C]: see Attention
        x = self.activation(self.intermediate_dense(x))
        x = dropout(x, self.config.activation_dropout, fold(seed, 0))
        return tf.reshape(dropout(self.output_dense(x), self.config.hidden_dropout, fold(seed, 1)), shape)


class EncoderLayer(keras.layers.Layer):
    """One transformer block, [B, T, C] -> [B, T, C]; layer norms before (stable) or after each residual sum."""

    def __init__(self, config, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.attention = Attention(config, name="attention")
        self.layer_norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name="layer_norm")
        self.feed_forward = FeedForward(config, name="feed_forward")
        self.final_layer_norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name="final_layer_norm")
        adapted = config.adapter_attn_dim is not None and config.do_stable_layer_norm  # as the reference has it
        self.adapter_layer = AttentionAdapter(config, name="adapter_layer") if adapted else None

    def build(self, shape):
        """Builds every part on hidden_size."""
        parts = (self.attention, self.layer_norm, self.feed_forward, self.final_layer_norm, self.adapter_layer)
        for part in filter(None, parts):
            part.build(shape)

    def call(self, x, visible, seed=None, positions=None):
        """Args: x [B, T, C]; visible, seed, positions as for Attention. Returns: [B, T, C]."""
        run = self._stable if self.config.do_stable_layer_norm else self._post
        return run(x, visible, seed, positions)

    def _attend(self, x, visible, seed, positions):
        x = self.attention(x, visible, seed=fold(seed, 0), positions=positions)
        return dropout(x, self.config.hidden_dropout, fold(seed, 1))

    def _stable(self, x, visible, seed, positions):
        x = x + self._attend(self.layer_norm(x), visible, seed, positions)
        x = x + self.feed_forward(self.final_layer_norm(x), seed=fold(seed, 2))
        return x if self.adapter_layer is None else x + self.adapter_layer(x)

    def _post(self, x, visible, seed, positions):
        x = self.layer_norm(x + self._attend(x, visible, seed, positions))
        return self.final_layer_norm(x + self.feed_forward(x, seed=fold(seed, 2)))


class Encoder(keras.layers.Layer):
    """Positional embedding and blocks: [B, T, C] -> [B, T, C], with LayerDrop in training."""

    def __init__(self, config, **kwargs):
        super().__init__(autocast=False, **kwargs)  # the weights that `read` gives are the stored ones; blocks cast
        self.config, self.gradient_checkpointing = config, False
        self.pos_conv_embed = positional_embedding(config, name="pos_conv_embed")
        relative = config.model_type == "wavlm"
        self.relative_position = RelativePosition(config, name="relative_position") if relative else None
        self.layer_norm = keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name="layer_norm")
        self.blocks = [EncoderLayer(config, name=f"layers_{i}") for i in range(config.num_hidden_layers)]

    def build(self, _):
        """Builds every part on hidden_size."""
        for part in (self.pos_conv_embed, self.layer_norm, *self.blocks):
            part.build((None, None, self.config.hidden_size))
        if self.relative_position is not None:
            self.relative_position.build()

    def call(self, x, frames, seed=None):
        """Runs the blocks over the real frames.

        Args:
            x: [B, T, C] projected features.
            frames: [B] int32 real frames; what lies beyond them changes nothing.
            seed: int32 [2] in training, else None.
        Returns:
            A list of num_hidden_layers + 1 tensors [B, T, C]: the input of the first block, then every block's
            output, the last one normalised where the architecture says so.
        """
        real = tf.sequence_mask(frames, tf.shape(x)[1], dtype=x.dtype)[..., None]
        x = x + self.pos_conv_embed(x, real)
        x = x if self.config.do_stable_layer_norm else self.layer_norm(x)
        states = [dropout(x, self.config.hidden_dropout, fold(seed, 0))]
        visible, positions = attention_mask(frames, tf.shape(x)[1]), None
        if self.relative_position is not None:
            positions = self.relative_position(tf.shape(x)[1])
        for i, block in enumerate(self.blocks):
            states.append(self._maybe_skip(block, states[-1], visible, fold(seed, i + 1), positions))
        if self.config.do_stable_layer_norm:
            states[-1] = self.layer_norm(states[-1])
        return states

    def _maybe_skip(self, block, x, visible, seed, positions):
        """Runs a block, or in training skips it with probability `layerdrop`, drawn anew at every step."""
        if seed is None or self.config.layerdrop == 0:
            return self._runner(block, x, visible, seed, positions)()
        skip = coin(self.config.layerdrop, fold(seed, 0))
        return tf.cond(skip, lambda: x, self._runner(block, x, visible, fold(seed, 1), positions))

    def _runner(self, block, x, visible, seed, positions):
        """Gives a function that runs a block; in training perhaps with nothing kept for the backward pass but `x`."""
        if seed is None or not self.gradient_checkpointing:
            return lambda: block(x, visible, seed=seed, positions=positions)

        def forward(x, positions=None):
            return block(x, visible, seed=seed, positions=positions)

        tensors, state = [x] if positions is None else [x, positions], read(block)
        return lambda: recompute(forward, tensors, state)
