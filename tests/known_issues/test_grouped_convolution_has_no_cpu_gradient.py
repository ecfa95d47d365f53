"""Fine-tuning on a CPU died in the positional convolution's backward pass (transformers #15114, #26116)."""

import pytest
import tensorflow as tf

from tests.tiny import noise, tiny
from wav2vec2_tf import Wav2Vec2Model


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_the_positional_convolution_learns_on_a_cpu(jit):
    with tf.device("CPU"):
        model = Wav2Vec2Model(tiny())
        weight = model.encoder.pos_conv_embed.weight_v.value

        @tf.function(jit_compile=jit)
        def gradient():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(noise(1, 640)) ** 3)
            return tape.gradient(loss, weight)

        assert tf.reduce_any(gradient() != 0)
