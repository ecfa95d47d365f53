import numpy as np
import pytest
import soundfile

from data_tools import sounds
from data_tools.sounds import load_sounds


def write(folder, name, samples, rate_hz=16_000):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * 16_000))


def test_recordings_at_any_depth_are_decoded_to_16_khz_and_other_files_passed_over(tmp_path):
    write(tmp_path, "a.wav", noise(1))
    write(tmp_path, "deep/er/b.FLAC", np.stack([noise(1), noise(1)], axis=1)[:8_000], 8_000)
    (tmp_path / "README").write_text("noises")
    found = load_sounds(str(tmp_path))
    assert sorted((sound.dtype.name, len(sound)) for sound in found) == [("int16", 16_000)] * 2


def test_a_folder_is_decoded_once(tmp_path):
    write(tmp_path, "a.wav", noise(1))
    assert load_sounds(str(tmp_path)) is load_sounds(str(tmp_path))


def test_what_cannot_be_used_is_told_and_left_out(tmp_path):
    write(tmp_path, "good.wav", noise(1))
    write(tmp_path, "silent.wav", np.zeros(100))
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.warns(UserWarning, match="2 of 3 recordings cannot be used. The first: "):
        assert len(load_sounds(str(tmp_path))) == 1


def test_no_more_is_held_than_there_is_room_for(tmp_path, monkeypatch):
    for i in range(6):
        write(tmp_path, f"{i}.wav", noise(1, i))
    monkeypatch.setattr(sounds, "MOST_BYTES", 60_000)
    with pytest.warns(UserWarning, match="2 of 6 recordings fill 60000 bytes; the rest is left out"):
        assert len(load_sounds(str(tmp_path))) == 2


@pytest.mark.parametrize("name", ["empty", "absent"])
def test_a_folder_without_recordings_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=f"{name} holds no recording that can be used .*Name another folder"):
        load_sounds(str(tmp_path / name))
