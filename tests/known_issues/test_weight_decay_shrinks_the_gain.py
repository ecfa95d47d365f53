"""Weight decay spared vectors only; the gain of weight norm has three axes, (1, 1, K), and was shrunk at every step."""

import keras
import numpy as np
import tensorflow as tf

from train.config import OptimizerConfig
from train.optimizer import apply_gradients, build_optimizer


def test_a_gain_of_several_axes_is_spared_the_decay():
    gain, still = keras.Variable(np.array([[[0.5, -0.5]]], np.float32)), [tf.zeros((1, 1, 2))]
    optimizer = build_optimizer(OptimizerConfig(weight_decay=0.3), [gain])
    settings = dict(rate=tf.constant(0.1), count=1.0, clip_norm=0.0)
    tf.distribute.get_strategy().run(apply_gradients, (optimizer, still, [gain]), settings)
    np.testing.assert_array_equal(gain.numpy().ravel(), [0.5, -0.5])
