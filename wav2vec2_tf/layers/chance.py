"""Random draws as a pure function of a seed pair: dropout and the coin of LayerDrop.

No layer keeps random state: whoever calls the model passes `seed`, an int32 pair such as (run seed, step), and each
place that draws folds its own number into it. `seed=None` means inference: nothing is drawn. A draw repeats for the
same seed pair on the same kind of device; compiled by XLA, it is another one than in a plain graph.
"""

import tensorflow as tf

ALGORITHM = "philox"  # TensorFlow's own choice takes a hundred times as long under XLA on a CPU


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
        seed = tf.random.experimental.stateless_fold_in(seed, place, alg=ALGORITHM)
    return seed


def uniform(shape, seed):
    """Draws float32 numbers from [0, 1).

    Args:
        shape: Of the result.
        seed: int32 [2].
    Returns:
        float32 tensor.
    """
    return tf.random.stateless_uniform(shape, seed, alg=ALGORITHM)


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
    size = tf.size(x)
    words = tf.random.stateless_uniform([(size + 1) // 2], seed, None, None, tf.uint32, alg=ALGORITHM)
    draws = tf.cast(tf.reshape(tf.bitcast(words, tf.uint16), [-1])[:size], tf.int32)  # two of 16 bits from each word
    keep = tf.reshape(draws, tf.shape(x)) >= round(rate * 2**16)
    return tf.where(keep, x * tf.cast(1 / (1 - rate), x.dtype), tf.zeros([], x.dtype))


def coin(probability: float, seed):
    """Gives a boolean scalar that is true with `probability`, the same for the same seed pair."""
    return uniform([], seed) < probability
