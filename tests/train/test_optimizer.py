import keras
import numpy as np
import pytest
import tensorflow as tf

from train.config import OptimizerConfig
from train.optimizer import apply_gradients, averaged_weights, build_optimizer

MATRIX, VECTOR = np.array([[1.0, -2.0], [3.0, 4.0]], np.float32), np.array([0.5, -0.5], np.float32)
GRADIENTS = [np.array([[0.3, -0.1], [0.0, 0.2]], np.float32), np.array([1.0, 2.0], np.float32)]


def variables():
    return [keras.Variable(MATRIX), keras.Variable(VECTOR)]


def update(optimizer, weights, gradients=GRADIENTS, rate=0.1, clip_norm=0.0):
    tensors, options = [tf.constant(g) for g in gradients], dict(rate=tf.constant(rate), count=1.0, clip_norm=clip_norm)
    return float(tf.sqrt(tf.reduce_sum(apply_gradients(optimizer, tensors, weights, **options))))


def adamw(weight, gradient, config, rate, decays):
    """The first step of AdamW in NumPy, for gradients that are zero or far above epsilon."""
    mean, square = (1 - config.beta_1) * gradient, (1 - config.beta_2) * gradient**2
    mean, square = mean / (1 - config.beta_1), square / (1 - config.beta_2)
    weight = weight - rate * config.weight_decay * weight * decays
    return weight - rate * mean / (np.sqrt(square) + config.epsilon)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_a_step_is_adamw_and_spares_vectors_the_decay(decay):
    config, weights = OptimizerConfig(weight_decay=decay), variables()
    update(build_optimizer(config, weights), weights)
    np.testing.assert_allclose(weights[0], adamw(MATRIX, GRADIENTS[0], config, 0.1, True), rtol=1e-3)
    np.testing.assert_allclose(weights[1], adamw(VECTOR, GRADIENTS[1], config, 0.1, False), rtol=1e-3)


def test_the_rate_of_the_call_is_the_rate_of_the_step():
    small, large = variables(), variables()
    update(build_optimizer(OptimizerConfig(), small), small, rate=1e-3)
    update(build_optimizer(OptimizerConfig(), large), large, rate=1e-2)
    np.testing.assert_allclose((large[1].numpy() - VECTOR) / (small[1].numpy() - VECTOR), 10, rtol=1e-3)


def sgd_after(gradients, clip_norm):
    weights = variables()
    optimizer = keras.optimizers.SGD()
    optimizer.build(weights)
    norm = update(optimizer, weights, gradients, rate=1.0, clip_norm=clip_norm)
    return norm, [old - new.numpy() for old, new in zip((MATRIX, VECTOR), weights, strict=True)]


def test_clipping_scales_the_whole_gradient_to_the_norm_and_tells_the_norm_before():
    norm, steps = sgd_after(GRADIENTS, clip_norm=0.5)
    assert norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in GRADIENTS)))
    for step, gradient in zip(steps, GRADIENTS, strict=True):
        np.testing.assert_allclose(step, gradient * 0.5 / norm, atol=1e-6)


@pytest.mark.parametrize("clip_norm", [0.0, 100.0])
def test_a_gradient_below_the_norm_is_left_alone(clip_norm):
    _, steps = sgd_after(GRADIENTS, clip_norm)
    np.testing.assert_allclose(steps[1], GRADIENTS[1], atol=1e-6)


def test_loss_scaling_changes_neither_norm_nor_step():
    weights = variables()
    optimizer = build_optimizer(OptimizerConfig(), weights, "mixed_float16")
    scale = float(optimizer.scale_loss(1.0))
    assert scale > 1000
    norm = update(optimizer, weights, [g * scale for g in GRADIENTS])
    assert norm == pytest.approx(np.sqrt(sum((g**2).sum() for g in GRADIENTS)))
    np.testing.assert_allclose(weights[0], adamw(MATRIX, GRADIENTS[0], OptimizerConfig(), 0.1, False), rtol=1e-3)


def test_an_overflow_in_float16_skips_the_step_and_lowers_the_scale():
    weights = variables()
    optimizer = build_optimizer(OptimizerConfig(), weights, "mixed_float16")
    scale = float(optimizer.scale_loss(1.0))
    update(optimizer, weights, [GRADIENTS[0] + np.inf, GRADIENTS[1]], clip_norm=1.0)
    np.testing.assert_array_equal(weights[0], MATRIX)
    assert float(optimizer.scale_loss(1.0)) == scale / 2


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_averaged_weights_are_in_place_only_within_the_block(precision):
    weights = variables()
    optimizer = build_optimizer(OptimizerConfig(ema_momentum=0.5), weights, precision)
    seen = []
    for _ in range(3):
        update(optimizer, weights)
        seen.append(weights[0].numpy())
    with averaged_weights(optimizer, weights):
        expected = 0.25 * seen[0] + 0.25 * seen[1] + 0.5 * seen[2]  # the first step sets the average
        np.testing.assert_allclose(weights[0], expected, rtol=1e-5)
    np.testing.assert_array_equal(weights[0], seen[2])


def test_without_an_average_the_block_changes_nothing():
    weights = variables()
    with averaged_weights(build_optimizer(OptimizerConfig(), weights), weights):
        np.testing.assert_array_equal(weights[0], MATRIX)
