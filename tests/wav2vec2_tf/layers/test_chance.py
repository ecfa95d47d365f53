"""Claims about chance: every draw is a function of the seed pair, and of nothing else."""

import numpy as np
import pytest
import tensorflow as tf

from wav2vec2_tf.layers.chance import bits, coin, dropout, fold, uniform

SEED = tf.constant([3, 1])


def test_no_seed_means_no_draw():
    x = tf.ones([4, 5])
    assert fold(None, 1, 2) is None
    assert dropout(x, 0.5, None) is x
    assert dropout(x, 0.0, SEED) is x


def places(steps: int, layers: int, heads: int) -> np.ndarray:
    """Folds numbers of layers and heads into (7, step); [steps * layers * heads, 2]."""
    every = tf.meshgrid(tf.range(steps), tf.range(layers), tf.range(heads), indexing="ij")
    step, layer, head = (tf.reshape(numbers, [-1]) for numbers in every)
    seeds = tf.stack([tf.fill(step.shape, 7), step])
    return tf.transpose(fold(seeds, layer, head)).numpy()


def test_no_two_places_of_any_steps_share_a_seed():
    seeds = places(2000, 48, 8)
    assert len(np.unique(seeds.view(np.int64))) == len(seeds)


def test_no_two_runs_or_steps_share_a_seed_at_one_place():
    pairs = [fold(tf.constant([run, step]), 5).numpy().tobytes() for run in (-1, 0, 1, 42) for step in range(50)]
    assert len(set(pairs)) == len(pairs)
    assert len({fold(SEED, *path).numpy().tobytes() for path in ((0,), (1,), (0, 0), (0, 1), (1, 0))}) == 5


def test_a_place_may_be_a_tensor():
    np.testing.assert_array_equal(fold(SEED, tf.constant(3)), fold(SEED, 3))


def evenness(words) -> float:
    """Deviation of the top bytes of random words from an even spread, in standard deviations of chi squared."""
    found = np.bincount(words.astype(np.uint32) >> 24, minlength=256)
    even = len(words) / 256
    return (((found - even) ** 2 / even).sum() - 255) / np.sqrt(2 * 255)


@pytest.mark.parametrize("word", [0, 1])
@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_seeds_are_evenly_spread(word, shift):
    assert abs(evenness(places(200, 24, 4)[:, word].view(np.uint32) << shift)) < 5


@pytest.mark.parametrize("shift", [0, 16, 24])
def test_draws_are_evenly_spread_and_never_twice_the_same(shift):
    drawn = bits([100, 1000], SEED).numpy().reshape(-1)
    assert abs(evenness(drawn << shift)) < 5
    assert len(np.unique(drawn)) == len(drawn)


def test_neighbours_steps_and_places_have_nothing_in_common():
    first, later, elsewhere = (uniform([200_000], seed).numpy() for seed in ([3, 1], [3, 2], fold(SEED, 1)))
    others = [later, elsewhere, *(np.roll(first, shift) for shift in (1, 2, 3, 768, 4096))]
    worst = max(abs(np.corrcoef(first, other)[0, 1]) for other in others)
    assert worst < 5 / np.sqrt(len(first))  # standard deviations of what chance alone gives


@pytest.mark.parametrize("jit", [None, True], ids=["graph", "xla"])
def test_every_device_and_compiler_draws_the_same(jit):
    def draw(seed):
        return bits([3, 5, 7], fold(seed, 2, 3)), uniform([11], seed), dropout(tf.ones([4, 6]), 0.5, seed)

    for eager, traced in zip(draw(SEED), tf.function(draw, jit_compile=jit)(SEED), strict=True):
        np.testing.assert_array_equal(eager, traced)


def test_the_draw_of_today_is_that_of_tomorrow():
    # what a run goes on with that is resumed by a later version
    assert bits([4], fold(SEED, 1)).numpy().tolist() == [3073130930, 634665508, 663111929, 1421269765]


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
