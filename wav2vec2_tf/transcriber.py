"""The `Transcriber`: recordings of any length, one or many, to text with times and confidences.

It puts the others together: `intake` decodes and cuts in a thread, `hearing` runs the model over batches, `decoding`
reads what it says, `streaming` does the same while somebody speaks. Files are `formats`', the command line is
`transcribe`.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from wav2vec2_tf.chunking import Window, Windows
from wav2vec2_tf.decoding.greedy import Greedy
from wav2vec2_tf.decoding.transcript import Transcript
from wav2vec2_tf.intake import End, Intake
from wav2vec2_tf.lengths import hop_samples
from wav2vec2_tf.prefetch import ahead
from wav2vec2_tf.processor import Wav2Vec2Processor
from wav2vec2_tf.streaming import Partial, Stream

_BATCHES = 16  # of which windows are sorted by length together; while the model hears them, the next are decoded


class Transcriber:
    """Turns recordings into text with one model.

    Args:
        model: A `Wav2Vec2ForCTC`.
        processor: The `Wav2Vec2Processor` the model was trained with.
        decoder: What reads the log-probabilities, such as `decoding.beam.BeamDecoder`: an object with
            `decode(log_probs, seconds_per_frame) -> Transcript`. By default the best label of each frame is found on
            the device and read; a decoder gets all of a recording's log-probabilities at once.
        window_seconds: Longer recordings are heard in windows of this length, which know nothing of each other but for
            what they share: a tenth of a window at either end.
        batch_seconds: Audio that goes through the model at once; by default 20 s on a CPU, 320 s elsewhere.
    Raises:
        ValueError: Model and processor disagree on the labels (`Wav2Vec2Processor.check_model`).
    """

    def __init__(
        self,
        model,
        processor: Wav2Vec2Processor,
        decoder=None,
        *,
        window_seconds: float = 30.0,
        batch_seconds: float | None = None,
    ):
        processor.check_model(model.config)
        self.model, self.processor, self.decoder = model, processor, decoder
        self.rate_hz, convs = processor.feature.sampling_rate, model.config.convs
        self.seconds_per_frame = hop_samples(convs) / self.rate_hz
        self._intake = Intake(processor, Windows.of(window_seconds, window_seconds / 10, convs, self.rate_hz))
        self._batch_seconds, self._hearings, self._made_for = batch_seconds, {}, None

    @classmethod
    def from_pretrained(
        cls, source: str | os.PathLike, *, target_lang: str | None = None,
        window_seconds: float = 30.0, batch_seconds: float | None = None, **where,
    ) -> "Transcriber":  # fmt: skip
        """Loads model and processor from one place; `transcriber.decoder = ...` gives it another decoder afterwards.

        Args:
            source: A folder, a hub id, a gs:// folder, or a fine-tuned .pt file of fairseq.
            target_lang: The language of a multilingual model (MMS), such as "swe": its vocabulary and its adapters.
            window_seconds, batch_seconds: As for the class.
            where: `revision`, `cache_dir`, `token`, `local_files_only`, as for `remote.fetch`.
        Raises:
            OSError: The source is not there or cannot be reached, or a file of model or processor is missing.
            ValueError: A file is damaged, the files do not fit together, or the model was only pretrained.
        """
        processor = Wav2Vec2Processor.from_pretrained(source, target_lang=target_lang, **where)
        from wav2vec2_tf.hub import FreshHeadWarning  # TensorFlow takes seconds: not for --help or a wrong folder
        from wav2vec2_tf.model_ctc import Wav2Vec2ForCTC

        with warnings.catch_warnings():
            warnings.simplefilter("error", FreshHeadWarning)
            try:
                model = Wav2Vec2ForCTC.from_pretrained(source, **where)
            except FreshHeadWarning as warning:
                raise ValueError(f"There is nothing to transcribe with: {warning}") from None
        if target_lang is not None:
            model.load_adapter(target_lang)
        return cls(model, processor, window_seconds=window_seconds, batch_seconds=batch_seconds)

    def transcribe(self, source) -> Transcript:
        """Transcribes one recording.

        Args:
            source: Path, gs:// address, bytes or open file in any format and at any rate (`wav2vec2_tf.audio.load`),
                or an `intake.Recording`.
        Raises:
            AudioError: The recording cannot be read.
            OSError, ImportError: The bucket cannot be read, or not without an extra of this package.
            ValueError: It is too short for a single frame (400 samples, 25 ms, in every published model).
        """
        (result,) = self.transcribe_all([source])
        if isinstance(result, Exception):
            raise result
        return result

    def transcribe_all(
        self, sources: Iterable, progress: Callable[[float], Any] = lambda seconds: None
    ) -> Iterator[Transcript | Exception]:
        """Transcribes recordings, those of like length together.

        Args:
            sources: Each as for `transcribe`; taken as they are needed.
            progress: Takes the seconds of audio that the model has just heard.
        Yields:
            One result per recording, in order: its transcript, or the error that `transcribe` raises.
        """
        outputs, read = (self._score, self._decode) if self.decoder else (self._best, self._read)
        pieces = []
        for event in self._heard(sources, outputs, progress):
            if not isinstance(event, End):
                pieces.append(event)
                continue
            yield event.error or read(event.num_samples / self.rate_hz, *map(np.concatenate, zip(*pieces, strict=True)))
            pieces = []

    def log_probs(self, source) -> Iterator[np.ndarray]:
        """Scores every label at every frame of one recording, of any length.

        Args:
            source: As for `transcribe`.
        Yields:
            float32 [T, V] natural logarithms: one window's frames after the other's.
        Raises:
            AudioError, OSError, ValueError: As for `transcribe`.
        """
        for event in self._heard([source], self._score, lambda seconds: None):
            if not isinstance(event, End):
                yield event[0]
            elif event.error:
                raise event.error

    def stream(
        self, chunks: Iterable, *, step_seconds: float = 1.0, lookahead_seconds: float = 1.0, **how
    ) -> Iterator[Partial]:
        """Transcribes what is being said.

        Args:
            chunks: Pieces of samples [S] at the model's rate, float in [-1, 1] or int16, of any length, as they come.
            step_seconds: How often the model listens.
            lookahead_seconds: What must follow a frame before it is taken for certain.
            how: `context_seconds`, as for `streaming.Stream`.
        Returns:
            An iterator of `Partial`: at each step the text that will not change any more, and what may follow. What is
            said is certain `step_seconds + lookahead_seconds` later at the latest, plus the time the model takes.
        Raises:
            ValueError: A duration makes no sense; while iterating: a chunk is no audio.
        """
        if step_seconds <= 0:
            raise ValueError(f"step_seconds must be positive; got {step_seconds:g}.")
        stream, most = Stream(self, step_seconds, lookahead_seconds, **how), max(1, round(step_seconds * self.rate_hz))
        steps = (chunk[i : i + most] for chunk in chunks for i in range(0, len(chunk), most))  # of what came at once
        return chain((partial for step in steps if (partial := stream.add(step))), stream.end())

    def hear_best(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Gives the best label of each frame of normalised samples [S], and its log-probability: [T], [T]."""
        return self._hearing(self._best).one(values)

    def _heard(self, sources, outputs, progress) -> Iterator[tuple[np.ndarray, ...] | End]:
        """Gives the outputs of every window in turn, and after a recording's last an `End`."""
        hearing = self._hearing(outputs)
        most = _BATCHES * hearing.batch_seconds * self.rate_hz
        for events in ahead(self._intake.pools(sources, most), 1):
            windows = [event for event in events if isinstance(event, Window)]
            results = [None] * len(windows)
            for position, result in hearing([window.samples for window in windows]):
                results[position] = tuple(output[windows[position].kept] for output in result)
                progress(len(result[0][windows[position].kept]) * self.seconds_per_frame)
            following = iter(results)
            yield from (next(following) if isinstance(event, Window) else event for event in events)

    def _hearing(self, outputs):
        if (now := (self.model.lm_head, self.processor.tokenizer.vocab)) != self._made_for:  # another language, of MMS
            self.processor.check_model(self.model.config)
            self._greedy, self._hearings, self._made_for = Greedy(self.processor.tokenizer), {}, now
        if outputs not in self._hearings:
            from wav2vec2_tf.hearing import Hearing

            self._hearings[outputs] = Hearing(self.model, outputs, self.rate_hz, self._batch_seconds)
        return self._hearings[outputs]

    def _best(self, logits, frames):
        from wav2vec2_tf.model_ctc import best_labels

        return best_labels(logits, frames, self.model.config.pad_token_id)

    def _score(self, logits, frames):
        import tensorflow as tf

        return (tf.nn.log_softmax(logits),)

    def _read(self, seconds: float, ids: np.ndarray, log_probs: np.ndarray) -> Transcript:
        return replace(self._greedy.read(ids, log_probs, self.seconds_per_frame), duration_seconds=seconds)

    def _decode(self, seconds: float, log_probs: np.ndarray) -> Transcript:
        return replace(self.decoder.decode(log_probs, self.seconds_per_frame), duration_seconds=seconds)
