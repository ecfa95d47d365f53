"""`fit` under XLA on batches of unknown size failed: the gradient of a tensordot inside LayerDrop's `tf.cond`."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import ARCHITECTURES, noise, tiny
from wav2vec2_tf import Wav2Vec2ForCTC


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "wavlm"])
def test_the_gradient_compiles_for_any_shape(architecture):
    changes = dict(adapter_attn_dim=3) if architecture in ARCHITECTURES else {}
    model = Wav2Vec2ForCTC(tiny(architecture, layerdrop=0.3, **changes))
    kernel = model.wav2vec2.encoder.blocks[0].feed_forward.output_dense.kernel.value

    @tf.function(jit_compile=True, input_signature=[tf.TensorSpec([None, None])])
    def gradient(audio):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(audio, training=True, seed=tf.constant([1, 2])) ** 2)
        return tape.gradient(loss, kernel)

    assert np.isfinite(gradient(noise(2, 640))).all()
