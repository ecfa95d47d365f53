"""`Wav2Vec2ForCTC`: the body with a linear layer over the vocabulary, for speech recognition.

The loss is in `ctc`, decoding in `decoding`, reading and writing folders in `hub`.
"""

import dataclasses
from typing import NamedTuple

import keras
import tensorflow as tf

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.layers.chance import dropout, fold
from wav2vec2_tf.layers.initial import random
from wav2vec2_tf.model import Wav2Vec2Model


class BestLabels(NamedTuple):
    """The likeliest label of every frame, [B, T] int32, and the logarithm of its probability, [B, T] float32."""

    ids: tf.Tensor
    log_probs: tf.Tensor


def best_labels(logits, frames, blank: int) -> BestLabels:
    """Takes greedy decoding's step on the device, so that two numbers a frame leave it and not the vocabulary.

    Training's evaluation and transcription both go this way; `decoding.greedy` reads the result.

    Args:
        logits: [B, T, V] float32.
        frames: [B] int32 real frames; those beyond get the blank, with certainty.
        blank: The CTC blank (`pad_token_id`).
    """
    real = tf.sequence_mask(frames, tf.shape(logits)[1])
    ids = tf.where(real, tf.argmax(logits, axis=2, output_type=tf.int32), blank)
    log_probs = tf.reduce_max(logits, axis=2) - tf.reduce_logsumexp(logits, axis=2)
    return BestLabels(ids, tf.where(real, log_probs, 0.0))


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
        self.origin = None  # fetches more files from where from_pretrained found it
        self.wav2vec2 = Wav2Vec2Model(config)
        self.new_head(config.vocab_size)
        self.built = True

    def new_head(self, vocab_size: int):
        """Puts a head with random weights in the place of the one there is.

        Functions traced before (`tf.function`, `compile`) keep the old one: trace them again.

        Args:
            vocab_size: Labels of the new head; the config follows.
        """
        self.config = dataclasses.replace(self.config, vocab_size=vocab_size)
        if self.built:
            self._former_head = [self.lm_head]  # Keras forgets a layer, and its weights, only when it leaves a list
            self._former_head.clear()
        normal = random(keras.initializers.RandomNormal(stddev=self.config.initializer_range))
        self.lm_head = keras.layers.Dense(vocab_size, kernel_initializer=normal, name="lm_head")
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

    def gradient_checkpointing_enable(self):
        """Keeps only each block's input for the backward pass, from the next trace on: less memory for more time."""
        self.wav2vec2.gradient_checkpointing_enable()

    @classmethod
    def from_pretrained(
        cls,
        source,
        input_shape=None,
        *,
        revision=None,
        cache_dir=None,
        token=None,
        local_files_only=False,
        ignore_mismatched_sizes=False,
        **changes,
    ) -> "Wav2Vec2ForCTC":
        """Loads a checkpoint: of this package, of transformers (PyTorch or TensorFlow), fairseq or the earlier TF port.

        A pretraining checkpoint gives its body under a new head, with a warning.

        Args:
            source: A folder, a weight file, a gs:// folder, or a hub id: "org/name" or "org/name@revision".
            input_shape: Taken for the earlier TF port's sake, and not needed.
            revision, cache_dir, token, local_files_only: As in huggingface_hub, for a hub id.
            ignore_mismatched_sizes: Replace a head of another size than `vocab_size` by a new one.
            changes: Fields of config.json that shall be other, such as `vocab_size`, `pad_token_id`, `layerdrop`.
        Returns:
            The model, in float32 or what the Keras dtype policy says.
        Raises:
            FileNotFoundError: There is no such source, or it holds no checkpoint.
            ConnectionError, PermissionError: The hub cannot be reached, or does not let one in.
            ValueError: A file is damaged or hostile, or describes another kind of model; or config and tensors do not
                fit, in which case every finding is listed.
        """
        from wav2vec2_tf import hub  # network and disk come in only when asked for

        where = dict(revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only)
        return hub.load(cls, source, ignore_mismatched_sizes=ignore_mismatched_sizes, changes=changes, **where)

    def load_adapter(self, language: str):
        """Switches a multilingual model (MMS) to another language: its adapters and its head.

        Functions traced before keep the old head: trace them again. With `tf.distribute`, call it in the strategy's
        scope, as the head may be a new one. The vocabulary is the tokenizer's business
        (`set_target_lang`).

        Args:
            language: As in the file names adapter.LANGUAGE.safetensors beside the model, such as "swe".
        Raises:
            FileNotFoundError: There is none for this language; the message lists those there are.
            ValueError: The model has no adapters, or the file does not fit; the model is as it was.
        """
        from wav2vec2_tf import hub

        hub.load_adapter(self, language)

    def save_pretrained(self, folder):
        """Writes config.json and model.safetensors in the Hugging Face names; see `hub.save`."""
        from wav2vec2_tf import hub

        hub.save(self, folder)

    def push_to_hub(self, repo_id: str, **settings) -> str:
        """Uploads what `save_pretrained` writes to the hub; the processor has a `push_to_hub` of its own.

        Args:
            repo_id: "org/name".
            settings: `token`, `private`, `revision`, `commit_message`, as for `remote.push`.
        Returns:
            The URL of the model.
        """
        from wav2vec2_tf import hub

        return hub.push(self, repo_id, **settings)
