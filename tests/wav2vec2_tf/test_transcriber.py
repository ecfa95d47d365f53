"""The Transcriber: many recordings at once and long ones in windows say what each says alone and in one piece."""

import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from tests.tiny import KINDS, noise, perturb, tiny
from wav2vec2_tf import hearing
from wav2vec2_tf.audio import Span
from wav2vec2_tf.decoding.transcript import Transcript
from wav2vec2_tf.features import FeatureSettings
from wav2vec2_tf.intake import Recording
from wav2vec2_tf.processor import Wav2Vec2Processor
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.transcriber import Transcriber

TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCD"]
PROCESSOR = Wav2Vec2Processor(tokenizer=Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(TOKENS)}))


def made(architecture="layer_norm", *, deaf=False, processor=PROCESSOR, decoder=None, **how) -> Transcriber:
    """A tiny model with random weights; a deaf one hears no frame but through its convolutions."""
    from wav2vec2_tf.model_ctc import Wav2Vec2ForCTC

    model = perturb(Wav2Vec2ForCTC(tiny(architecture)))
    model.lm_head.kernel.assign(model.lm_head.kernel * 4)
    for block in model.wav2vec2.encoder.blocks if deaf else ():
        block.attention.out_proj.kernel.assign(np.zeros(block.attention.out_proj.kernel.shape))
    return Transcriber(model, processor, decoder, **how)


def wav(path, seconds, seed=0):
    samples = noise(round(seconds * 16_000), seed=seed) * np.linspace(0.05, 0.2, round(seconds * 16_000))
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    return str(path)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    lengths = (0.3, 1.7, 0.31, 2.5, 0.3, 0.9, 1.69)
    return [wav(folder / f"{seed}.wav", seconds, seed) for seed, seconds in enumerate(lengths)]


def close(one: Transcript, other: Transcript) -> bool:
    spans = [[(s.text, s.start_seconds, s.end_seconds) for s in each.words + each.characters] for each in (one, other)]
    confident = np.allclose(*([s.confidence for s in (*each.words, each)] for each in (one, other)), atol=1e-3)
    return one.text == other.text and spans[0] == spans[1] and confident


@pytest.mark.parametrize("architecture", KINDS)
def test_many_at_once_are_heard_as_each_alone(architecture, clips):
    transcriber = made(architecture, batch_seconds=4)
    together = list(transcriber.transcribe_all(clips))
    assert len({result.text for result in together}) > 3
    assert all(close(result, transcriber.transcribe(clip)) for result, clip in zip(together, clips, strict=True))


def test_a_shape_that_came_often_is_compiled_and_says_the_same(clips, monkeypatch):
    transcriber = made(batch_seconds=0.5)
    expected = transcriber.transcribe(clips[1])
    monkeypatch.setattr(hearing, "COMPILED_AFTER_SECONDS", 0.0)
    assert close(transcriber.transcribe(clips[1]), expected)
    (heard,) = transcriber._hearings.values()
    assert heard.compiled.experimental_get_tracing_count() == 1
    assert close(transcriber.transcribe(clips[6]), made().transcribe(clips[6]))
    assert heard.compiled.experimental_get_tracing_count() == 1  # of nearly the same length


def test_a_device_without_room_for_a_batch_gets_halves(clips, monkeypatch):
    transcriber, sizes = made(batch_seconds=4), []
    expected = [transcriber.transcribe(clip).text for clip in clips]
    (heard,) = transcriber._hearings.values()
    graph = heard.graph

    def small(values, lengths, most=2):
        sizes.append(len(values))
        if len(values) > most:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM")
        return graph(values, lengths)

    monkeypatch.setattr(heard, "graph", small)
    assert [result.text for result in transcriber.transcribe_all(clips)] == expected
    assert max(sizes) > 2
    assert heard.batch_seconds < 4
    monkeypatch.setattr(heard, "graph", partial(small, most=0))
    with pytest.raises(MemoryError, match="no room for a window of 1.7 s. Take shorter ones: --window_seconds"):
        transcriber.transcribe(clips[1])


def test_another_head_is_heard_at_once(clips):
    transcriber = made()
    before = transcriber.transcribe(clips[1])
    transcriber.model.new_head(len(TOKENS))
    transcriber.model.lm_head.kernel.assign(noise(*transcriber.model.lm_head.kernel.shape))
    after = transcriber.transcribe(clips[1])
    assert after.text != before.text
    assert close(after, Transcriber(transcriber.model, PROCESSOR).transcribe(clips[1]))


def test_windows_are_joined_to_one_piece_where_frames_do_not_attend_to_each_other(tmp_path):
    path = wav(tmp_path / "long.wav", 9.3)
    whole, windows = (made(deaf=True, window_seconds=seconds) for seconds in (10, 1))
    expected, found = (np.concatenate(list(each.log_probs(path))) for each in (whole, windows))
    assert np.abs(found - expected).max() < 1e-3
    assert len(list(windows.log_probs(path))) == 12
    transcripts = whole.transcribe(path), windows.transcribe(path)
    assert close(*transcripts)
    assert transcripts[1].words[-1].start_seconds > 8.5
    assert transcripts[1].duration_seconds == 9.3


