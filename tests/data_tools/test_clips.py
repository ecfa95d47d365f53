import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_tools import clips
from data_tools.clips import Clip, Job, Limits, Rejection, prepare, prepare_all
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
    np.testing.assert_array_equal(np.frombuffer(result.pcm, "<i2"), np.full(3_200, 16_384))


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
    assert (result.reason, result.detail) == ("too_long", "2.00 s, at most 1.5 s are taken")


def test_a_long_clip_whose_header_is_silent_about_it_is_rejected(corpus, monkeypatch):
    monkeypatch.setattr(clips.audio, "duration_seconds", lambda path: None)
    assert rejected(corpus, Limits(0, 1.5), seconds=2).reason == "too_long"


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


def test_order_and_content_do_not_depend_on_the_number_of_processes(corpus):
    jobs = [job(corpus.add("YES", seconds=0.2 + 0.01 * i)) for i in range(20)] + [job("none.wav")]
    alone, several = (list(prepare_all(jobs, LIMITS, num_workers)) for num_workers in (1, 3))
    assert alone == several
    assert [type(result) for result in alone] == [Clip] * 20 + [Rejection]


class Deadly:
    """Ends the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_process_that_dies_is_told(corpus):
    with pytest.raises(RuntimeError, match=r"A worker process died at or soon after .*000.wav"):
        list(prepare_all([job(corpus.add("YES"))], Deadly(), 2))


def test_worker_processes_load_no_tensorflow():
    code = "import sys, data_tools.clips, data_tools.make_tfrecords; print('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "False\n"
