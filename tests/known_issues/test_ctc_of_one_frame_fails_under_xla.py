"""A scan over no further frames cannot be compiled: the loss of one-frame clips failed under XLA."""

import numpy as np
import tensorflow as tf

from wav2vec2_tf import ctc_loss


def test_one_frame_compiles():
    compiled = tf.function(ctc_loss, jit_compile=True)
    arguments = (tf.zeros([1, 1, 4]), tf.constant([1]), tf.constant([[2]]), tf.constant([1]))
    np.testing.assert_allclose(compiled(*arguments), [np.log(4)], rtol=1e-6)
