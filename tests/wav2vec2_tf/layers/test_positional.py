"""Claims about the positional convolutions: groups, norms, centring as in the originals, and blindness to padding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tests.tiny import noise, perturb, tiny
from wav2vec2_tf.layers.positional import positional_embedding

REAL = np.ones((1, 1, 1), np.float32)  # every frame


def built(architecture="group_norm", **changes):
    layer = positional_embedding(tiny(architecture, feat_extract_activation="relu", **changes))
    layer.build((None, None, 16))
    return layer


@pytest.mark.parametrize("taps", [1, 4, 5])
@pytest.mark.parametrize("groups", [1, 4])
def test_it_is_a_grouped_convolution_of_as_many_frames(taps, groups):
    layer = perturb(built(num_conv_pos_embeddings=taps, num_conv_pos_embedding_groups=groups))
    x = noise(2, 7, 16)
    truth = reference.grouped_convolution(x, layer.kernel().numpy(), layer.bias.numpy(), groups)
    np.testing.assert_allclose(layer(x, REAL), np.maximum(truth, 0), atol=1e-5)


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
        loss = tf.reduce_sum(layer(noise(1, 9, 16), REAL) ** 2)
    assert all(tf.reduce_any(gradient != 0) for gradient in tape.gradient(loss, layer.trainable_weights))


@pytest.mark.parametrize("taps", [3, 4])
def test_data2vec_stacks_convolutions_with_a_norm_that_has_no_weights(taps):
    layer, x = perturb(built("data2vec", conv_pos_kernel_size=taps)), noise(2, 7, 16)
    found = layer(x, REAL)
    for conv in layer.convs:
        x = reference.grouped_convolution(x, conv.kernel.numpy(), conv.bias.numpy(), 2)
        x = np.maximum((x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5), 0)
    np.testing.assert_allclose(found, x, atol=1e-5)
    assert len(layer.weights) == 2 * len(layer.convs) == 4


def test_hubert_may_normalise_with_the_statistics_of_the_checkpoint():
    layer, x = perturb(built("hubert")), noise(2, 7, 16)
    norm = {weight.name: weight.numpy() for weight in layer.batch_norm.weights}
    scaled = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 1e-5) * norm["gamma"] + norm["beta"]
    truth = reference.grouped_convolution(scaled, layer.kernel.numpy(), layer.bias.numpy(), 2)
    np.testing.assert_allclose(layer(x, REAL), np.maximum(truth, 0), atol=1e-5)


def test_the_statistics_stay_as_they_are_in_training():
    layer = perturb(built("hubert"))
    before = layer.batch_norm.moving_mean.numpy()
    keras.Sequential([keras.layers.Lambda(lambda x: layer(x, REAL))])(5 + noise(2, 7, 16), training=True)
    np.testing.assert_array_equal(layer.batch_norm.moving_mean, before)
    assert {weight.name for weight in layer.non_trainable_weights} == {"moving_mean", "moving_variance"}


@pytest.mark.parametrize("architecture", ["group_norm", "hubert", "data2vec"])
def test_padding_reaches_no_real_frame(architecture):
    layer, x = perturb(built(architecture)), noise(1, 9, 16)
    alone = layer(x[:, :5], REAL)
    real = tf.sequence_mask([5], 9, dtype=tf.float32)[..., None]
    np.testing.assert_allclose(layer(x, real)[:, :5], alone, atol=1e-5)
