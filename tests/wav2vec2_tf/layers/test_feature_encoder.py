"""Claims about the feature encoder: real samples only, frozen when asked."""

import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tests.tiny import ARCHITECTURES, noise, perturb, tiny
from wav2vec2_tf.layers.feature_encoder import FeatureEncoder, FeatureProjection, MaskedGroupNorm
from wav2vec2_tf.lengths import frames_for

SIZES = [640, 300, 58, 57, 0]


def built(architecture, **changes):
    layer = FeatureEncoder(tiny(architecture, **changes))
    layer.build(None)
    return perturb(layer)


def test_group_norm_counts_real_frames_only():
    layer, x = MaskedGroupNorm(), 5 + noise(3, 9, 4)
    layer.build((None, None, 4))
    perturb(layer)
    truth = reference.group_norm(x, [9, 4, 0], layer.gamma.numpy(), layer.beta.numpy())
    found = layer(x, tf.constant([9, 4, 0])).numpy()
    np.testing.assert_allclose(found[0], truth[0], atol=1e-5)
    np.testing.assert_allclose(found[1, :4], truth[1, :4], atol=1e-5)
    assert np.isfinite(found).all()


def test_group_norm_is_taken_in_float32():
    layer = MaskedGroupNorm(dtype="mixed_float16")
    layer.build((None, None, 4))
    x = (1000 + noise(1, 2000, 4)).astype(np.float16)  # the sum of 2000 such numbers is no float16
    found = layer(x, tf.constant([2000]))
    assert found.dtype == tf.float16
    np.testing.assert_allclose(found, reference.group_norm(x, [2000], 1, 0), atol=0.01)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_frames_are_as_many_as_lengths_says(architecture):
    layer = built(architecture)
    for num_samples in (58, 121, 122, 640):
        frames = layer(noise(1, num_samples), tf.constant([num_samples])).shape[1]
        assert frames == frames_for(num_samples, layer.config.convs)


@pytest.mark.parametrize("rubbish", [0.0, 1e30, np.nan])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_padding_changes_no_real_frame(architecture, rubbish):
    layer, audio = built(architecture), noise(len(SIZES), 640)
    padded = np.where(np.arange(640) < np.array(SIZES)[:, None], audio, np.float32(rubbish))
    together = layer(padded, tf.constant(SIZES)).numpy()
    assert np.isfinite(together).all()
    for row, size in enumerate(SIZES[:3]):
        alone = layer(audio[row : row + 1, :size], tf.constant([size])).numpy()[0]
        np.testing.assert_allclose(together[row, : len(alone)], alone, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_conv_bias_adds_one_weight_per_convolution(bias):
    assert sum("bias" in weight.name for weight in built("layer_norm", conv_bias=bias).weights) == 3 * bias


def test_group_norm_is_in_the_first_convolution_only():
    assert [layer.layer_norm is not None for layer in built("group_norm").conv_layers] == [True, False, False]
    assert [layer.layer_norm is not None for layer in built("layer_norm").conv_layers] == [True, True, True]


def test_frozen_convolutions_pass_no_gradient():
    layer, audio = built("group_norm"), tf.constant(noise(1, 640))
    for trainable in (True, False):
        layer.trainable = trainable
        with tf.GradientTape() as tape:
            tape.watch(audio)
            loss = tf.reduce_sum(layer(audio, tf.constant([640])) ** 2)
        assert (tape.gradient(loss, audio) is not None) is trainable


def test_projection_drops_out_with_a_seed():
    layer, x = FeatureProjection(tiny(feat_proj_dropout=0.5)), noise(1, 50, 8)
    layer.build(None)
    assert np.mean(layer(x, seed=tf.constant([1, 2])) == 0) == pytest.approx(0.5, abs=0.08)
    assert np.mean(layer(x) == 0) < 0.01


def test_projection_may_do_without_its_norm():
    layer, x = FeatureProjection(tiny("hubert", feat_proj_layer_norm=False)), noise(1, 5, 8)
    layer.build(None)
    np.testing.assert_array_equal(layer(x), layer.projection(x))
    assert len(layer.weights) == 2
