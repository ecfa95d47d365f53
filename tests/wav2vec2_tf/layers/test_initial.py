"""Claims about random initial weights: Keras sees an initializer like any other, also when it copies a layer."""

import keras
import numpy as np

from wav2vec2_tf.layers.initial import random


def test_a_layer_is_made_again_from_its_config():
    layer = keras.layers.Dense(3, kernel_initializer=random(keras.initializers.RandomNormal(stddev=0.5, seed=4)))
    again = keras.layers.Dense.from_config(layer.get_config())
    for dense in (layer, again):
        dense.build((None, 40))
    np.testing.assert_array_equal(again.kernel, layer.kernel)
    assert 0.3 < np.std(layer.kernel) < 0.7


def test_a_clone_without_a_seed_draws_other_numbers():
    normal = random("he_normal")
    assert np.abs(normal((4, 4)) - normal.clone()((4, 4))).max() > 0
