import dataclasses

import numpy as np
import pytest

from data_tools import augment
from data_tools.augment import AugmentConfig, add_noise, augment_clip, in_room, make_augmenter, over_telephone
from tests.data_tools.test_sounds import noise, write

RATE_HZ = 16_000
NOISES = (np.round(noise(0.3, 1) * 8_000).astype(np.int16), np.round(noise(4, 2) * 8_000).astype(np.int16))
ROOMS = ((np.exp(-np.arange(4_000) / 800) * noise(0.25, 3) * 30_000).astype(np.int16),)
EVERYTHING = AugmentConfig(
    room_probability=0.5, room_folder="r", noise_probability=0.5, noise_folder="n", codec_probability=0.5,
    gain_probability=0.5,
)  # fmt: skip


def tone(hz, seconds=1.0, loud=0.3):
    return (loud * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ)).astype(np.float32)


def clip(seconds=1.0):
    return np.round(tone(440, seconds) * 32768).astype(np.int16)


def rms_db(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


def changed(config, samples=None, seed=0):
    samples = clip() if samples is None else samples
    return augment_clip(samples, config, ROOMS, NOISES, np.random.default_rng(seed))


def test_nothing_is_changed_by_default():
    assert not AugmentConfig().changes_anything
    np.testing.assert_array_equal(changed(AugmentConfig()), clip())


@pytest.mark.parametrize("name", ["room", "noise", "codec", "gain"])
def test_each_change_happens_as_often_as_asked(name):
    folders = {f"{name}_folder": "x"} if name in ("room", "noise") else {}
    config = AugmentConfig(**{f"{name}_probability": 0.3}, **folders)
    assert config.changes_anything
    samples = clip(0.05)
    touched = sum((changed(config, samples, seed) != samples).any() for seed in range(400))
    assert 0.3 * 400 - 30 < touched < 0.3 * 400 + 30


def test_changes_are_drawn_apart_from_each_other():
    gain_alone = AugmentConfig(gain_probability=1.0)
    with_rare_noise = dataclasses.replace(gain_alone, noise_probability=1e-9, noise_folder="n")
    np.testing.assert_array_equal(changed(gain_alone), changed(with_rare_noise))


@pytest.mark.parametrize("snr_db", [-5, 0, 20])
def test_noise_lies_as_far_below_the_speech_as_asked(snr_db):
    samples, sound = tone(440), noise(1).astype(np.float32)
    added = add_noise(samples, sound, snr_db) - samples
    assert rms_db(samples) - rms_db(added) == pytest.approx(snr_db, abs=0.01)


def test_silent_noise_changes_nothing():
    np.testing.assert_array_equal(add_noise(tone(440), np.zeros(RATE_HZ, np.float32), 5), tone(440))


@pytest.mark.parametrize("length", [100, RATE_HZ, 30_000])
def test_a_noise_is_cut_or_repeated_to_the_clips_length(length):
    sound = np.arange(1, RATE_HZ + 1, dtype=np.int16)
    piece = augment._piece(sound, length, np.random.default_rng(1))
    assert len(piece) == length
    assert set(np.diff(piece.astype(int))) <= {1, 1 - RATE_HZ}


def test_a_room_keeps_the_direct_sound_in_place_and_the_loudness():
    click = np.zeros(RATE_HZ, np.float32)
    click[5_000] = 0.5
    response = np.zeros(3_000, np.float32)
    response[[700, 1_500]] = [1.0, 0.5]
    heard = in_room(click, response)
    assert np.flatnonzero(np.abs(heard) > 1e-4).tolist() == [5_000, 5_800]
    assert heard[5_800] / heard[5_000] == pytest.approx(0.5, abs=1e-4)
    assert rms_db(heard) == pytest.approx(rms_db(click), abs=0.01)


def test_a_room_is_the_convolution_with_its_response():
    samples, response = noise(0.2, 5).astype(np.float32), noise(0.05, 6).astype(np.float32)
    direct = np.abs(response).argmax()
    want = np.convolve(samples, response)[direct : direct + len(samples)]
    heard = in_room(samples, response)
    np.testing.assert_allclose(heard / heard.std(), want / want.std(), atol=1e-4)


@pytest.mark.parametrize("codec", augment._CODECS)
def test_a_telephone_lets_speech_through_and_no_high_tones(codec):
    low = over_telephone(tone(800), codec)
    assert len(low) == RATE_HZ
    assert rms_db(low) == pytest.approx(rms_db(tone(800)), abs=2)
    assert rms_db(over_telephone(tone(6_000), codec)) < rms_db(tone(6_000)) - 30


@pytest.mark.parametrize("codec", augment._CODECS)
@pytest.mark.parametrize("length", [1, 399, 12_345])
def test_a_telephone_keeps_the_length(codec, length):
    assert len(over_telephone(noise(1)[:length].astype(np.float32), codec)) == length


def test_gain_stays_within_its_decibels_and_never_clips():
    config = AugmentConfig(gain_probability=1.0, gain_db=(-6.0, 12.0))
    gains = [rms_db(changed(config, seed=seed)) - rms_db(clip()) for seed in range(50)]
    assert -6.1 < min(gains) < -4
    assert 9 < max(gains) < 12.1
    loud = np.round(tone(440, loud=0.9) * 32768).astype(np.int16)
    assert np.abs(changed(dataclasses.replace(config, gain_db=(12.0, 12.0)), loud).astype(int)).max() >= 32_767
    spectrum = np.abs(np.fft.rfft(changed(dataclasses.replace(config, gain_db=(12.0, 12.0)), loud) / 32768))
    assert np.sort(spectrum)[-2] < 1e-3 * spectrum.max()  # a clipped tone has overtones


@pytest.fixture
def folders(tmp_path):
    write(tmp_path, "rooms/a.wav", ROOMS[0])
    for i, sound in enumerate(NOISES):
        write(tmp_path, f"noises/{i}.wav", sound)
    return dict(room_folder=str(tmp_path / "rooms"), noise_folder=str(tmp_path / "noises"))


def batch(rows=6, width=20_000):
    audio, counts = np.zeros((rows, width), np.int16), np.arange(rows) * 3_000
    for row, count in zip(audio, counts, strict=True):
        row[:count] = clip(2)[:count]
    return audio, counts


def test_padding_stays_zero_and_filled_up_rows_stay_empty(folders):
    augmenter = make_augmenter(dataclasses.replace(EVERYTHING, **folders, gain_probability=1.0), seed=1, epoch=0)
    audio, counts = batch()
    record = np.array([0, 1, 2, 3, 4, -1])
    result = augmenter(audio, counts, record)
    assert (result.shape, result.dtype) == (audio.shape, np.int16)
    for row, count in zip(result, counts, strict=True):
        assert not row[count:].any()
    np.testing.assert_array_equal(result[5], audio[5])
    assert (result[1:5] != audio[1:5]).any(axis=1).all()


def test_a_record_is_changed_alike_in_any_batch_and_otherwise_in_another_epoch_or_run(folders):
    config = dataclasses.replace(EVERYTHING, **folders, gain_probability=1.0)
    audio, counts = batch()
    record = np.arange(6)
    first = make_augmenter(config, seed=1, epoch=0)(audio, counts, record)
    backwards = make_augmenter(config, seed=1, epoch=0)(audio[::-1], counts[::-1], record[::-1])[::-1]
    np.testing.assert_array_equal(first, backwards)
    for seed, epoch in ((1, 1), (2, 0)):
        other = make_augmenter(config, seed=seed, epoch=epoch)(audio, counts, record)
        assert (other != first).any(axis=1)[1:].all()


def test_a_silent_clip_stays_silent(folders):
    config = dataclasses.replace(
        EVERYTHING, **folders, room_probability=1.0, noise_probability=1.0, codec_probability=0.0
    )
    assert not changed(config, np.zeros(1_000, np.int16)).any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(gain_probability=1.5), "--augment.gain_probability lies between 0 and 1; got 1.5"),
        (dict(codec_probability=-0.1), "--augment.codec_probability lies between 0 and 1; got -0.1"),
        (dict(room_probability=0.1), "--augment.room_probability needs recordings: name --augment.room_folder"),
        (dict(noise_probability=0.1), "--augment.noise_probability needs recordings: name --augment.noise_folder"),
        (dict(gain_db=(3.0, -3.0)), "--augment.gain_db goes from the least to the most; got 3.0, -3.0"),
        (dict(noise_snr_db=(9.0, 5.0)), "--augment.noise_snr_db goes from the least to the most; got 9.0, 5.0"),
    ],
)
def test_a_config_that_breaks_a_rule_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        AugmentConfig(**values)
