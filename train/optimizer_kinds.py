"""Keras's optimizers by name, and what Keras has not: a rate for the head, a decay that follows each variable's rate
and spares vectors, and an Adafactor without a copy of the model.

Building them and applying gradients is left to `optimizer`, the rate of a step to `schedules`.
"""

import keras
import tensorflow as tf

from train.config import OptimizerConfig


def is_head(variable) -> bool:
    """Tells the weights of the head from those of the body."""
    return variable.path.startswith("lm_head/")


def make_optimizer(config: OptimizerConfig, variables) -> keras.optimizers.Optimizer:
    """Makes an optimizer that has not been built yet.

    Args:
        config: Kind, rates, momenta and average.
        variables: The trainable variables, in the order in which it will be built.
    """
    kind, settings = _KINDS[config.name]
    ema = dict(use_ema=True, ema_momentum=config.ema_momentum) if config.ema_momentum else {}
    paced = _paced(kind, [_scales(variable, config) for variable in variables])
    return paced(learning_rate=config.learning_rate, **settings(config), **ema)


class Adafactor(keras.optimizers.Adafactor):
    """Keras's Adafactor, but a matrix costs a row and a column; Keras keeps their product too, as large as the matrix.

    Its rate is relative: a step moves a weight by about the rate times the root mean square of its matrix.
    """

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """Makes state for a variable; None for what is computed anew at every step."""
        if name == "velocity" and len(reference_variable.shape) > 1:
            return None
        return super().add_variable_from_reference(reference_variable, name=name, initializer=initializer)

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        move = self._move_matrix if len(variable.shape) > 1 else super().update_step
        move(gradient, variable, learning_rate)

    def _move_matrix(self, gradient, variable, learning_rate):
        place, step = self._get_variable_index(variable), tf.cast(self.iterations + 1, tf.float32)
        rows, columns, keep = self._r[place], self._c[place], 1 - tf.pow(step, self.beta_2_decay)
        square = tf.square(gradient) + self.epsilon_1
        self.assign(rows, keep * rows + (1 - keep) * tf.reduce_mean(square, axis=-1))
        self.assign(columns, keep * columns + (1 - keep) * tf.reduce_mean(square, axis=-2))
        share = rows / tf.reduce_mean(rows, axis=-1, keepdims=True)
        change = gradient * tf.math.rsqrt(share[..., None] * columns[..., None, :])
        change /= tf.maximum(1.0, _rms(change) / self.clip_threshold)
        rate = tf.minimum(tf.cast(learning_rate, tf.float32), tf.math.rsqrt(step))
        self.assign_sub(variable, tf.maximum(self.epsilon_2, _rms(variable)) * rate * change)


def _rms(x):
    return tf.sqrt(tf.reduce_mean(tf.square(x)))


def _adam(config):
    return dict(beta_1=config.beta_1, beta_2=config.beta_2, epsilon=config.epsilon)


_KINDS = {  # AdamW differs from Adam by the decay, which is `_paced`'s
    "adamw":     (keras.optimizers.Adam,    _adam),
    "adam":      (keras.optimizers.Adam,    _adam),
    "adafactor": (Adafactor,                lambda config: dict(relative_step=False)),
    "adagrad":   (keras.optimizers.Adagrad, lambda config: dict(epsilon=config.epsilon)),
    "sgd":       (keras.optimizers.SGD,     lambda config: dict(momentum=config.beta_1)),
}  # fmt: skip


def _scales(variable, config: OptimizerConfig) -> tuple[float, float]:
    """Gives a variable's rate, and its decay per rate, as multiples of the step's rate."""
    rate = config.head_scale if is_head(variable) else 1.0
    vector = sum(size > 1 for size in variable.shape) < 2  # gains may be (1, 1, K) as well
    return rate, 0.0 if vector else config.weight_decay


def _paced(kind, scales):
    """Derives an optimizer that gives every variable its own rate and decay; Keras decays all at the one rate.

    On each device one variable moves after the other. Left to itself TensorFlow begins with all at once, and holds more
    than a copy of the model in what is between gradients and weights.
    """
    moved = {}  # device -> what is there once its last variable has moved

    class Paced(kind):
        """What `make_optimizer` gives."""

        def apply(self, grads, trainable_variables=None):
            """Moves the variables."""
            moved.clear()
            super().apply(grads, trainable_variables)

        def update_step(self, gradient, variable, learning_rate):
            """Moves one variable."""
            # Two edges hold all of a move back. As many as it has operations would cost TensorFlow minutes to optimise.
            with tf.control_dependencies(moved.get(variable.device, [])):
                gradient, learning_rate = tf.identity(gradient), tf.identity(learning_rate)
            self._move(gradient, variable, learning_rate)
            moved[variable.device] = [tf.convert_to_tensor(variable)]

        def _move(self, gradient, variable, learning_rate):
            rate_scale, decay = scales[self._get_variable_index(variable)]
            rate = learning_rate if rate_scale == 1 else learning_rate * rate_scale
            if decay:
                self.assign_sub(variable, variable * (decay * tf.cast(rate, variable.dtype)))
            super().update_step(gradient, variable, rate)

    return Paced
