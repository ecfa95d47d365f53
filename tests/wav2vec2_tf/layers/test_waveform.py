"""Claims about normalising on the device: real samples only, whatever the padding holds."""

import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tests.tiny import noise
from wav2vec2_tf.layers.waveform import normalize, to_float


def test_rows_have_zero_mean_and_unit_variance_over_real_samples():
    audio = 3 + 0.1 * noise(3, 500)
    found = normalize(tf.constant(audio), tf.constant([500, 200, 0]))
    np.testing.assert_allclose(found, reference.normalize(audio, [500, 200, 0]), atol=1e-4)


def test_int16_equals_the_same_samples_as_floats():
    audio = (8000 * noise(2, 300)).clip(-32768, 32767).astype(np.int16)
    sizes = tf.constant([300, 100])
    np.testing.assert_array_equal(normalize(tf.constant(audio), sizes), normalize(audio / np.float32(32768), sizes))
    assert to_float(tf.constant([-32768, 16384], tf.int16)).numpy().tolist() == [-1.0, 0.5]


def test_silence_becomes_zeros_and_no_nan():
    assert not normalize(tf.zeros([1, 50], tf.int16), tf.constant([50])).numpy().any()


@pytest.mark.parametrize("rubbish", [1e30, np.nan])
def test_padding_changes_nothing(rubbish):
    audio = noise(1, 300)
    clean = normalize(audio, tf.constant([200]))
    audio[:, 200:] = rubbish
    np.testing.assert_array_equal(normalize(audio, tf.constant([200])), clean)
    assert not clean[:, 200:].numpy().any()
