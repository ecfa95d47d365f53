"""Claims about chance: every draw is a function of the seed pair, and of nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from wav2vec2_tf.layers.chance import coin, dropout, fold

SEED = tf.constant([3, 1])


def test_no_seed_means_no_draw():
    x = tf.ones([4, 5])
    assert fold(None, 1, 2) is None
    assert dropout(x, 0.5, None) is x
    assert dropout(x, 0.0, SEED) is x


def test_places_and_steps_have_draws_of_their_own():
    seeds = [
        fold(tf.constant([run, step]), *places) for run in (0, 1) for step in (0, 1) for places in ((0,), (1,), (0, 1))
    ]
    assert len({tuple(seed.numpy()) for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_dropout_zeroes_its_share_and_keeps_the_mean(dtype):
    out = dropout(tf.ones([200, 200], dtype), 0.3, SEED)
    assert out.dtype == dtype
    kept = tf.cast(out, tf.float32).numpy()
    assert np.mean(kept == 0) == pytest.approx(0.3, abs=0.01)
    assert kept.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5), (40, 50)])
def test_dropout_repeats_for_a_seed(shape, jit):
    traced = tf.function(lambda step: dropout(tf.ones(shape), 0.5, tf.stack([3, step])), jit_compile=jit)
    first, again, later = (traced(tf.constant(step)).numpy() for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.size < 100 or (first != later).mean() == pytest.approx(0.5, abs=0.05)


def test_dropout_lets_no_nan_through_where_it_drops():
    out = dropout(tf.fill([100], np.nan), 0.5, SEED).numpy()
    assert 20 < (out == 0).sum() < 80


def test_a_coin_falls_as_often_as_asked():
    toss = tf.function(lambda step: coin(0.1, tf.stack([7, step])))
    assert np.mean([bool(toss(tf.constant(step))) for step in range(1000)]) == pytest.approx(0.1, abs=0.03)
    assert not any(bool(coin(0.0, tf.constant([7, step]))) for step in range(20))
    assert all(bool(coin(1.0, tf.constant([7, step]))) for step in range(20))
