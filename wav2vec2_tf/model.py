"""`Wav2Vec2Model`: waveform -> contextual vectors, the body that every task and every family shares.

Weights are made at once, from the config alone; what HuBERT, data2vec and WavLM do otherwise is in their layers. Heads
are in `model_ctc`, files in `hub`.
"""

import keras
import tensorflow as tf

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.layers.chance import fold
from wav2vec2_tf.layers.encoder import Encoder
from wav2vec2_tf.layers.feature_encoder import FeatureEncoder, FeatureProjection
from wav2vec2_tf.layers.masking import mask_channels, mask_time
from wav2vec2_tf.lengths import frames_for, samples_for


class Wav2Vec2Model(keras.Model):
    """The feature encoder and the transformer.

    >>> config = Wav2Vec2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
    ...                         conv_dim=(8,) * 7, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2)
    >>> Wav2Vec2Model(config)(tf.zeros([2, 16_000])).shape
    TensorShape([2, 49, 16])

    Args:
        config: The architecture; its `model_type` picks the family.
    """

    def __init__(self, config: Wav2Vec2Config, name: str = "wav2vec2", **kwargs):
        super().__init__(name=name, **kwargs)
        self.config = config
        self.feature_extractor = FeatureEncoder(config, name="feature_extractor")
        self.feature_projection = FeatureProjection(config, name="feature_projection")
        self.encoder = Encoder(config, name="encoder")
        self._seeds = keras.random.SeedGenerator(0)
        self.build()

    def build(self, input_shape=None):
        """Makes every weight; called by the constructor."""
        self.masked_spec_embed = self.add_weight(
            name="masked_spec_embed", shape=(self.config.hidden_size,), initializer="uniform"
        )
        for part in (self.feature_extractor, self.feature_projection, self.encoder):
            part.build(None)

    def call(self, input_values, num_samples=None, training=False, seed=None, output_hidden_states=False):
        """Encodes a batch of waveforms.

        Args:
            input_values: [B, S] float samples at 16 kHz, normalised as the checkpoint's processor says.
            num_samples: [B] int32 real samples of each row; None means that every row is S long. What lies beyond
                changes nothing.
            training: Whether dropout, masking and LayerDrop act.
            seed: int32 [2], such as (run seed, step), from which every draw of this call comes; None in training
                takes the next pair of the model's own generator (the way `fit` goes).
            output_hidden_states: Also return the input and output of every block.
        Returns:
            [B, T, hidden_size]; with `output_hidden_states`, that and a list of num_hidden_layers + 1 such tensors.
        Raises:
            ValueError: `input_values` is not [B, S] or not float, or too short for one frame.
        """
        self._check(input_values)
        if num_samples is None:
            num_samples = tf.fill([tf.shape(input_values)[0]], tf.shape(input_values)[1])
        if training:
            seed = self.next_seed() if seed is None else tf.cast(seed, tf.int32)
        else:
            seed = None
        frames = frames_for(num_samples, self.config.convs)
        x = self.feature_projection(self.feature_extractor(input_values, num_samples), seed=fold(seed, 0))
        states = self.encoder(self._mask(x, frames, fold(seed, 1)), frames, seed=fold(seed, 2))
        return (states[-1], states) if output_hidden_states else states[-1]

    def frame_lengths(self, num_samples):
        """Gives the real frames of clips: [B] samples -> [B] frames."""
        return frames_for(num_samples, self.config.convs)

    def freeze_feature_encoder(self):
        """Fixes the convolutions: no gradient is computed for them from the next trace on."""
        self.feature_extractor.trainable = False

    freeze_feature_extractor = freeze_feature_encoder  # the earlier TF port's name

    def gradient_checkpointing_enable(self):
        """Keeps only each block's input for the backward pass, from the next trace on: less memory for more time."""
        self.encoder.gradient_checkpointing = True

    def next_seed(self):
        """Gives the next pair of the model's own generator, int32 [2]; its state is saved with the model by Keras."""
        return tf.cast(self._seeds.next(), tf.int32)

    def _check(self, input_values):
        shape, need = input_values.shape, samples_for(1, self.config.convs)
        if len(shape) != 2:
            raise ValueError(f"input_values must be [batch, samples]; got {shape}. Add a batch axis, or drop channels.")
        if not input_values.dtype.is_floating:
            raise ValueError(
                f"input_values must be float; got {input_values.dtype.name}. "
                f"Normalise them first, with Wav2Vec2Processor or layers.waveform.normalize."
            )
        if shape[1] is not None and shape[1] < need:
            raise ValueError(
                f"input_values hold {shape[1]} samples; one frame takes {need}. Pad, or leave the clip out."
            )

    def _mask(self, x, frames, seed):
        config = self.config
        if seed is None or not config.apply_spec_augment:
            return x
        if config.mask_time_prob > 0:
            x = mask_time(x, frames, self.masked_spec_embed, config, fold(seed, 0))
        if config.mask_feature_prob > 0:
            x = mask_channels(x, config, fold(seed, 1))
        return x
