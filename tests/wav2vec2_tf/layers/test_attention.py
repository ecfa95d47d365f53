"""Claims about attention: softmax over real frames, in float32."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import noise, perturb, tiny
from wav2vec2_tf.layers.attention import Attention, attention_mask

NAMES = ("q_proj", "k_proj", "v_proj", "out_proj")


@pytest.fixture
def any_policy():
    yield
    keras.config.set_dtype_policy("float32")


def built(**changes):
    layer = Attention(tiny(**changes))
    layer.build((None, None, 16))
    return perturb(layer)


def naive(layer, x, count):
    """Attends head by head and frame by frame over the first `count` frames of one row, in float64."""
    dense = {name: (getattr(layer, name).kernel.numpy(), getattr(layer, name).bias.numpy()) for name in NAMES}
    query, key, value = (x[:count].astype(np.float64) @ dense[name][0] + dense[name][1] for name in NAMES[:3])
    mixed = np.zeros((count, 16))
    for head in range(layer.heads):
        part = slice(head * 8, head * 8 + 8)
        scores = np.exp(query[:, part] @ key[:, part].T / np.sqrt(8))
        mixed[:, part] = scores / scores.sum(1, keepdims=True) @ value[:, part]
    return mixed @ dense["out_proj"][0] + dense["out_proj"][1]


def test_it_is_scaled_dot_product_attention_over_real_frames():
    layer, x = built(), noise(2, 6, 16)
    out = layer(x, attention_mask([6, 4], 6)).numpy()
    np.testing.assert_allclose(out[0], naive(layer, x[0], 6), atol=1e-5)
    np.testing.assert_allclose(out[1, :4], naive(layer, x[1], 4), atol=1e-5)


def test_padding_draws_no_attention():
    layer, x = built(), noise(1, 6, 16)
    mask = attention_mask([4], 6)
    changed = np.concatenate([x[:, :4], 100 + x[:, 4:]], axis=1)
    np.testing.assert_array_equal(layer(x, mask)[:, :4], layer(changed, mask)[:, :4])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_row_without_real_frames_gives_no_nan(policy, any_policy):
    keras.config.set_dtype_policy(policy)
    layer = built()
    assert np.isfinite(tf.cast(layer(noise(1, 6, 16), attention_mask([0], 6)), tf.float32)).all()


def test_softmax_is_taken_in_float32(any_policy):
    keras.config.set_dtype_policy("mixed_float16")
    layer = Attention(tiny(num_attention_heads=1))
    layer.build((None, None, 16))
    layer.v_proj.kernel.assign(np.eye(16))
    layer.out_proj.kernel.assign(np.eye(16))
    x = np.ones((1, 5000, 16), np.float16)  # equal shares of 1 / 5000, whose sum in float16 would stop at 0.25
    np.testing.assert_allclose(layer(x, attention_mask([5000], 5000)), x, atol=0.03)


def test_dropout_acts_on_the_shares():
    layer, x, mask = built(attention_dropout=0.5), noise(1, 6, 16), attention_mask([6], 6)
    first, again, other = (layer(x, mask, seed=tf.constant([1, step])) for step in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first, layer(x, mask))
