"""The earlier TF port's documented training, with only the import changed; inference is in `test_port.py`."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import tiny
from wav2vec2_tf import CTCLoss, Wav2Vec2ForCTC, Wav2Vec2Model

AUDIO_MAXLEN, LABEL_MAXLEN, BATCH_SIZE = 1300, 6, 2


@pytest.fixture
def folder(tmp_path):
    Wav2Vec2ForCTC(tiny(num_hidden_layers=1)).save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


@pytest.fixture
def train_dataset():
    def inputs_generator():
        rng = np.random.default_rng(0)
        for length, labels in ((1300, [1, 2, 2, 3]), (900, [4, 5]), (1000, [6, 7, 8]), (700, [])):
            yield tf.constant(rng.standard_normal(length), tf.float32), tf.constant(labels, tf.int32)

    output_signature = (tf.TensorSpec(shape=(None), dtype=tf.float32), tf.TensorSpec(shape=(None), dtype=tf.int32))
    dataset = tf.data.Dataset.from_generator(inputs_generator, output_signature=output_signature)
    shapes = (AUDIO_MAXLEN, LABEL_MAXLEN)
    return dataset.padded_batch(BATCH_SIZE, padded_shapes=shapes, padding_values=(0.0, 0)).prefetch(tf.data.AUTOTUNE)


def test_documented_fine_tuning_runs_as_written(folder, train_dataset, tmp_path):
    model = Wav2Vec2ForCTC.from_pretrained(folder, input_shape=(1, AUDIO_MAXLEN))
    model.freeze_feature_extractor()
    frozen = model.wav2vec2.feature_extractor.get_weights()
    loss_fn = CTCLoss(model.config, (BATCH_SIZE, AUDIO_MAXLEN), division_factor=BATCH_SIZE)
    optimizer = tf.keras.optimizers.Adam(1e-2)

    model.compile(optimizer, loss=loss_fn)
    before = model.evaluate(train_dataset, return_dict=True)
    history = model.fit(train_dataset, validation_data=train_dataset, epochs=12)

    assert np.isfinite(history.history["loss"]).all()
    assert model.evaluate(train_dataset, return_dict=True)["loss"] < 0.7 * before["loss"]
    for weight, old in zip(model.wav2vec2.feature_extractor.get_weights(), frozen, strict=True):
        np.testing.assert_array_equal(weight, old)

    # what `fit` leaves is a model like any other
    speech = next(iter(train_dataset))[0]
    logits = model(speech, training=False)
    np.testing.assert_allclose(model.predict(speech, verbose=0), logits, atol=1e-4)
    model.save_pretrained(tmp_path / "tuned")
    again = Wav2Vec2ForCTC.from_pretrained(tmp_path / "tuned")
    np.testing.assert_array_equal(again(speech), logits)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_fit_draws_anew_at_every_step(folder, train_dataset, jit_compile):
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    loss_fn = CTCLoss(config=model.config, model_input_shape=(BATCH_SIZE, AUDIO_MAXLEN))
    model.compile(tf.keras.optimizers.SGD(0.0), loss=loss_fn, jit_compile=jit_compile)  # nothing is learned
    history = model.fit(train_dataset.take(1), epochs=4, verbose=0)
    assert len(set(history.history["loss"])) == 4


def test_a_fresh_model_takes_an_input_shape(train_dataset):
    model = Wav2Vec2ForCTC(tiny(), input_shape=(1, AUDIO_MAXLEN))
    assert model(next(iter(train_dataset))[0]).shape == (BATCH_SIZE, 20, 9)


def test_the_loss_called_by_hand_is_one_number_eager_and_traced(train_dataset):
    model = Wav2Vec2ForCTC(tiny())
    speech, labels = next(iter(train_dataset))
    loss_fn = CTCLoss(model.config, speech.shape, division_factor=BATCH_SIZE)
    logits = model(speech)
    assert float(tf.function(loss_fn)(labels, logits)) == pytest.approx(float(loss_fn(labels, logits)), rel=1e-6)


def test_the_body_is_a_layer_of_a_functional_model(train_dataset):
    config = tiny()
    inputs = tf.keras.Input(shape=(AUDIO_MAXLEN,))
    hidden_states = Wav2Vec2Model(config)(inputs)
    outputs = tf.keras.layers.Dense(config.vocab_size)(hidden_states)
    model = tf.keras.Model(inputs=inputs, outputs=outputs)
    model.compile(tf.keras.optimizers.Adam(1e-2), loss=CTCLoss(config, (BATCH_SIZE, AUDIO_MAXLEN)))
    history = model.fit(train_dataset, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
