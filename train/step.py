"""One update: forward, backward, apply.

Forward and backward are one function that XLA compiles once per batch shape; gradients are applied by another, outside
of XLA, so that collectives between replicas stay possible. Both run inside `strategy.run`. Nothing is fetched from the
device here: numbers come back as tensors.
"""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from train.optimizer import apply_gradients
from wav2vec2_tf.ctc import ctc_feasible, ctc_loss
from wav2vec2_tf.layers.waveform import normalize, to_float
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ, frames_for


class Counts(NamedTuple):
    """What one update saw and did, a float32 scalar each (tensors from `TrainStep`, floats once fetched)."""

    loss: float  # nats per utterance, its labels summed (config.json's ctc_loss_reduction is another trainer's setting)
    utterances: float
    infeasible: float  # utterances whose labels do not fit into their frames; without effect on the loss
    seconds: float  # real audio
    frames: float  # real frames
    blanks: float  # real frames on which the blank scores highest
    grad_norm: float


def add_shares(batch: dict, convs) -> dict:
    """Adds `share`, what each row contributes to the loss of the global batch; made before a batch is split.

    A row counts weight / sum of weights over the rows that have an alignment; rows without one count nothing.

    Args:
        batch: From `data_tools.reader.batches`.
        convs: The model's convolutions, which decide how many frames a clip has.
    Returns:
        The batch with `share` [B] float32, summing to 1 (to 0 where no row is feasible).
    """
    frames = frames_for(batch["num_samples"], convs)
    counts = batch["weight"] * tf.cast(ctc_feasible(frames, batch["labels"], batch["num_labels"]), tf.float32)
    return batch | {"share": tf.math.divide_no_nan(counts, tf.reduce_sum(counts))}


def waveform(batch: dict, do_normalize: bool):
    """Gives the model's input [B, S] float32 from int16 samples, as the processor's settings say."""
    return normalize(batch["audio"], batch["num_samples"]) if do_normalize else to_float(batch["audio"])


def count_blanks(logits, frames, blank: int):
    """Counts the real frames on which the blank scores highest: [B, T, V], [B] -> float32 scalar."""
    real = tf.sequence_mask(frames, tf.shape(logits)[1])
    blanks = real & (tf.argmax(logits, axis=2, output_type=tf.int32) == blank)
    return tf.reduce_sum(tf.cast(blanks, tf.float32))


def describe_shape(batch: dict) -> str:
    """Names a batch's shape for people: rows x seconds.

    >>> describe_shape({"audio": tf.zeros([12, 67_200])})
    '12 x 4.2 s'
    """
    rows, samples = batch["audio"].shape
    return f"{rows} x {samples / SAMPLE_RATE_HZ:.1f} s"


@contextlib.contextmanager
def _without_retracing_warnings():
    def keep(record):
        return "triggered tf.function retracing" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


class Compiled:
    """A function of batches that XLA compiles once per shape, and that tells when it does.

    Args:
        function: Takes a batch of tensors (no strings) and further tensors.
        jit_compile: Whether XLA compiles it.
        report: Takes a line of text before and after each compilation; it can take minutes.
    """

    def __init__(self, function: Callable, jit_compile: bool, report: Callable[[str], None]):
        self.function = tf.function(function, jit_compile=jit_compile, autograph=False)
        self.report, self.shapes, self.compile_seconds = report, set(), 0.0

    def __call__(self, run: Callable, batch: dict, *more):
        """Calls `run(function, (batch, *more))`, such as `strategy.run`."""
        tensors = {name: value for name, value in batch.items() if value.dtype != tf.string}
        shape = describe_shape(batch)
        if shape in self.shapes:
            return run(self.function, (tensors, *more))
        self.report(f"compiling shape {shape} ...")
        start = time.monotonic()
        with _without_retracing_warnings():  # one trace per shape is the plan, and it is told
            result = run(self.function, (tensors, *more))
        self.shapes.add(shape)
        seconds = time.monotonic() - start
        self.compile_seconds += seconds
        self.report(f"compiled shape {shape} in {seconds:.1f} s ({len(self.shapes)} so far)")
        return result


class TrainStep:
    """Updates a model from batches.

    Args:
        model: Wav2Vec2ForCTC.
        optimizer: From `build_optimizer`, on `model.trainable_variables`.
        do_normalize: Whether audio is brought to zero mean and unit variance, as the processor's settings say.
        clip_norm: Largest norm of the gradient; 0 turns clipping off.
        seed: The run's seed; dropout, masks and LayerDrop draw from (seed, step).
        strategy: tf.distribute strategy under which model and optimizer were made.
        jit_compile: Whether XLA compiles forward and backward.
        report: Takes a line of text before and after each compilation.
    """

    def __init__(self, model, optimizer, *, do_normalize, clip_norm, seed, strategy, jit_compile, report):
        self.model, self.optimizer, self.strategy, self.seed = model, optimizer, strategy, seed
        self.do_normalize, self.clip_norm = do_normalize, clip_norm
        self.variables = model.trainable_variables
        self.gradients = Compiled(self._gradients, jit_compile, report)
        self.apply = tf.function(lambda *args: strategy.run(self._apply, args), autograph=False)

    def __call__(self, batch: dict, step: int, rate: float) -> Counts:
        """Makes one update.

        Args:
            batch: From `data_tools.reader.batches`, with `share` from `add_shares`.
            step: Updates done before.
            rate: The learning rate.
        Returns:
            Counts of tensors.
        """
        seed = tf.constant([self.seed, step], tf.int32)

        def update(gradients_of, args):
            gradients, counts = self.strategy.run(gradients_of, args)
            return self.apply(gradients, tf.constant(rate, tf.float32)), counts

        norm, counts = self.gradients(update, batch, seed)
        total = self.strategy.reduce("SUM", counts, axis=None)
        return Counts(**total, grad_norm=self.strategy.experimental_local_results(norm)[0])

    def _gradients(self, batch, seed):
        with tf.GradientTape() as tape:
            audio, num_samples = waveform(batch, self.do_normalize), batch["num_samples"]
            logits = self.model(audio, num_samples=num_samples, training=True, seed=seed)
            frames, blank = self.model.frame_lengths(num_samples), self.model.config.pad_token_id
            losses = ctc_loss(logits, frames, batch["labels"], batch["num_labels"], blank=blank)
            loss = tf.reduce_sum(losses * batch["share"])
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [v.value for v in self.variables], unconnected_gradients="zero")
        return gradients, self._counts(batch, loss, logits, frames)

    def _counts(self, batch, loss, logits, frames):
        real = batch["weight"] > 0
        values = dict(
            utterances=tf.math.count_nonzero(real),
            infeasible=tf.math.count_nonzero(real & (batch["share"] == 0)),
            seconds=tf.reduce_sum(batch["num_samples"]) / SAMPLE_RATE_HZ,
            frames=tf.reduce_sum(frames),
            blanks=count_blanks(logits, frames, self.model.config.pad_token_id),
        )
        return {"loss": loss} | {name: tf.cast(value, tf.float32) for name, value in values.items()}

    def _apply(self, gradients, rate):
        return apply_gradients(self.optimizer, gradients, self.variables, rate, self.clip_norm)


def fetch(counts: list[Counts]) -> list[Counts]:
    """Brings the numbers of several updates from the device to the host in one go."""
    if not counts:
        return []
    table = tf.reshape(tf.stack([value for update in counts for value in update]), [len(counts), len(Counts._fields)])
    return [Counts(*map(float, row)) for row in table.numpy()]
