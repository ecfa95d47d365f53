import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data_tools.payload import unpack

CLIPS = [np.random.default_rng(i).integers(-9_000, 9_000, 1_000 * (i + 1)).astype(np.int16) for i in range(3)]


def encode(samples, encoding):
    if encoding == "pcm":
        return samples.tobytes()
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def fields(encodings, payloads=None, counts=None):
    payloads = payloads or [encode(clip, name or "pcm") for clip, name in zip(CLIPS, encodings, strict=True)]
    return dict(
        id=tf.constant([f"clip-{i}" for i in range(len(payloads))]),
        audio=tf.constant(payloads),
        encoding=tf.constant(encodings),
        num_samples=tf.constant(counts or [len(clip) for clip in CLIPS], tf.int64),
    )


@pytest.mark.parametrize("encodings", [["pcm"] * 3, [""] * 3, ["flac"] * 3, ["flac", "pcm", ""]])
def test_every_encoding_gives_the_samples_that_went_in(encodings):
    audio = tf.function(lambda: unpack(fields(encodings), tf.constant(3_500)))().numpy()
    assert audio.shape == (3, 3_500)
    for row, clip in zip(audio, CLIPS, strict=True):
        np.testing.assert_array_equal(row, np.pad(clip, (0, 3_500 - len(clip))))


def test_an_empty_record_is_silent():
    audio = unpack(fields(["flac", ""], [encode(CLIPS[0], "flac"), b""], [1_000, 0]), tf.constant(1_200))
    assert not audio.numpy()[1].any()


@pytest.mark.parametrize(
    ("payload", "encoding", "count", "message"),
    [
        (encode(CLIPS[0], "flac"), "flac", 999, "clip-0: 999 samples are promised, 1000 are there.*--verify"),
        (encode(CLIPS[0], "flac")[:-50] + b"x" * 50, "flac", 1_000, "clip-0: .*--verify"),
        (b"fLaC and so on", "flac", 1_000, "clip-0: its audio is no FLAC stream.*--verify"),
        (encode(CLIPS[0], "pcm"), "pcm", 999, "more or fewer samples than they promise; see .*clip-0"),
        (b"", "opus", 1_000, "clip-0: its encoding is 'opus'; .*--verify"),
    ],
)
def test_a_payload_that_is_not_what_its_record_says_is_named(payload, encoding, count, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        tf.function(lambda: unpack(fields([encoding], [payload], [count]), tf.constant(1_000)))()
