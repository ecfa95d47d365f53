"""Random draws as a pure function of a seed pair: dropout and the coin of LayerDrop.

No layer keeps random state: whoever calls the model passes `seed`, an int32 pair such as (run seed, step), and each
place that draws folds its own number into it. `seed=None` means inference: nothing is drawn.
"""

import tensorflow as tf


def fold(seed, *places: int):
    """Derives an independent seed pair for a place in the network; None stays None.

    >>> a, b = fold(tf.constant([1, 2]), 0), fold(tf.constant([1, 2]), 1)
    >>> bool(tf.reduce_all(a == b))
    False

    Args:
        seed: int32 [2] or None.
        places: Numbers that tell this draw from its neighbours.
    Returns:
        int32 [2], or None.
    """
    if seed is None:
        return None
    for place in places:
        seed = tf.random.experimental.stateless_fold_in(seed, place)
    return seed


def dropout(x, rate: float, seed):
    """Zeroes a share `rate` of the entries and scales the rest by 1 / (1 - rate).

    Args:
        x: Any float tensor.
        rate: Share in [0, 1).
        seed: int32 [2]; None returns `x` untouched.
    Returns:
        Tensor of the shape and type of `x`.
    """
    if seed is None or rate == 0:
        return x
    keep = tf.random.stateless_uniform(tf.shape(x), seed) >= rate
    return tf.where(keep, x * tf.cast(1 / (1 - rate), x.dtype), tf.zeros([], x.dtype))


def coin(probability: float, seed):
    """Gives a boolean scalar that is true with `probability`, the same for the same seed pair."""
    return tf.random.stateless_uniform([], seed) < probability
