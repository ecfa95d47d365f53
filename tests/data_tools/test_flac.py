import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_tools import clips
from data_tools.clips import Job, Limits, prepare
from data_tools.flac import as_recorded
from data_tools.manifest import Utterance

NOISE = np.random.default_rng(0).integers(-9_999, 9_999, 20_000).astype(np.int16)


def flac(samples=NOISE, rate_hz=16_000, subtype="PCM_16", kind="FLAC") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def with_blocks(content: bytes, *blocks: bytes) -> bytes:
    """Puts blocks of padding after the first block."""
    added = b"".join(b"\x01" + len(block).to_bytes(3) + block for block in blocks)
    return content[:4] + b"\x00" + content[5:42] + added + content[42:]


def prepared(path: Path, encoding="flac", **piece):
    return prepare(Job(Utterance("u", path, "YES", "", "train", "", **piece), "YES"), Limits(0.1, 30), encoding)


def test_a_flac_recording_of_the_wanted_kind_is_not_encoded_again(tmp_path, monkeypatch):
    path = tmp_path / "a.flac"
    path.write_bytes(flac())
    monkeypatch.setattr(clips, "encode", None)
    samples, rate_hz = soundfile.read(io.BytesIO(prepared(path).audio), dtype="int16")
    np.testing.assert_array_equal(samples, NOISE)
    assert rate_hz == 16_000


def test_what_is_not_sound_is_left_behind(tmp_path):
    plain, padded = tmp_path / "a.flac", tmp_path / "b.flac"
    plain.write_bytes(flac())
    padded.write_bytes(with_blocks(flac(), bytes(8_192), b"", b"a picture"))
    assert len(padded.read_bytes()) > len(plain.read_bytes()) + 8_192
    assert prepared(padded).audio == prepared(plain).audio == as_recorded(padded.read_bytes(), len(NOISE))


def test_recordings_in_a_bucket_come_as_bytes():
    content = as_recorded(flac(), len(NOISE))
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(content), dtype="int16")[0], NOISE)
    assert as_recorded(content, len(NOISE)) == content  # one block, and frames


@pytest.mark.parametrize(
    "content",
    [
        flac(rate_hz=8_000), flac(np.stack([NOISE, NOISE], 1)), flac(subtype="PCM_24"), flac(NOISE[:-1]),
        flac(kind="WAV"), flac(kind="OGG", subtype="VORBIS"), b"ID3" + flac(), flac()[:42], b"fLaC", b"",
    ],
)  # fmt: skip
def test_all_else_is_encoded(content):
    assert as_recorded(content, len(NOISE)) is None


def test_a_piece_of_a_recording_is_encoded(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(flac())
    samples, _ = soundfile.read(io.BytesIO(prepared(path, start_seconds=0.5).audio), dtype="int16")
    np.testing.assert_array_equal(samples, NOISE[8_000:])
