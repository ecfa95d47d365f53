"""Claims about the MMS adapter; its numbers are compared in test_golden[mms_adapter]."""

import pytest

from tests.tiny import noise, tiny
from wav2vec2_tf.layers.adapters import AttentionAdapter
from wav2vec2_tf.layers.encoder import EncoderLayer


def test_it_goes_down_and_up_again():
    layer = AttentionAdapter(tiny("layer_norm", adapter_attn_dim=3))
    layer.build((None, None, 16))
    assert [tuple(w.shape) for w in layer.weights] == [(16,), (16,), (16, 3), (3,), (3, 16), (16,)]
    assert layer(noise(2, 5, 16)).shape == (2, 5, 16)


@pytest.mark.parametrize(("architecture", "has_one"), [("layer_norm", True), ("group_norm", False)])
def test_only_stable_blocks_have_one(architecture, has_one):
    block = EncoderLayer(tiny(architecture, adapter_attn_dim=3))
    assert (block.adapter_layer is not None) is has_one
