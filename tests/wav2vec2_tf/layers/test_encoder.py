"""Claims about the transformer: every dropout acts, blocks are skipped at random, padding stays out."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import ARCHITECTURES, KINDS, NO_CHANCE, noise, perturb, tiny
from wav2vec2_tf.layers.attention import attention_mask
from wav2vec2_tf.layers.encoder import Encoder, EncoderLayer, FeedForward

SEED = tf.constant([1, 2])
X, LENGTH = noise(1, 30, 16), tf.constant([30])


def built(layer):
    layer.build((None, None, 16))
    return perturb(layer)


@pytest.mark.parametrize("name", ["activation_dropout", "hidden_dropout"])
def test_feed_forward_drops_out_inside_and_at_its_end(name):
    layer = built(FeedForward(tiny(**NO_CHANCE | {name: 0.5})))
    assert not np.allclose(layer(X, seed=SEED), layer(X))
    at_its_end = 0.5 if name == "hidden_dropout" else 0
    assert np.mean(layer(X, seed=SEED) == 0) == pytest.approx(at_its_end, abs=0.08)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_block_drops_out_what_attention_gives(architecture):
    block = built(EncoderLayer(tiny(architecture, **NO_CHANCE | dict(hidden_dropout=0.5))))
    for weight in block.feed_forward.output_dense.weights:
        weight.assign(tf.zeros_like(weight))  # then its dropout has nothing to drop
    visible = attention_mask(LENGTH, 30)
    assert not np.allclose(block(X, visible, seed=SEED), block(X, visible))


def test_the_input_of_the_first_block_is_dropped_out():
    encoder = built(Encoder(tiny(**NO_CHANCE | dict(hidden_dropout=0.5))))
    first = encoder(X, LENGTH, seed=SEED)[0]
    assert np.mean(first == 0) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_chance_a_seed_changes_nothing(architecture):
    encoder = built(Encoder(tiny(architecture, **NO_CHANCE)))
    for trained, plain in zip(encoder(X, LENGTH, seed=SEED), encoder(X, LENGTH), strict=True):
        np.testing.assert_array_equal(trained, plain)


def test_layerdrop_of_one_skips_every_block():
    encoder = built(Encoder(tiny(**NO_CHANCE | dict(layerdrop=1.0))))
    states = encoder(X, LENGTH, seed=SEED)
    for state in states[1:]:
        np.testing.assert_array_equal(state, states[0])
    assert not np.allclose(encoder(X, LENGTH)[1], states[0])  # inference skips nothing


def test_layerdrop_skips_each_block_as_often_as_asked():
    encoder = built(Encoder(tiny(**NO_CHANCE | dict(layerdrop=0.3))))

    @tf.function
    def skipped(step):
        states = encoder(X, LENGTH, seed=tf.stack([9, step]))
        return [tf.reduce_all(a == b) for a, b in zip(states, states[1:], strict=False)]

    shares = np.mean([[bool(skip) for skip in skipped(tf.constant(step))] for step in range(300)], axis=0)
    np.testing.assert_allclose(shares, 0.3, atol=0.09)
    assert skipped.experimental_get_tracing_count() == 1


def test_a_skipped_block_has_gradient_zero_and_not_none():
    encoder = built(Encoder(tiny(**NO_CHANCE | dict(layerdrop=1.0))))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(encoder(X, LENGTH, seed=SEED)[-1])
    weights = [weight.value for weight in encoder.blocks[0].trainable_weights]
    gradients = tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    assert not any(tf.reduce_any(gradient != 0) for gradient in gradients)


@pytest.mark.parametrize("architecture", KINDS)
def test_padded_frames_change_no_real_one(architecture):
    encoder = built(Encoder(tiny(architecture)))
    padded = np.concatenate([X[:, :12], 50 * noise(1, 18, 16, seed=1)], axis=1)
    for state, alone in zip(encoder(padded, tf.constant([12])), encoder(X[:, :12], tf.constant([12])), strict=True):
        np.testing.assert_allclose(state[:, :12], alone, atol=1e-5)


def test_stable_models_normalise_at_the_end_and_others_at_the_start():
    for architecture, place in (("layer_norm", -1), ("group_norm", 0)):
        encoder = Encoder(tiny(architecture))
        encoder.build(None)
        state = encoder(3 + 5 * X, LENGTH)[place].numpy()
        np.testing.assert_allclose(state.mean(-1), 0, atol=1e-5)
        np.testing.assert_allclose(state.var(-1), 1, atol=1e-2)


def test_blocks_of_wavlm_share_one_table_of_positions():
    encoder = built(Encoder(tiny("wavlm")))
    before = [state.numpy() for state in encoder(X, LENGTH)]
    encoder.relative_position.rel_attn_embed.assign_add(tf.random.normal([12, 2], seed=1))
    after = encoder(X, LENGTH)
    np.testing.assert_array_equal(after[0], before[0])
    outputs = [block(before[0], attention_mask(LENGTH, 30)) for block in encoder.blocks]
    for i, block in enumerate(encoder.blocks):
        moved = block(before[0], attention_mask(LENGTH, 30), positions=encoder.relative_position(tf.constant(30)))
        assert not np.allclose(moved, outputs[i])
