"""Random draws as a pure function of a seed pair: dropout and the coin of LayerDrop.

No layer keeps random state: whoever calls the model passes `seed`, an int32 pair such as (run seed, step), and each
place that draws folds its own number into it. `seed=None` means inference: nothing is drawn.

The n-th number of a draw is a hash of n and the seed pair, in 32-bit integer operations that mean the same everywhere.
So a draw is the same eagerly, in a graph and under XLA, on a CPU, a GPU and a TPU; and a compiler makes it where it is
used instead of keeping it. TensorFlow's own generators are not used: what they draw depends on the device, and their
64-bit products, which TPUs do not have, keep the TPU's compiler busy for a minute and more each.
"""

import tensorflow as tf

GOLDEN = 0x9E3779B9  # 2**32 / golden ratio: its multiples lie far apart


def fold(seed, *places):
    """Derives an independent seed pair for a place in the network; None stays None.

    Each fold can be undone (a Feistel network of two rounds), so two seeds never become one at the same place.

    >>> a, b = fold(tf.constant([1, 2]), 0), fold(tf.constant([1, 2]), 1)
    >>> bool(tf.reduce_all(a == b))
    False

    Args:
        seed: int32 [2] or None.
        places: Numbers that tell this draw from its neighbours; int32 scalars.
    Returns:
        int32 [2], or None.
    """
    if seed is None:
        return None
    a, b = tf.unstack(tf.bitcast(seed, tf.uint32))
    for place in places:
        b ^= _mix(a + _word(GOLDEN) * (tf.cast(place, tf.uint32) + _word(1)))
        a ^= _mix(b)
    return tf.bitcast(tf.stack([a, b]), tf.int32)


def bits(shape, seed):
    """Draws 32 random bits per entry; no two entries are equal, as far as 2**32 of them go.

    Args:
        shape: Of the result.
        seed: int32 [2].
    Returns:
        uint32 tensor.
    """
    a, b = tf.unstack(tf.bitcast(seed, tf.uint32))
    return _mix(_mix(_numbers(shape) + a) ^ b)


def uniform(shape, seed):
    """Draws float32 numbers from [0, 1): multiples of 2**-24.

    Args:
        shape: Of the result.
        seed: int32 [2].
    Returns:
        float32 tensor.
    """
    return tf.cast(tf.bitwise.right_shift(bits(shape, seed), _word(8)), tf.float32) * 2.0**-24


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
    keep = bits(tf.shape(x), seed) >= _word(round(rate * 2**32))
    return tf.where(keep, x * tf.cast(1 / (1 - rate), x.dtype), tf.zeros([], x.dtype))


def coin(probability: float, seed):
    """Gives a boolean scalar that is true with `probability`, the same for the same seed pair."""
    return uniform([], seed) < probability


def _word(number: int):
    return tf.constant(number, tf.uint32)


def _numbers(shape):
    """Numbers the entries of a tensor, uint32; a sum over its axes, which XLA need not keep."""
    numbers, stride = tf.zeros([], tf.int32), 1
    sizes = tf.unstack(tf.convert_to_tensor(shape, tf.int32))
    for size in reversed(sizes):
        numbers = (tf.range(size) * stride)[:, *([None] * len(numbers.shape))] + numbers
        stride *= size
    return tf.cast(numbers, tf.uint32)


def _mix(x):
    """Turns each uint32 into another one, no two into the same, so that every bit of it counts for every other.

    Source: Appleby's MurmurHash3, the finaliser of 32 bits.
    """
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ tf.bitwise.right_shift(x, _word(shift))) * _word(factor)
    return x ^ tf.bitwise.right_shift(x, _word(16))
