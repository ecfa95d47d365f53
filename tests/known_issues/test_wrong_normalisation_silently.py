"""Audio normalised twice, not at all, or with its padding: 16 % WER, not 10 (transformers #13512, torchaudio #3070)."""

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data_tools.index import load_index
from data_tools.reader import batches, plan_buckets
from train.step import waveform
from wav2vec2_tf import Wav2Vec2Processor

CHARACTERS = {char: label for label, char in enumerate("YES", start=5)}


@pytest.fixture(scope="module")
def rows(shards, recordings):
    """Lists (batch, row, int16 samples of the recording)."""
    index = load_index(shards)
    buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=20, max_buckets=2)
    return [
        (batch, row, soundfile.read(recordings / id.decode(), dtype="int16")[0])
        for batch in batches(index, "train", CHARACTERS, None, buckets, seed=1)
        for row, id in enumerate(batch["id"].numpy())
        if id
    ]


def test_shards_hold_recordings_as_they_are(rows):
    assert len(rows) == 30
    for batch, row, samples in rows:
        np.testing.assert_array_equal(batch["audio"][row, : len(samples)], samples)


@pytest.mark.parametrize("do_normalize", [True, False])
def test_training_and_use_hear_the_same(rows, do_normalize):
    processor = Wav2Vec2Processor(do_normalize=do_normalize)
    for batch, row, samples in rows:
        heard = waveform(batch, do_normalize)[row].numpy()
        np.testing.assert_allclose(heard[: len(samples)], processor(samples, sampling_rate=16_000), atol=2e-4)
        assert not tf.reduce_any(heard[len(samples) :] != 0)
