"""The vocabulary beside the shards, and how texts become labels under it while they are read.

Making one of transcripts is left to `texts`. TensorFlow is imported where labels are looked up.
"""

import base64
import json

import numpy as np

from data_tools.place import Place
from wav2vec2_tf.text.subwords import SubwordTokenizer
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.text.tokenizer_files import SUBWORD_FILE

_CHARACTER_FILE = "vocab.json"


def vocabulary_file(tokenizer: Wav2Vec2CTCTokenizer) -> str:
    """Names the file that a vocabulary lies in: vocab.json, or tokenizer.model for subwords."""
    return SUBWORD_FILE if isinstance(tokenizer, SubwordTokenizer) else _CHARACTER_FILE


def save_vocabulary(tokenizer: Wav2Vec2CTCTokenizer, shards: Place) -> None:
    """Writes a vocabulary beside shards, in the place of any that is there; raises OSError where that fails."""
    name = vocabulary_file(tokenizer)
    if name == SUBWORD_FILE:
        shards.write_bytes(name, tokenizer.model)
    else:
        shards.write_text(name, json.dumps(tokenizer.vocab, indent=2, ensure_ascii=False) + "\n")
    shards.remove(_CHARACTER_FILE if name == SUBWORD_FILE else SUBWORD_FILE)


def load_vocabulary(shards: Place) -> Wav2Vec2CTCTokenizer:
    """Reads the vocabulary beside shards.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read.
        ValueError: It is not JSON, or breaks a rule.
    """
    if shards.exists(SUBWORD_FILE):
        return SubwordTokenizer(shards.read_bytes(SUBWORD_FILE), shards / SUBWORD_FILE)
    path = shards / _CHARACTER_FILE
    try:
        vocab = json.loads(shards.read_text(_CHARACTER_FILE))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no {path}. Copy it from where the shards were written.") from error
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Copy it again.") from error
    return Wav2Vec2CTCTokenizer(vocab)


def label_options(tokenizer: Wav2Vec2CTCTokenizer) -> dict:
    """Gives what `reader.batches` wants to know about a vocabulary, as JSON knows it."""
    if isinstance(tokenizer, SubwordTokenizer):
        return dict(characters={}, unk_id=tokenizer.unk_token_id, subwords=base64.b64encode(tokenizer.model).decode())
    return dict(characters=tokenizer.characters, unk_id=tokenizer.unk_token_id)


def character_lookup(labels: np.ndarray):
    """Makes the function that turns texts into labels of characters in a graph.

    Args:
        labels: From `reader.label_table`.
    Returns:
        string [B] -> ragged int32 [B, labels].
    """
    import tensorflow as tf

    table = tf.constant(labels)

    def look_up(texts):
        ids = tf.strings.unicode_decode(texts, "UTF-8")
        return ids.with_flat_values(tf.gather(table, tf.minimum(ids.flat_values, len(labels) - 1)))

    return look_up


def subword_lookup(model: str):
    """Makes the function that turns texts into subwords in a graph; Python runs it, some microseconds per text.

    Args:
        model: What `label_options` says.
    Returns:
        string [B] -> ragged int32 [B, labels].
    """
    import tensorflow as tf

    tokenizer = SubwordTokenizer(base64.b64decode(model))

    def encode(texts):
        rows = tokenizer.encode_all([text.decode() for text in texts])
        flat = np.fromiter((label for row in rows for label in row), np.int32)
        return flat, np.array([len(row) for row in rows], np.int64)

    def look_up(texts):
        flat, lengths = tf.numpy_function(encode, [texts], [tf.int32, tf.int64], stateful=False)
        flat, lengths = tf.ensure_shape(flat, [None]), tf.ensure_shape(lengths, texts.shape)
        return tf.RaggedTensor.from_row_lengths(flat, lengths, validate=False)

    return look_up
