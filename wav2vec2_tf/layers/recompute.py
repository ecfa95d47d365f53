"""Activation checkpointing: a layer that keeps its inputs only, and runs again in the backward pass.

What to wrap is the caller's choice; the layers know nothing of it. Random draws repeat, since they are functions of the
seed that a layer is called with.
"""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

State = list[tuple[keras.Variable, tf.Tensor]]


def read(layer: keras.layers.Layer) -> State:
    """Reads a built layer's variables. Outside of a `tf.cond`, so that its branch need not hand a copy of them on."""
    return [(variable, tf.convert_to_tensor(variable.value)) for variable in layer.variables]


def recompute(function: Callable, tensors: Sequence, state: State):
    """Calls a function whose intermediate results are forgotten, and computed anew for its gradient.

    >>> dense = keras.layers.Dense(2)
    >>> dense.build((None, 3))
    >>> recompute(dense, [tf.ones([1, 3])], read(dense)).shape
    TensorShape([1, 2])

    Args:
        function: Maps `tensors` to one tensor, the same whenever it is called.
        tensors: All float tensors through which gradients shall flow; others may come by closure.
        state: What the function's variables hold, from `read`; those that are frozen get no gradient.
    Returns:
        What `function(*tensors)` gives.
    Source: Chen et al. 2016 (arXiv:1604.06174).
    """
    frozen = [(variable, value) for variable, value in state if not variable.trainable]
    learning = [variable for variable, _ in state if variable.trainable]
    values = [value for variable, value in state if variable.trainable]

    def run(inputs):
        mapping = [*frozen, *zip(learning, inputs[len(tensors) :], strict=True)]
        with keras.StatelessScope(state_mapping=mapping):
            return function(*inputs[: len(tensors)])

    @tf.custom_gradient
    def once(*inputs):
        def gradient(upstream):
            again = _after(upstream, inputs)
            with tf.GradientTape() as tape:
                tape.watch(again)
                result = run(again)
            return tape.gradient(result, again, upstream, unconnected_gradients="zero")

        return run(inputs), gradient

    return once(*tensors, *values)


def _after(upstream, inputs):
    """Gives `inputs` unchanged, but not before `upstream` is there.

    Otherwise a compiler may find that the second run repeats the first, and keep the first one's results after all. So
    each input hangs on one number of `upstream` in a way that no compiler can prove to be without effect: were that a
    NaN, the input would be one too, and the gradient is lost anyway. (XLA's own optimization barrier is a private
    operation of TensorFlow, and fails where XLA does not compile.)
    """
    probe = tf.reshape(upstream, [-1])[0]
    lost = tf.math.is_nan(probe)
    return [tf.where(lost, tf.cast(probe, x.dtype), x) for x in inputs]
