"""Claims about the positional convolution: groups, weight norm, and centring as in the original."""

import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tests.tiny import noise, perturb, tiny
from wav2vec2_tf.layers.positional import PositionalConvEmbedding


def built(**changes):
    layer = PositionalConvEmbedding(tiny(feat_extract_activation="relu", **changes))
    layer.build((None, None, 16))
    return layer


@pytest.mark.parametrize("taps", [1, 4, 5])
@pytest.mark.parametrize("groups", [1, 4])
def test_it_is_a_grouped_convolution_of_as_many_frames(taps, groups):
    layer = perturb(built(num_conv_pos_embeddings=taps, num_conv_pos_embedding_groups=groups))
    x = noise(2, 7, 16)
    truth = reference.grouped_convolution(x, layer.kernel().numpy(), layer.bias.numpy(), groups)
    np.testing.assert_allclose(layer(x), np.maximum(truth, 0), atol=1e-5)


def test_the_kernel_has_the_norm_that_weight_g_asks_per_tap():
    layer = perturb(built())
    norms = np.sqrt((layer.kernel().numpy() ** 2).sum((1, 2)))
    np.testing.assert_allclose(norms, np.abs(layer.weight_g.numpy()[0, 0]), rtol=1e-5)


def test_the_kernel_starts_as_weight_v():
    layer = built()
    np.testing.assert_allclose(layer.kernel(), layer.weight_v.numpy(), rtol=1e-5)


def test_both_parts_of_the_weight_have_a_gradient():
    layer = built()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(noise(1, 9, 16)) ** 2)
    assert all(tf.reduce_any(gradient != 0) for gradient in tape.gradient(loss, layer.trainable_weights))
