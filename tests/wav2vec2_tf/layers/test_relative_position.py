"""Claims about WavLM's relative positions: buckets, one score per distance, and the gate of each frame."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import noise, perturb, tiny
from wav2vec2_tf.layers.attention import Attention, attention_mask
from wav2vec2_tf.layers.relative_position import PositionGate, RelativePosition, buckets, by_distance


def bucket(offset: int, num_buckets: int, max_distance: int) -> int:
    """Gives the bucket of one offset by the rule, in float64."""
    half, distance = num_buckets // 2, abs(offset)
    exact = half // 2
    if distance >= exact:
        octaves = math.log(distance / exact) / math.log(max_distance / exact)
        distance = min(int(exact + octaves * (half - exact) + 1e-6), half - 1)
    return distance + (half if offset > 0 else 0)


@pytest.mark.parametrize(("num_buckets", "max_distance"), [(320, 800), (32, 128), (12, 8), (9, 40), (4, 2)])
def test_buckets_widen_with_the_logarithm_of_the_distance(num_buckets, max_distance):
    truth = [bucket(-distance, num_buckets, max_distance) for distance in range(max_distance + 1)]
    assert buckets(num_buckets, max_distance).tolist() == truth


@pytest.fixture
def positions():
    layer = RelativePosition(tiny("wavlm"))
    layer.build()
    return perturb(layer)


def test_each_pair_of_frames_has_the_score_of_its_bucket(positions):
    scores, table = positions(tf.constant(13)).numpy(), positions.rel_attn_embed.numpy()
    for i, j in np.ndindex(13, 13):
        np.testing.assert_array_equal(scores[:, i, j], table[bucket(j - i, 12, 8)])


def test_a_single_frame_has_the_score_of_distance_zero(positions):
    np.testing.assert_array_equal(positions(tf.constant(1))[:, 0, 0], positions.rel_attn_embed[0])


def test_the_gradient_of_a_bucket_counts_its_pairs(positions):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(positions(tf.constant(6)))
    counts = np.zeros(12)
    for i, j in np.ndindex(6, 6):
        counts[bucket(j - i, 12, 8)] += 1
    gradient = tape.gradient(total, positions.rel_attn_embed.value)
    np.testing.assert_array_equal(gradient, np.repeat(counts[:, None], 2, axis=1))


def test_scores_are_laid_out_alike_where_the_size_is_known_late():
    scores = noise(2, 9)
    late = tf.function(by_distance, input_signature=[tf.TensorSpec([2, None]), tf.TensorSpec([], tf.int32)])
    np.testing.assert_array_equal(late(scores, 5), by_distance(tf.constant(scores), 5))


def built(layer):
    layer.build((None, None, 16))
    return perturb(layer)


def test_the_gate_is_a_pair_of_sums_of_four_through_a_sigmoid():
    gate, x = built(PositionGate(tiny("wavlm"))), noise(2, 3, 16)
    kernel, bias, const = gate.linear.kernel.numpy(), gate.linear.bias.numpy(), gate.const.numpy()[0, :, 0, 0]
    found = gate(x).numpy()
    assert found.shape == (2, 2, 3, 1)
    for row, head, frame in np.ndindex(2, 2, 3):
        parts = x[row, frame, head * 8 : head * 8 + 8] @ kernel + bias
        update, reset = (1 / (1 + np.exp(-parts.reshape(2, 4).sum(1)))).tolist()
        truth = update * (reset * const[head] - 1) + 2
        np.testing.assert_allclose(found[row, head, frame, 0], truth, rtol=1e-5)


def test_position_scores_act_through_the_gate_and_not_beyond_the_real_frames():
    layer, x, mask = built(Attention(tiny("wavlm"))), noise(1, 6, 16), attention_mask([4], 6)
    positions = 3 * noise(2, 6, 6)
    first = layer(x, mask, positions=tf.constant(positions))
    assert not np.allclose(first, layer(x, mask))
    positions[:, :, 4:] = 50  # of padded frames
    np.testing.assert_array_equal(first[:, :4], layer(x, mask, positions=tf.constant(positions))[:, :4])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_under_mixed_precision_the_table_stays_float32(policy):
    keras.config.set_dtype_policy(policy)
    try:
        layer = RelativePosition(tiny("wavlm"))
        layer.build()
        assert layer.rel_attn_embed.dtype == "float32"
        assert layer(tf.constant(3)).dtype == layer.compute_dtype
    finally:
        keras.config.set_dtype_policy("float32")
