"""One transcript too long for its clip made the loss of a whole run inf (transformers #19044); tf.nn says 700-odd."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import noise, tiny
from wav2vec2_tf import Wav2Vec2ForCTC, ctc_loss

LABELS = np.array([[1, 2, 3, 4, 5, 6], [1, 2, 0, 0, 0, 0]], np.int32)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_an_infeasible_row_leaves_the_others_their_loss_and_gradient(jit):
    model, audio = Wav2Vec2ForCTC(tiny()), noise(2, 320)  # 5 frames for 6 labels

    @tf.function(jit_compile=jit)
    def step(labels, num_labels, rows):
        with tf.GradientTape() as tape:
            losses = ctc_loss(model(audio)[rows:], [5, 5][rows:], labels, num_labels)
        return losses, tape.gradient(losses, model.lm_head.kernel.value)

    losses, gradient = step(LABELS, np.array([6, 2], np.int32), 0)
    alone, gradient_alone = step(LABELS[1:], np.array([2], np.int32), 1)
    np.testing.assert_allclose(losses, [0, alone[0]], rtol=1e-5)
    np.testing.assert_allclose(gradient, gradient_alone, atol=1e-5)
