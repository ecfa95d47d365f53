"""Real recordings are recognised as transformers recognises them: the best id of every frame, for every architecture.

The models are random (see golden/recreate_speech.py); where the best label leads, it leads by more than rounding.
"""

import json
from pathlib import Path

import pytest

from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor
from wav2vec2_tf.audio import load
from wav2vec2_tf.decoding.greedy import best_ids

GOLDEN = Path(__file__).parents[1] / "golden"
SPEECH = json.loads((GOLDEN / "speech.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def batch(speech_dir):
    return Wav2Vec2Processor().pad([load(speech_dir / path) for path in SPEECH["clips"]])


def test_every_architecture_has_heard_the_recordings():
    assert set(SPEECH["cases"]) == {path.parent.name for path in GOLDEN.glob("*/outputs.npz")}


@pytest.mark.parametrize("case", SPEECH["cases"])
def test_a_padded_batch_of_recordings_gives_the_ids_of_transformers_one_by_one(case, batch):
    model = Wav2Vec2ForCTC.from_pretrained(GOLDEN / case)
    model.lm_head.bias.assign(SPEECH["cases"][case]["bias"])
    frames = model.frame_lengths(batch.num_samples)
    ids = best_ids(model(batch.input_values, batch.num_samples), frames)
    assert ["".join(chr(ord("A") + i) for i in row) for row in ids] == SPEECH["cases"][case]["ids"]
