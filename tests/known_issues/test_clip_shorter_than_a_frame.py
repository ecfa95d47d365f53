"""Clips under 400 samples crashed the convolutions."""

import numpy as np
import pytest

from tests.tiny import noise, tiny
from wav2vec2_tf import Wav2Vec2Config, Wav2Vec2ForCTC, ctc_loss

NARROW = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(4,) * 7)


def test_alone_it_is_refused_with_the_number_needed():
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**NARROW, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2))
    with pytest.raises(ValueError, match="input_values hold 399 samples; one frame takes 400"):
        model(noise(1, 399))
    assert model(noise(1, 400)).shape == (1, 1, 32)


def test_in_a_batch_it_has_no_frame_and_no_loss():
    model, sizes = Wav2Vec2ForCTC(tiny()), np.array([640, 20, 0], np.int32)
    logits, frames = model(noise(3, 640), sizes), model.frame_lengths(sizes)
    assert frames.tolist() == [10, 0, 0]
    losses = ctc_loss(logits, frames, np.ones((3, 2), np.int32), [2, 2, 0])
    assert np.isfinite(losses).all()
    assert losses[1:].numpy().tolist() == [0, 0]
