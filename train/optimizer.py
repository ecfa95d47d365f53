"""An optimizer for a model, and what a loop does to it: apply gradients, and put averages in place.

The learning rate comes in from outside, per step (`schedules`). Clipping happens here, on the gradient of the whole
update, since Keras clips before it sums over replicas; summing is `step`'s.
"""

import contextlib

import keras
import tensorflow as tf

from train.config import OptimizerConfig
from train.optimizer_kinds import make_optimizer


def build_optimizer(config: OptimizerConfig, variables, precision: str = "float32") -> keras.optimizers.Optimizer:
    """Makes the optimizer with all its state.

    Args:
        config: Kind, rates and momenta.
        variables: The trainable variables, in the order in which gradients will come.
        precision: With `mixed_float16` the loss is scaled dynamically.
    Returns:
        A built Keras optimizer. Its learning rate is set at every step.
    """
    optimizer = make_optimizer(config, variables)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def apply_gradients(optimizer, gradients, variables, *, rate, count, clip_norm: float, skip: bool = False):
    """Divides gradients by a count, clips them by their global norm, and takes one step; call in a replica context.

    Args:
        optimizer: From `build_optimizer`.
        gradients: One tensor per variable, of the (scaled) loss summed over the utterances of all replicas.
        variables: The variables, in the same order.
        rate: float32 scalar, the learning rate of this step.
        count: float32 scalar, utterances of all replicas.
        clip_norm: Largest global norm; 0 turns clipping off.
        skip: Whether a gradient that is not finite counts as zero, at rate 0. (Dynamic loss scaling does so anyway.)
    Returns:
        float32 [variables], the squared norm of each gradient of the mean, unscaled, before clipping.
    """
    _leave_sums_alone(optimizer)
    unit = optimizer.scale_loss(1.0) * count
    squares = tf.stack([2 * tf.nn.l2_loss(gradient) for gradient in gradients]) / unit / unit  # without a copy of any
    norm = tf.sqrt(tf.reduce_sum(squares))
    factor = (clip_norm / tf.maximum(norm, clip_norm) if clip_norm else 1.0) / count
    multiply = tf.multiply  # keeps what is not finite, for dynamic loss scaling to see
    if skip and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        finite, multiply = tf.math.is_finite(norm), tf.math.multiply_no_nan
        factor, rate = tf.where(finite, factor, 0.0), tf.where(finite, rate, 0.0)
    optimizer.learning_rate.assign(rate)
    optimizer.apply([multiply(gradient, factor) for gradient in gradients], variables)
    return squares


def _leave_sums_alone(optimizer) -> None:
    """Keeps Keras from summing gradients over replicas: they are sums over replicas already."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = lambda pairs: pairs  # no public way; test_replicas counts the reductions


@contextlib.contextmanager
def averaged_weights(optimizer, variables):
    """Puts the moving average of the weights in place within a `with` block; without an average, changes nothing.

    Args:
        optimizer: From `build_optimizer`.
        variables: The trainable variables.
    """
    if not getattr(optimizer, "inner_optimizer", optimizer).use_ema:
        yield
        return
    kept = [variable.numpy() for variable in variables]
    optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)
