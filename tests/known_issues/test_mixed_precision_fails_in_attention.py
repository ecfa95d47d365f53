"""Keras cast the float attention mask to the compute type: mixed policies raised, and -1e9 is -inf in float16."""

import keras
import numpy as np
import pytest

from tests.tiny import noise, tiny
from wav2vec2_tf import Wav2Vec2ForCTC


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_mixed_model_runs_with_an_empty_row(policy):
    keras.config.set_dtype_policy(policy)
    try:
        assert np.isfinite(Wav2Vec2ForCTC(tiny())(noise(2, 640), np.array([640, 0], np.int32))).all()
    finally:
        keras.config.set_dtype_policy("float32")
