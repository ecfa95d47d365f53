"""Audio in blocks: the samples of `audio.load`, and its errors."""

import io
import warnings

import numpy as np
import pytest
import soundfile

from wav2vec2_tf.audio import AudioError, Span, load
from wav2vec2_tf.audio_blocks import BLOCK_SECONDS, read_blocks


def encoded(rate_hz=16_000, seconds=2.5 * BLOCK_SECONDS, channels=1, **how) -> bytes:
    file = io.BytesIO()
    samples = np.random.default_rng(0).normal(size=(round(seconds * rate_hz), channels)) * 0.1
    soundfile.write(file, samples, rate_hz, **({"format": "WAV"} | how))
    return file.getvalue()


@pytest.mark.parametrize(
    "how",
    [dict(), dict(rate_hz=44_100, channels=2), dict(rate_hz=8_000), dict(format="FLAC"), dict(format="MP3")],
    ids=str,
)
def test_blocks_are_what_load_gives(how):
    content = encoded(**how)
    blocks = list(read_blocks(content))
    assert len(blocks) >= 3
    assert {block.dtype.name for block in blocks} == {"float32"}
    np.testing.assert_allclose(np.concatenate(blocks), load(content), atol=1e-6)


def test_a_piece_of_one_channel_is_that_piece():
    content = encoded(seconds=4, channels=2)
    both, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    heard = np.concatenate(list(read_blocks(content, span=Span(1.0, 2.0, channel=1))))
    np.testing.assert_array_equal(heard, both[16_000:48_000, 1])


def test_an_open_file_is_read_from_its_beginning_each_time():
    file = io.BytesIO(encoded(seconds=1))
    assert [sum(map(len, read_blocks(file))) for _ in range(2)] == [16_000, 16_000]


def test_a_recording_that_ends_early_says_so_at_its_end():
    blocks = read_blocks(encoded()[:-400_000])
    assert len(next(blocks)) == BLOCK_SECONDS * 16_000
    with pytest.raises(AudioError, match="the audio ends after 200000 of the 400000 samples its header promises"):
        list(blocks)


def test_an_mp3_a_frame_shorter_than_its_header_says_has_no_more_than_that(speech_dir):
    path = speech_dir / "wild" / "odd" / "mp3_named_wav.wav"
    promised = soundfile.info(path).frames / 44_100
    num_samples = sum(map(len, read_blocks(path)))
    assert num_samples == len(load(path)) < round(promised * 16_000)


def test_samples_that_are_no_numbers_are_refused():
    file = io.BytesIO()
    soundfile.write(file, np.array([0.0, np.nan]), 16_000, format="WAV", subtype="FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        list(read_blocks(file.getvalue()))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(AudioError, match="absent.wav: no such file"):
        list(read_blocks(tmp_path / "absent.wav"))


def test_real_recordings_of_every_kind(speech_dir):
    paths = sorted((speech_dir / "wild" / "uberi_formats").iterdir())
    paths = [path for path in paths if soundfile.available_formats().get(path.suffix[1:].upper())]
    assert len(paths) > 8
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in paths:
            np.testing.assert_allclose(np.concatenate(list(read_blocks(path))), load(path), atol=1e-6)
