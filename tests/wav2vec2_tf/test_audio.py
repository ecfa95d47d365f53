import io

import numpy as np
import pytest
import soundfile

from wav2vec2_tf.audio import AudioError, Span, duration_seconds, load, load_int16, to_float, to_int16

RATE_HZ = 16_000


def tone(hertz=440.0, seconds=1.0, rate_hz=RATE_HZ, channels=1):
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.repeat(0.5 * np.sin(2 * np.pi * hertz * t)[:, None], channels, axis=1).astype(np.float32)


def encoded(samples, rate_hz=RATE_HZ, kind="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=kind, subtype=subtype)
    return file.getvalue()


def level(samples, hertz):
    """Amplitude of one frequency in one second of samples."""
    return 2 * abs(np.fft.rfft(samples)[int(hertz)]) / len(samples)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"), ("FLAC", "PCM_16"), ("AIFF", "PCM_16"),
     ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("CAF", "PCM_16"), ("W64", "PCM_16")],
)  # fmt: skip
def test_every_format_gives_the_same_second(kind, subtype):
    samples = load(encoded(tone(), kind=kind, subtype=subtype))
    assert samples.dtype == np.float32
    assert abs(len(samples) - RATE_HZ) < 2304
    assert level(samples[:RATE_HZ], 440) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_any_rate_becomes_16_khz(rate_hz):
    samples = load(encoded(tone(rate_hz=rate_hz), rate_hz))
    assert len(samples) == RATE_HZ
    assert level(samples, 440) == pytest.approx(0.5, abs=0.005)


def test_what_lies_above_the_new_range_is_removed_not_folded():
    samples = load(encoded(tone(hertz=10_000, rate_hz=48_000), 48_000))
    assert level(samples, 6_000) < 1e-4


def test_speech_band_passes_up_to_7500_hertz():
    samples = load(encoded(tone(hertz=7_500, rate_hz=48_000), 48_000))
    assert 20 * np.log10(level(samples, 7_500) / 0.5) > -1


def test_stereo_becomes_the_mean_of_its_channels():
    stereo = np.stack([np.full(1_000, 0.5), np.full(1_000, -0.25)], axis=1).astype(np.float32)
    assert load(encoded(stereo, subtype="FLOAT")) == pytest.approx(np.full(1_000, 0.125))


def test_path_bytes_and_open_file_give_the_same(tmp_path):
    data = encoded(tone())
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    for source in (path, str(path), io.BytesIO(data), path.open("rb")):
        np.testing.assert_array_equal(load(source), load(data))


def test_a_file_without_samples_is_empty():
    assert load(encoded(np.zeros((0, 1)), 8_000)).shape == (0,)


def test_int16_round_trip_is_exact():
    every = np.arange(-32768, 32768).astype(np.int16)
    np.testing.assert_array_equal(to_int16(to_float(every)), every)


def test_int16_rounds_and_clips():
    assert to_int16(np.array([0.6, -0.6, 40_000, -40_000]) / 32768).tolist() == [1, -1, 32767, -32768]


def raised_reason(source):
    with pytest.raises(AudioError, match=".") as caught:
        load(source)
    return caught.value.reason


def test_no_such_file_is_named(tmp_path):
    with pytest.raises(AudioError, match="nowhere.flac: no such file") as caught:
        load(tmp_path / "nowhere.flac")
    assert caught.value.reason == "missing_file"


