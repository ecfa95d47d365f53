"""Users of group-norm models could only transcribe one clip at a time (fairseq #3227, transformers #18501)."""

import numpy as np
import pytest

from tests.tiny import ARCHITECTURES, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2ForCTC


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_clip_is_transcribed_alike_alone_and_in_a_padded_batch(architecture):
    model, clip = perturb(Wav2Vec2ForCTC(tiny(architecture))), 640
    audio = noise(3, 5000)
    audio[1, clip:] = 0
    together = model(audio, np.array([5000, clip, 4000], np.int32)).numpy()[1]
    alone = model(audio[1:2, :clip]).numpy()[0]
    np.testing.assert_allclose(together[: len(alone)], alone, atol=1e-5)
    assert together[: len(alone)].argmax(-1).tolist() == alone.argmax(-1).tolist()
