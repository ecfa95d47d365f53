"""Streams: what is certain stays, comes in time, and is in the end what a file would have said."""

import numpy as np
import pytest
import soundfile

from tests.tiny import noise
from tests.wav2vec2_tf.test_transcriber import PROCESSOR, made
from wav2vec2_tf.decoding.greedy import Greedy
from wav2vec2_tf.features import FeatureSettings
from wav2vec2_tf.processor import Wav2Vec2Processor
from wav2vec2_tf.streaming import Stream

AS_IT_IS = Wav2Vec2Processor(tokenizer=PROCESSOR.tokenizer, feature=FeatureSettings(do_normalize=False))


@pytest.fixture(scope="module")
def transcriber():
    """A deaf model that does not normalise: what a frame says depends on the samples around it alone."""
    return made(deaf=True, processor=AS_IT_IS)


@pytest.fixture(scope="module")
def speech():
    samples = noise(16_000 * 4)
    samples[20_000:40_000] *= 0.001
    return samples


def partials(transcriber, samples, chunk, **how):
    chunks = [samples[first : first + chunk] for first in range(0, len(samples), chunk)]
    return list(transcriber.stream(chunks, **({"step_seconds": 0.25, "lookahead_seconds": 0.2} | how)))


@pytest.mark.parametrize("chunk", [160, 3_333, 64_000])
def test_the_end_is_what_a_file_says(transcriber, speech, chunk, tmp_path):
    soundfile.write(tmp_path / "a.wav", speech, 16_000, subtype="FLOAT")
    expected = transcriber.transcribe(tmp_path / "a.wav")
    heard = partials(transcriber, speech, chunk, context_seconds=2)
    assert heard[-1].text == " ".join(expected.text.split())
    assert heard[-1].tentative == ""
    words = [word for partial in heard for word in partial.words]
    assert [(word.text, word.start_seconds) for word in words] == [(w.text, w.start_seconds) for w in expected.words]


def test_much_at_once_is_heard_step_by_step(transcriber, speech):
    assert [partial.seconds for partial in partials(transcriber, speech, 64_000)] == [
        *(pytest.approx(0.25 * step) for step in range(1, 17)), 4.0,
    ]  # fmt: skip


def test_what_is_certain_never_changes(speech):
    heard = partials(made(), speech, 500)  # the model attends to everything, and loudness is learned on the way
    texts = [partial.text for partial in heard]
    assert len(set(texts)) > 5
    assert all(later.startswith(text) for text, later in zip(texts, texts[1:], strict=False))


def test_what_is_said_is_certain_in_time(transcriber, speech):
    heard = partials(transcriber, speech, 160)
    assert heard[0].seconds == pytest.approx(0.25, abs=0.02)
    steps = np.diff([partial.seconds for partial in heard[:-1]])
    assert np.allclose(steps, 0.25, atol=0.02)
    stream = Stream(transcriber, 0.25, 0.2)
    for first in range(0, 32_000, 160):
        if partial := stream.add(speech[first : first + 160]):
            certain_seconds = stream._frames.end * transcriber.seconds_per_frame
            assert certain_seconds >= partial.seconds - 0.2 - 0.02


def test_memory_does_not_grow(transcriber):
    stream = Stream(transcriber, 0.5, 0.2, context_seconds=1)
    for _ in range(40):
        stream.add(np.zeros(8_000, np.int16))
    assert len(stream._samples) < 16_000 * 2
    assert len(stream._frames.ids) * transcriber.seconds_per_frame < 3


def test_nothing_said_gives_nothing(transcriber):
    assert list(transcriber.stream([])) == []
    assert list(transcriber.stream([np.zeros(30, np.float32), np.zeros(0)])) == []


def test_what_is_no_audio_is_refused(transcriber):
    with pytest.raises(ValueError, match="the chunk: samples are float"):
        list(transcriber.stream([np.zeros(100, np.int64)]))
    with pytest.raises(ValueError, match="step_seconds must be positive; got 0"):
        transcriber.stream([], step_seconds=0)
    for how in ({"lookahead_seconds": -1}, {"context_seconds": -1}, {"lookahead_seconds": 0, "context_seconds": 0}):
        with pytest.raises(ValueError, match="neither is below zero, and both together are at least 0.1 s"):
            transcriber.stream([], **how)


def test_without_look_ahead_no_word_is_torn(transcriber, speech):
    heard = partials(transcriber, speech, 1_000, lookahead_seconds=0, context_seconds=2)
    parts = [word.text for partial in heard for word in partial.words]
    assert " ".join(parts) == heard[-1].text
    expected = Greedy(transcriber.processor.tokenizer).read(*transcriber.hear_best(speech), 0.004).text
    assert len(parts) <= len(expected.split()) * 1.2