@pytest.mark.parametrize("data", [b"", b"this is text, not audio\n" * 100])
def test_what_is_no_audio_is_unreadable(data):
    with pytest.raises(AudioError, match="cannot be decoded"):
        load(data)
    assert raised_reason(data) == "unreadable"


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("FLAC", "PCM_16"), ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AIFF", "PCM_16"), ("AU", "PCM_16"),
     ("MP3", "MPEG_LAYER_III")],
)  # fmt: skip
def test_half_a_file_is_truncated(kind, subtype):
    data = encoded(tone(seconds=3), kind=kind, subtype=subtype)
    assert raised_reason(data[: len(data) // 2]) == "truncated"


def test_half_a_file_says_how_much_is_there():
    with pytest.raises(AudioError, match=r"ends after 7989 of the 16000 samples its header promises"):
        load(encoded(tone())[:16_022])


def test_a_wav_from_a_pipe_that_does_not_know_its_size_is_whole():
    data, size = encoded(tone()), b"\xff" * 4
    at = data.index(b"data") + 4
    unsized = data[:4] + size + data[8:at] + size + data[at + 4 :]
    assert len(load(unsized)) == RATE_HZ


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(bad):
    samples = tone()
    samples[100] = bad
    with pytest.raises(AudioError, match="NaN or infinity"):
        load(encoded(samples, subtype="FLOAT"))
    assert raised_reason(encoded(samples, subtype="FLOAT")) == "non_finite"


def test_an_error_survives_the_way_between_processes():
    import pickle

    error = pickle.loads(pickle.dumps(AudioError("a.wav is odd", "unreadable")))
    assert (str(error), error.reason) == ("a.wav is odd", "unreadable")


def test_duration_comes_from_the_header(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(tone(seconds=2.5, rate_hz=8_000), 8_000))
    (tmp_path / "b.wav").write_bytes(b"no audio")
    assert duration_seconds(tmp_path / "a.wav") == 2.5
    assert duration_seconds(tmp_path / "b.wav") is None
    assert duration_seconds(tmp_path / "none.wav") is None


def test_real_truncated_flac_is_refused(speech_dir):
    assert raised_reason(speech_dir / "wild/odd/truncated_last_frame.flac") == "truncated"


def test_real_mp3_named_wav_is_told_by_its_content(speech_dir):
    assert len(load(speech_dir / "wild/odd/mp3_named_wav.wav")) / RATE_HZ == pytest.approx(3.24, abs=0.01)


def test_real_near_silence_is_audio(speech_dir):
    samples = load(speech_dir / "wild/odd/near_silence.wav")
    assert 0 < np.abs(samples).max() < 0.05


def test_real_flac_and_wav_of_one_recording_agree(speech_dir):
    wav, flac, mp3 = (load(speech_dir / f"wild/ljspeech/LJ001-0002.{kind}") for kind in ("wav", "flac", "mp3"))
    np.testing.assert_array_equal(wav, flac)
    assert abs(len(mp3) - len(wav)) < 2304


@pytest.mark.parametrize(
    ("kind", "subtype", "rate_hz", "channels"),
    [("WAV", "PCM_16", 16_000, 1), ("FLAC", "PCM_16", 16_000, 1), ("FLAC", "PCM_16", 44_100, 2),
     ("WAV", "PCM_16", 16_000, 2), ("WAV", "PCM_16", 8_000, 1), ("WAV", "PCM_24", 16_000, 1),
     ("WAV", "FLOAT", 16_000, 1)],
)  # fmt: skip
def test_sixteen_bits_are_the_rounded_floats_with_or_without_a_way_through_them(kind, subtype, rate_hz, channels):
    noise = np.random.default_rng(0).normal(0, 0.4, (4_000, channels)).clip(-1, 1)
    source = encoded(noise, rate_hz, kind, subtype)
    samples = load_int16(source, Span())
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, to_int16(load(source)))


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")])
def test_a_piece_is_cut_out_of_the_whole(kind, subtype):
    source = encoded(tone(440, 2), kind=kind, subtype=subtype)
    whole = load_int16(source, Span())
    np.testing.assert_array_equal(load_int16(source, Span(0.5, 0.25)), whole[8_000:12_000])
    np.testing.assert_array_equal(load_int16(source, Span(1.5)), whole[24_000:])
    np.testing.assert_array_equal(load_int16(source, Span(0, 0.1)), whole[:1_600])


def test_a_piece_may_end_a_few_hundredths_after_its_recording_and_no_more():
    source = encoded(tone(seconds=1))
    assert len(load_int16(source, Span(0.5, 0.54))) == 8_000
    with pytest.raises(AudioError, match="ends after 8000 of the 9600 samples") as caught:
        load_int16(source, Span(0.5, 0.6))
    assert caught.value.reason == "truncated"


def test_a_piece_that_begins_after_the_end_is_told():
    with pytest.raises(
        AudioError, match=r"the audio lasts 1.00 s, the utterance begins at 3 s. Check its start"
    ) as caught:
        load_int16(encoded(tone()), Span(3, 1))
    assert caught.value.reason == "truncated"


def test_one_channel_is_taken_alone_and_all_are_averaged():
    left, right = tone(200)[:, 0], tone(300)[:, 0]
    source = encoded(np.stack([left, right], axis=1))
    for channel, expected in ((0, left), (1, right), (None, (left + right) / 2)):
        np.testing.assert_allclose(load_int16(source, Span(channel=channel)), to_int16(expected), atol=1)
    np.testing.assert_array_equal(load_int16(encoded(left), Span(channel=0)), load_int16(encoded(left), Span()))


def test_a_channel_that_is_not_there_is_told():
    with pytest.raises(AudioError, match=r"the audio has 1 channels, counted from 0, and no channel 1.") as caught:
        load_int16(encoded(tone()), Span(channel=1))
    assert caught.value.reason == "missing_channel"


@pytest.mark.parametrize("span", [Span(max_seconds=0.9), Span(0.05, max_seconds=0.9), Span(0, 0.95, 0.9)])
def test_what_is_too_long_is_not_decoded(span, monkeypatch):
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    with pytest.raises(AudioError, match=r"s, at most 0.9 s are taken") as caught:
        load_int16(encoded(tone()), span)
    assert caught.value.reason == "too_long"


def test_the_length_of_bytes_is_read_from_their_header():
    assert duration_seconds(encoded(tone(seconds=2), kind="FLAC")) == 2
