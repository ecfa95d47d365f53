"""AdamW for a model, and the two things a loop does to it: scale the loss and apply gradients.

The learning rate comes in from outside, per step (`schedules`). Clipping happens here, on the gradient of the global
batch, since Keras clips before it sums over replicas.
"""

import contextlib

import keras
import tensorflow as tf

from train.config import OptimizerConfig


def build_optimizer(config: OptimizerConfig, variables, precision: str = "float32") -> keras.optimizers.Optimizer:
    """Makes the optimizer with all its state.

    Args:
        config: Rates and momenta.
        variables: The trainable variables, in the order in which gradients will come.
        precision: With `mixed_float16` the loss is scaled dynamically.
    Returns:
        A built Keras optimizer. Its learning rate is set at every step.
    """
    ema = dict(use_ema=True, ema_momentum=config.ema_momentum) if config.ema_momentum else {}
    optimizer = keras.optimizers.Adam(  # with a weight decay this is AdamW; AdamW itself computes one even when it is 0
        learning_rate=config.learning_rate,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        epsilon=config.epsilon,
        weight_decay=config.weight_decay or None,
        **ema,
    )
    if config.weight_decay:
        vectors = [v for v in variables if sum(size > 1 for size in v.shape) < 2]  # gains may be (1, 1, K) as well
        optimizer.exclude_from_weight_decay(var_list=vectors)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def apply_gradients(optimizer, gradients, variables, rate, clip_norm: float):
    """Sums gradients over replicas, clips them by their global norm, and takes one step; call in a replica context.

    Args:
        optimizer: From `build_optimizer`.
        gradients: One tensor per variable, of this replica's share of the (scaled) loss.
        variables: The variables, in the same order.
        rate: float32 scalar, the learning rate of this step.
        clip_norm: Largest global norm; 0 turns clipping off.
    Returns:
        float32 scalar, the norm before clipping, of the unscaled gradient.
    """
    replica = tf.distribute.get_replica_context()
    replicas = replica.num_replicas_in_sync
    if replicas > 1:
        gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
    norm = tf.linalg.global_norm(gradients) / optimizer.scale_loss(1.0)
    factor = clip_norm / tf.maximum(norm, clip_norm) if clip_norm else tf.ones([])
    factor = factor / replicas  # the optimizer sums over replicas once more
    optimizer.learning_rate.assign(rate)
    optimizer.apply([gradient * factor for gradient in gradients], variables)
    return norm


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
