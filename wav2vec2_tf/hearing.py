"""Windows of audio through a model, in batches: what the model says about every real frame comes back as NumPy.

What is to be taken of the logits is the caller's choice, and is computed on the device. Cutting recordings into windows
is `chunking`'s, reading them `audio_blocks`'.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from wav2vec2_tf.chunking import batches, padded_length

#: XLA takes some seconds for a shape of the base model on a CPU, and saves a seventh of the time from then on.
COMPILED_AFTER_SECONDS = 300.0
_CPU_BATCH_SECONDS, _BATCH_SECONDS = 20.0, 320.0  # a CPU is busy with little, and its caches are small


class Hearing:
    """Runs a model over windows of like length together.

    Few windows run in a graph that takes any shape. A shape that comes often is compiled by XLA; lengths are
    rounded up to one of a few then, and the batches full, so that a compiled shape comes again.

    Args:
        model: A `Wav2Vec2ForCTC`.
        outputs: Logits [B, T, V] and real frames [B] -> tensors with the axes B and T, to be fetched.
        sample_rate_hz: The model's.
        batch_seconds: Audio per batch; by default 20 s on a CPU, 320 s elsewhere.
    """

    def __init__(self, model, outputs: Callable, sample_rate_hz: int, batch_seconds: float | None = None):
        self.model, self.outputs, self.sample_rate_hz = model, outputs, sample_rate_hz
        if batch_seconds is None:
            on_cpu = not (tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))
            batch_seconds = _CPU_BATCH_SECONDS if on_cpu else _BATCH_SECONDS
        self.batch_seconds = batch_seconds
        self.seconds_heard = Counter()  # by shape of full batches
        signature = (tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([None], tf.int32))
        self.graph = tf.function(self._forward, input_signature=signature, autograph=False)
        self.compiled = tf.function(self._forward, jit_compile=True, autograph=False)

    def __call__(self, windows: Sequence[np.ndarray]) -> Iterator[tuple[int, tuple[np.ndarray, ...]]]:
        """Hears windows, those of like length together.

        Args:
            windows: [S] float32 each, normalised; long enough for a frame.
        Yields:
            Position of a window, and its outputs [T, ...]; in another order than `windows`.
        Raises:
            MemoryError: One window alone is too much for the device.
        """
        for batch in batches([len(window) for window in windows], round(self.batch_seconds * self.sample_rate_hz)):
            outputs = self._hear([windows[position] for position in batch])
            yield from zip(batch, outputs, strict=True)

    def one(self, window: np.ndarray) -> tuple[np.ndarray, ...]:
        """Hears one window at once, without ever stopping to compile: [S] -> outputs [T, ...]."""
        return self._run([window], self.graph, len(window))[0]

    def _hear(self, rows: list[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        """Runs a batch; where the device has no room for it, in halves, and smaller ones from then on."""
        try:
            return self._run(rows, *self._choose(np.array([len(row) for row in rows])))
        except tf.errors.ResourceExhaustedError as error:
            half = len(rows) // 2
            if not half:
                seconds = len(rows[0]) / self.sample_rate_hz
                message = f"The device has no room for a window of {seconds:g} s. Take shorter ones: --window_seconds."
                raise MemoryError(message) from error
        self.batch_seconds /= 2
        return self._hear(rows[:half]) + self._hear(rows[half:])

    def _run(self, rows: list[np.ndarray], run: Callable, size: int) -> list[tuple[np.ndarray, ...]]:
        lengths = np.array([len(row) for row in rows], np.int32)
        values = np.zeros((len(rows), size), np.float32)
        for place, row in zip(values, rows, strict=True):
            place[: len(row)] = row
        outputs = [output.numpy() for output in run(values, lengths)]
        frames = self.model.frame_lengths(lengths)
        return [tuple(output[i, :count] for output in outputs) for i, count in enumerate(frames)]

    def _choose(self, lengths: np.ndarray) -> tuple[Callable, int]:
        """Picks graph or XLA, and the samples to pad to."""
        size = padded_length(int(lengths.max()))
        is_full = (len(lengths) + 1) * size > self.batch_seconds * self.sample_rate_hz
        shape = (len(lengths), size)
        if not is_full or self.seconds_heard[shape] < COMPILED_AFTER_SECONDS:
            self.seconds_heard[shape] += len(lengths) * size / self.sample_rate_hz
            return self.graph, int(lengths.max())
        return self.compiled, size

    def _forward(self, values, num_samples):
        logits = self.model(values, num_samples=num_samples)
        return self.outputs(logits, self.model.frame_lengths(num_samples))
