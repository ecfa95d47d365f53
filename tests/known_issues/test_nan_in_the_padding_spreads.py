"""Padding was multiplied by zero, which leaves a NaN a NaN: one bad value behind a clip spoilt all its frames."""

import numpy as np
import tensorflow as tf

from tests.tiny import noise, tiny
from wav2vec2_tf import Wav2Vec2ForCTC
from wav2vec2_tf.layers.waveform import normalize


def test_a_nan_behind_the_clip_reaches_no_frame():
    audio = noise(1, 1280)
    audio[:, 700:] = np.nan
    sizes = tf.constant([700])
    assert np.isfinite(Wav2Vec2ForCTC(tiny())(audio, sizes)).all()
    assert np.isfinite(normalize(audio, sizes)).all()
