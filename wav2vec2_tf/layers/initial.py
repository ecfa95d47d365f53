"""Random initial weights, and none where a checkpoint is about to fill them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import keras
import tensorflow as tf

_BLANK = ContextVar("blank", default=False)


@keras.saving.register_keras_serializable("wav2vec2_tf")
class _Initial(keras.initializers.Initializer):
    """A Keras initializer that draws nothing inside `blank_weights()`."""

    def __init__(self, wrapped: keras.initializers.Initializer):
        self.wrapped = wrapped

    def get_config(self):
        return {"wrapped": keras.initializers.serialize(self.wrapped)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.initializers.deserialize(config["wrapped"]))

    def __call__(self, shape, dtype=None):
        if _BLANK.get():
            return tf.raw_ops.Empty(shape=shape, dtype=dtype, init=False)
        return self.wrapped(shape, dtype=dtype)


def random(initializer: str | keras.initializers.Initializer) -> keras.initializers.Initializer:
    """Marks an initializer as one whose draw is not needed when a checkpoint follows.

    Args:
        initializer: Any Keras initializer, or its name.
    Returns:
        The same, except inside `blank_weights()`.
    """
    return _Initial(keras.initializers.get(initializer))


@contextmanager
def blank_weights() -> Iterator[None]:
    """Leaves large weights unset: models made in here hold whatever the memory held, until every weight is assigned."""
    token = _BLANK.set(True)
    try:
        yield
    finally:
        _BLANK.reset(token)
