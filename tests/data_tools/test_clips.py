import io
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_tools import clips
from data_tools.clips import Clip, Job, Limits, Rejection, prepare
from data_tools.manifest import Utterance

LIMITS = Limits(min_seconds=0.1, max_seconds=30)


def job(path, text="YES"):
    return Job(Utterance(str(path), Path(path), text, "s", "train", str(path)), text)


def rejected(corpus, limits=LIMITS, **clip):
    result = prepare(job(corpus.add("x", **clip)), limits)
    assert isinstance(result, Rejection)
    assert result.reason in clips.REASONS
    return result


def test_a_good_clip_becomes_little_endian_int16(corpus):
    result = prepare(job(corpus.add("YES", samples=np.full(3_200, 0.5, np.float32))), LIMITS)
    assert isinstance(result, Clip)
    np.testing.assert_array_equal(np.frombuffer(result.audio, "<i2"), np.full(3_200, 16_384))


def test_digital_silence_is_rejected(corpus):
    assert rejected(corpus, samples=np.zeros(16_000, np.float32)).reason == "silent"


def test_silence_below_one_step_of_16_bits_is_silence(corpus):
    assert rejected(corpus, samples=np.full(16_000, 1e-6, np.float32)).reason == "silent"


def test_a_file_without_samples_is_rejected(corpus):
    assert rejected(corpus, samples=np.zeros(0, np.float32)).reason == "empty"


def test_a_clip_of_100_samples_is_too_short(corpus):
    result = rejected(corpus, seconds=100 / 16_000)
    assert (result.reason, result.detail) == ("too_short", "0.0063 s, at least 0.1 s are needed")


def test_100_samples_are_infeasible_where_short_clips_are_allowed(corpus):
    result = rejected(corpus, Limits(0, 30), seconds=100 / 16_000)
    assert (result.reason, result.detail) == ("infeasible", "the 3 labels need at least 3 frames, the clip has 0")


def test_a_long_clip_is_rejected(corpus):
    result = rejected(corpus, Limits(0, 1.5), seconds=2)
    assert result.reason == "too_long"
    assert result.detail.endswith("2.00 s, at most 1.5 s are taken")


def test_a_long_clip_whose_header_is_silent_about_it_is_rejected(corpus, monkeypatch):
    monkeypatch.setattr(clips.audio, "load_int16", lambda source, span: np.ones(32_000, np.int16))
    assert rejected(corpus, Limits(0, 1.5)).reason == "too_long"


def test_nan_samples_are_rejected(corpus):
    assert rejected(corpus, samples=np.full(16_000, np.nan, np.float32)).reason == "non_finite"


def test_a_missing_file_is_rejected(tmp_path):
    assert prepare(job(tmp_path / "none.wav"), LIMITS).reason == "missing_file"


def test_a_file_of_something_else_is_rejected(tmp_path):
    (tmp_path / "a.wav").write_text("not audio")
    assert prepare(job(tmp_path / "a.wav"), LIMITS).reason == "unreadable"


def test_a_truncated_flac_is_rejected(corpus):
    path = corpus.add("x", name="a.flac", samples=np.random.default_rng(0).integers(-99, 99, 50_000).astype(np.int16))
    path.write_bytes(path.read_bytes()[:-1_000])
    assert prepare(job(path), LIMITS).reason == "truncated"


@pytest.mark.parametrize(("text", "fits"), [("ABC" * 16 + "D", True), ("ABC" * 16 + "DE", False), ("A" * 26, False)])
def test_one_second_has_49_frames_for_labels_and_repeats(corpus, text, fits):
    assert isinstance(prepare(job(corpus.add("x"), text), LIMITS), Clip) == fits


def test_flac_holds_the_same_samples(corpus):
    one = job(corpus.add("YES", seconds=2))
    flac, pcm = prepare(one, LIMITS, "flac"), prepare(one, LIMITS)
    samples, rate_hz = soundfile.read(io.BytesIO(flac.audio), dtype="int16")
    assert (samples.astype("<i2").tobytes(), rate_hz, flac.num_samples) == (pcm.audio, 16_000, 32_000)
    assert len(flac.audio) < len(pcm.audio)


def test_an_utterance_may_be_one_channel(corpus):
    both = np.stack([np.full(16_000, 7), np.full(16_000, 9)], axis=1).astype(np.int16)
    one = job(corpus.add("YES", samples=both))
    for channel, value in ((0, 7), (1, 9), (None, 8)):
        of_channel = replace(one, utterance=replace(one.utterance, channel=channel))
        assert set(np.frombuffer(prepare(of_channel, LIMITS).audio, "<i2")) == {value}
    result = prepare(replace(one, utterance=replace(one.utterance, channel=2)), LIMITS)
    assert (result.reason, "has 2 channels" in result.detail) == ("missing_channel", True)
    assert result.reason in clips.REASONS


def test_a_piece_of_a_recording_is_a_clip(corpus):
    path = corpus.add("YES", samples=np.arange(16_000).astype(np.int16))
    piece = Job(Utterance("u", path, "YES", "s", "train", "", start_seconds=0.25, duration_seconds=0.5), "YES")
    result = prepare(piece, LIMITS)
    np.testing.assert_array_equal(np.frombuffer(result.audio, "<i2"), np.arange(4_000, 12_000))


def test_what_was_opened_ahead_of_time_is_not_opened_again(corpus):
    opened = Future()
    opened.set_result(corpus.add("x").read_bytes())
    assert prepare(job("none.wav"), LIMITS, "pcm", opened).num_samples == 16_000


def test_storage_that_cannot_be_reached_is_no_reason_against_a_clip():
    opened = Future()
    opened.set_exception(ConnectionError("the bucket does not answer"))
    with pytest.raises(ConnectionError, match="does not answer"):
        prepare(job("gs://bucket/a.wav"), LIMITS, "pcm", opened)


def test_what_a_damaged_file_makes_a_decoder_say_is_a_reason(corpus, monkeypatch):
    def decoder(*args):
        raise RuntimeError("soxr: bad rate")

    monkeypatch.setattr(clips.audio, "load_int16", decoder)
    result = rejected(corpus)
    assert (result.reason, result.detail) == ("unreadable", "soxr: bad rate")


def test_worker_processes_load_no_tensorflow():
    code = "import sys, data_tools.make_tfrecords; print('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "False\n"
