"""`Wav2Vec2ForCTC`: the body with a linear layer over the vocabulary, for speech recognition.

The loss is in `ctc`, decoding in `decoding`, reading and writing folders in `hub`.
"""

import keras
import tensorflow as tf

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.layers.chance import dropout, fold
from wav2vec2_tf.layers.initial import random
from wav2vec2_tf.model import Wav2Vec2Model


class Wav2Vec2ForCTC(keras.Model):
    """wav2vec 2.0 with a CTC head.

    >>> config = Wav2Vec2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    ...                         conv_dim=(8,) * 7, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2)
    >>> Wav2Vec2ForCTC(config)(tf.zeros([2, 16_000])).shape
    TensorShape([2, 49, 32])

    Args:
        config: The architecture; `vocab_size` sets the width of the head.
        input_shape: Taken for the earlier TF port's sake, and not needed: weights are made from the config.
    """

    def __init__(self, config: Wav2Vec2Config, input_shape=None, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.wav2vec2 = Wav2Vec2Model(config)
        normal = random(keras.initializers.RandomNormal(stddev=config.initializer_range))
        self.lm_head = keras.layers.Dense(config.vocab_size, kernel_initializer=normal, name="lm_head")
        self.build()

    def build(self, input_shape=None):
        """Makes the weights of the head; the body made its own."""
        self.lm_head.build((None, None, self.config.hidden_size))

    def call(self, input_values, num_samples=None, training=False, seed=None):
        """Scores every label at every frame.

        Args:
            input_values, num_samples, training, seed: As for `Wav2Vec2Model`.
        Returns:
            [B, T, V] float32 logits under every precision; frames beyond `frame_lengths(num_samples)` are padding.
        """
        if training and seed is None:
            seed = self.wav2vec2.next_seed()
        x = self.wav2vec2(input_values, num_samples=num_samples, training=training, seed=fold(seed, 0))
        x = dropout(x, self.config.final_dropout, fold(seed, 1) if training else None)
        return tf.cast(self.lm_head(x), tf.float32)

    def frame_lengths(self, num_samples):
        """Gives the real frames of clips: [B] samples -> [B] frames."""
        return self.wav2vec2.frame_lengths(num_samples)

    def freeze_feature_encoder(self):
        """Fixes the convolutions: no gradient is computed for them from the next trace on."""
        self.wav2vec2.freeze_feature_encoder()

    freeze_feature_extractor = freeze_feature_encoder  # the earlier TF port's name

    @classmethod
    def from_pretrained(cls, source, input_shape=None) -> "Wav2Vec2ForCTC":
        """Loads a model from a folder written by `save_pretrained` or by Hugging Face; see `hub.load`.

        `input_shape` is taken for the earlier TF port's sake, and not needed.
        """
        from wav2vec2_tf import hub  # network and disk come in only when asked for

        return hub.load(cls, source)

    def save_pretrained(self, folder):
        """Writes config.json and model.safetensors in the Hugging Face names; see `hub.save`."""
        from wav2vec2_tf import hub

        hub.save(self, folder)