def test_long_recordings_are_normalised_over_their_whole_length(tmp_path):
    path = tmp_path / "louder.wav"
    soundfile.write(path, np.concatenate([noise(16_000) * 0.01, noise(160_000) * 0.2]), 16_000, subtype="FLOAT")
    first = next(made(deaf=True, window_seconds=1).log_probs(path))
    expected = next(made(deaf=True, window_seconds=20).log_probs(path))
    assert np.abs(first - expected[: len(first)]).max() < 1e-3


def test_log_probs_of_a_short_recording_are_the_models_own(clips):
    transcriber = made()
    (found,) = transcriber.log_probs(clips[1])
    values = PROCESSOR(soundfile.read(clips[1])[0])
    logits = transcriber.model(values[None]).numpy()[0]
    np.testing.assert_allclose(found, logits - np.log(np.exp(logits).sum(1, keepdims=True)), atol=1e-4)


def test_a_decoder_gets_all_frames_and_their_distance(tmp_path):
    class Decoder:
        def decode(self, log_probs, seconds_per_frame):
            return Transcript(f"{log_probs.shape} {np.exp(log_probs).sum(1).round(3).max()} {seconds_per_frame}", 0.0)

    path = wav(tmp_path / "a.wav", 2.0)
    heard = made(decoder=Decoder(), window_seconds=1).transcribe(path)
    assert heard == Transcript("(500, 9) 1.0 0.004", 2.0)


def test_an_error_is_a_result_and_the_rest_go_on(clips, tmp_path):
    transcriber = made(window_seconds=1)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(open(clips[3], "rb").read()[:-60_000])  # noqa: SIM115
    results = list(transcriber.transcribe_all([clips[0], str(broken), "absent.wav", b"", clips[3]]))
    kinds = ["Transcript", "AudioError", "AudioError", "AudioError", "Transcript"]
    assert [type(result).__name__ for result in results] == kinds
    assert "ends after" in str(results[1])
    assert results[4] == transcriber.transcribe(clips[3])
    with pytest.raises(ValueError, match="absent.wav: no such file"):
        transcriber.transcribe("absent.wav")
    with pytest.raises(ValueError, match="absent.wav: no such file"):
        list(transcriber.log_probs("absent.wav"))


def test_an_error_names_a_recording_that_is_no_file():
    with pytest.raises(ValueError, match="gs://bucket/a.wav cannot be decoded"):
        made().transcribe(Recording(b"nothing", name="gs://bucket/a.wav"))


def test_a_piece_of_a_recording_is_heard_alone(clips, tmp_path):
    samples, _ = soundfile.read(clips[3], dtype="float32")
    soundfile.write(tmp_path / "piece.wav", samples[8_000:24_000], 16_000, subtype="FLOAT")
    transcriber = made()
    piece = transcriber.transcribe(Recording(clips[3], Span(0.5, 1.0)))
    assert piece == transcriber.transcribe(tmp_path / "piece.wav")


def test_progress_tells_all_seconds(clips):
    seconds = []
    list(made(window_seconds=1).transcribe_all(clips, seconds.append))
    assert sum(seconds) == pytest.approx(sum(soundfile.info(clip).duration for clip in clips), abs=0.1)


def test_memory_does_not_grow_with_the_recording(tmp_path, monkeypatch):
    monkeypatch.setattr("wav2vec2_tf.audio_blocks.BLOCK_SECONDS", 1)
    transcriber, peaks = made(window_seconds=1, batch_seconds=0.25), []
    for seconds in (20, 100):
        path = wav(tmp_path / f"{seconds}.wav", seconds)
        tracemalloc.start()
        transcriber.transcribe(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 80 * 16_000  # bytes: a quarter of the samples' own, for text and times


def test_seventy_seconds_of_real_speech(speech_dir):
    path = max((speech_dir / "wild").rglob("*.*"), key=lambda path: _seconds(path))
    heard = made("group_norm").transcribe(path)
    assert heard.duration_seconds == pytest.approx(70.2, abs=0.1)
    assert 60 < heard.words[-1].end_seconds <= heard.duration_seconds + 0.004  # the frames' distance
    starts = [character.start_seconds for character in heard.characters]
    assert starts == sorted(starts)


def _seconds(path) -> float:
    try:
        return soundfile.info(path).duration
    except soundfile.LibsndfileError:
        return 0.0


def test_a_model_that_does_not_normalise_is_given_the_samples(clips):
    processor = Wav2Vec2Processor(tokenizer=PROCESSOR.tokenizer, feature=replace(FeatureSettings(), do_normalize=False))
    transcriber = made(deaf=True, processor=processor, window_seconds=1)
    logits = transcriber.model(soundfile.read(clips[1], dtype="float32")[0][None]).numpy()[0]
    found = np.concatenate(list(transcriber.log_probs(clips[1])))
    np.testing.assert_allclose(found, logits - np.log(np.exp(logits).sum(1, keepdims=True)), atol=1e-3)
