"""The earlier TF port's documented inference, with only the import changed."""

import numpy as np
import pytest
import soundfile

tf = pytest.importorskip("tensorflow")

SIZES = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8,) * 7)
POSITIONS = dict(num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2)


@pytest.fixture
def folder(tmp_path):
    from wav2vec2_tf import Wav2Vec2Config, Wav2Vec2ForCTC

    Wav2Vec2ForCTC(Wav2Vec2Config(**SIZES, **POSITIONS)).save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def file_path(tmp_path):
    soundfile.write(tmp_path / "speech.wav", np.random.default_rng(0).normal(size=16_000) * 0.1, 16_000)
    return str(tmp_path / "speech.wav")


def test_documented_inference_runs_as_written(folder, file_path):
    from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor

    speech = tf.constant(soundfile.read(file_path)[0])
    processor = Wav2Vec2Processor(is_tokenizer=False)
    tokenizer = Wav2Vec2Processor(is_tokenizer=True)
    model = Wav2Vec2ForCTC.from_pretrained(folder)

    speech = tf.expand_dims(processor(speech), axis=0)
    logits = model(speech)
    prediction = tf.argmax(logits, axis=-1)

    assert logits.shape == (1, 49, 32)
    assert isinstance(tokenizer.decode(prediction), str)
    assert tokenizer.decode(tf.squeeze(prediction).numpy().tolist()) == tokenizer.decode(prediction)


def test_documented_preprocessing_feeds_a_dataset(file_path):
    from wav2vec2_tf import Wav2Vec2Processor

    tokenizer = Wav2Vec2Processor(is_tokenizer=True)
    processor = Wav2Vec2Processor(is_tokenizer=False)

    def inputs_generator():
        audio = tf.constant(soundfile.read(file_path)[0], dtype=tf.float32)
        yield processor(tf.transpose(audio)), tf.constant(tokenizer("HELLO WORLD"), dtype=tf.int32)

    output_signature = (tf.TensorSpec(shape=(None), dtype=tf.float32), tf.TensorSpec(shape=(None), dtype=tf.int32))
    dataset = tf.data.Dataset.from_generator(inputs_generator, output_signature=output_signature)
    dataset = dataset.padded_batch(1, padded_shapes=(24_600, 16), padding_values=(0.0, 0))
    speech, labels = next(iter(dataset))
    assert speech.shape == (1, 24_600)
    assert [tokenizer.decode(label, group_tokens=False) for label in labels.numpy().tolist()] == ["HELLO WORLD"]
