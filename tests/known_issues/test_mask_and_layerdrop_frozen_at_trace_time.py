"""Two published TF ports draw with NumPy while tracing: one SpecAugment mask, and the same skipped layers, for ever."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import NO_CHANCE, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2ForCTC


@pytest.mark.parametrize("chance", [{"mask_time_prob": 0.4}, {"mask_feature_prob": 0.4}, {"layerdrop": 0.5}])
def test_one_traced_function_draws_anew_at_every_step(chance):
    model, audio = perturb(Wav2Vec2ForCTC(tiny(**NO_CHANCE | chance))), noise(2, 1280)
    traced = tf.function(lambda step: model(audio, training=True, seed=tf.stack([1, step])))
    outputs = {traced(tf.constant(step)).numpy().tobytes() for step in range(12)}
    assert len(outputs) >= 3  # of layerdrop, with two blocks, there are four
    assert traced.experimental_get_tracing_count() == 1


def test_the_models_own_generator_moves_on_inside_one_trace():
    model, audio = perturb(Wav2Vec2ForCTC(tiny(**NO_CHANCE | {"mask_time_prob": 0.4}))), noise(2, 1280)
    traced = tf.function(lambda: model(audio, training=True))
    assert not np.allclose(traced(), traced())
