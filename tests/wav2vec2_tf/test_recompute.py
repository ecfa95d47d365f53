"""Claims about activation checkpointing: the same numbers, for less memory."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import SAMPLES, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2ForCTC

AUDIO = noise(3, SAMPLES)
KINDS = {
    "post_norm": ("group_norm", dict(layerdrop=0.0)),
    "layerdrop": ("layer_norm", dict(layerdrop=0.5)),
    "adapters": ("layer_norm", dict(layerdrop=0.5, adapter_attn_dim=3)),
    "relative_positions": ("wavlm", dict(layerdrop=0.5)),
}


def gradients(kind, checkpointing, wraps=tf.function, change=lambda model: None):
    architecture, changes = KINDS[kind]
    model = perturb(Wav2Vec2ForCTC(tiny(architecture, **changes)))
    change(model)
    if checkpointing:
        model.gradient_checkpointing_enable()
    variables = model.trainable_variables

    @wraps
    def compute(seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(AUDIO, training=True, seed=seed) ** 2)
        return tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients="zero")

    found = compute(tf.constant([1, 2]))
    return {variable.path: gradient.numpy() for variable, gradient in zip(variables, found, strict=True)}


def assert_same(plain, checkpointed):
    assert plain.keys() == checkpointed.keys()
    for path, gradient in plain.items():
        np.testing.assert_allclose(checkpointed[path], gradient, rtol=1e-4, atol=1e-4, err_msg=path)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_without_it_dropout_masks_and_layerdrop_included(kind):
    assert_same(gradients(kind, False), gradients(kind, True))


def test_it_works_without_a_graph():
    assert_same(gradients("layerdrop", False, lambda f: f), gradients("layerdrop", True, lambda f: f))


def test_a_frozen_body_gets_no_gradient_but_its_adapters_do():
    def freeze(model):
        model.wav2vec2.trainable = False
        for block in model.wav2vec2.encoder.blocks:
            block.adapter_layer.trainable = True

    found = gradients("adapters", True, change=freeze)
    assert len(found) == 2 * 6 + 2
    assert_same(gradients("adapters", False, change=freeze), found)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_in_mixed_precision_gradients_are_the_same_but_for_rounding_and_stay_in_32_bits(policy):
    keras.config.set_dtype_policy(policy)
    try:
        plain, checkpointed = gradients("layerdrop", False), gradients("layerdrop", True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {gradient.dtype for gradient in checkpointed.values()} == {np.dtype(np.float32)}
    for path, gradient in plain.items():
        if not path.endswith("k_proj/bias"):  # its gradient is 0: rounding is all one sees of it
            atol = 0.05 * np.abs(gradient).max() + 1e-4
            np.testing.assert_allclose(checkpointed[path], gradient, rtol=0.05, atol=atol, err_msg=path)


def test_xla_keeps_the_activations_of_one_block_instead_of_all(xla_bytes):
    assert xla_bytes["activations"] < 0.6 * xla_bytes["convolutions"]


def test_what_is_frozen_costs_no_memory_for_the_backward_pass(xla_bytes):
    assert xla_bytes["body"] < 0.6 * xla_bytes["convolutions"]
