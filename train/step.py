"""One update: forward and backward in parts on every replica, one reduction over all replicas, then the optimizer.

The loss is summed over rows, gradients and counts over parts, and both together over replicas, once; only then is the
gradient divided by the number of utterances, clipped and applied. So an update is the same on any number of replicas.
How it is cut up is `layout`'s business. Nothing is fetched from the device here: numbers come back as tensors.

XLA compiles once per shape: the whole update on GPUs and TPUs; on CPUs, where it knows no collectives, forward and
backward.
"""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from train.optimizer import apply_gradients
from train.strategy import Cluster
from wav2vec2_tf.ctc import ctc_feasible, ctc_loss
from wav2vec2_tf.layers.chance import fold
from wav2vec2_tf.layers.waveform import normalize, to_float
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ


class Counts(NamedTuple):
    """What one update saw and did, a float32 scalar each (tensors from `TrainStep`, floats once fetched)."""

    loss: float  # nats per utterance, its labels summed (config.json's ctc_loss_reduction is another trainer's setting)
    utterances: float
    infeasible: float  # utterances whose labels do not fit into their frames; without effect on the loss
    seconds: float  # real audio
    frames: float  # real frames
    blanks: float  # real frames on which the blank scores highest
    grad_norm: float  # of the mean over utterances, before clipping


SUMS = Counts._fields[:-1]  # what is summed over parts and replicas


def waveform(batch: dict, do_normalize: bool):
    """Gives the model's input [B, S] float32 from int16 samples, as the processor's settings say."""
    return normalize(batch["audio"], batch["num_samples"]) if do_normalize else to_float(batch["audio"])


def count_blanks(logits, frames, blank: int):
    """Counts the real frames on which the blank scores highest: [B, T, V], [B] -> float32 scalar."""
    real = tf.sequence_mask(frames, tf.shape(logits)[1])
    blanks = real & (tf.argmax(logits, axis=2, output_type=tf.int32) == blank)
    return tf.reduce_sum(tf.cast(blanks, tf.float32))


def countable(batch: dict, frames):
    """Tells which rows count: those with an utterance whose labels fit into its frames; [B] float32, 1 or 0."""
    return batch["weight"] * tf.cast(ctc_feasible(frames, batch["labels"], batch["num_labels"]), tf.float32)


def describe_shape(blocks: tuple[dict, ...]) -> str:
    """Names the shape of an update, or of a batch to evaluate, for people.

    >>> describe_shape(({"audio": tf.zeros([1, 12, 67_200])},))
    '12 x 4.2 s'
    >>> describe_shape(({"audio": tf.zeros([2, 3, 67_200])},) * 4)
    '3 x 4.2 s (in 2 parts, on 4 replicas)'
    """
    parts, rows, samples = blocks[0]["audio"].shape
    more = [f"in {parts} parts"] * (parts > 1) + [f"on {len(blocks)} replicas"] * (len(blocks) > 1)
    return f"{rows} x {samples / SAMPLE_RATE_HZ:.1f} s" + (f" ({', '.join(more)})" if more else "")


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
    """A function of an update's blocks that is traced, and compiled by XLA, once per shape, and that tells when it is.

    Args:
        function: Takes what `Cluster.spread` makes of blocks (see `layout.split`), and further tensors.
        cluster: The devices.
        report: Takes a line of text before and after each compilation; it can take minutes.
    """

    def __init__(self, function: Callable, cluster: Cluster, report: Callable[[str], None]):
        self.function, self.cluster = tf.function(function, autograph=False), cluster
        self.report, self.shapes, self.compile_seconds = report, set(), 0.0

    def __call__(self, blocks: tuple[dict, ...], *more):
        """Calls the function with the blocks, one for each replica of this host, and `more`."""
        shape = describe_shape(blocks)
        if shape in self.shapes:
            return self.function(self.cluster.spread(blocks), *more)
        self.report(f"compiling shape {shape} ...")
        start = time.monotonic()
        with _without_retracing_warnings():  # one trace per shape is the plan, and it is told
            result = self.function(self.cluster.spread(blocks), *more)
        self.shapes.add(shape)
        seconds = time.monotonic() - start
        self.compile_seconds += seconds
        self.report(f"compiled shape {shape} in {seconds:.1f} s ({len(self.shapes)} so far)")
        return result


class TrainStep:
    """Updates a model from batches.

    Args:
        model: Wav2Vec2ForCTC, made in the scope of the cluster's strategy.
        optimizer: From `build_optimizer`, on `model.trainable_variables`, made there too.
        cluster: The devices.
        do_normalize: Whether audio is brought to zero mean and unit variance, as the processor's settings say.
        clip_norm: Largest norm of the gradient; 0 turns clipping off.
        seed: The run's seed; dropout, masks and LayerDrop draw from (seed, step, block of rows).
        jit_compile: Whether XLA compiles.
        report: Takes a line of text before and after each compilation.
    """

    def __init__(self, model, optimizer, cluster: Cluster, *, do_normalize, clip_norm, seed, jit_compile, report):
        self.model, self.optimizer, self.strategy, self.seed = model, optimizer, cluster.strategy, seed
        self.do_normalize, self.clip_norm = do_normalize, clip_norm
        self.variables = model.trainable_variables
        self.sums = tf.function(self._sums, jit_compile=jit_compile and cluster.kind == "CPU", autograph=False)
        self.replica = tf.function(self._replica, jit_compile=jit_compile and cluster.kind == "GPU", autograph=False)
        self.compiled = Compiled(self._update, cluster, report)

    def __call__(self, blocks: tuple[dict, ...], step: int, rate: float) -> Counts:
        """Makes one update.

        Args:
            blocks: From `layout.split`.
            step: Updates done before.
            rate: The learning rate.
        Returns:
            Counts of tensors, over all replicas of all hosts.
        """
        return self.compiled(blocks, tf.constant([self.seed, step], tf.int32), tf.constant(rate, tf.float32))

    def _update(self, blocks, seed, rate):
        counts = self.strategy.run(self.replica, (blocks, seed, rate))
        return tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], counts)

    def _replica(self, block, seed, rate):
        """Does one replica's part of an update: all of them hold the same weights and counts afterwards."""
        replica, parts = tf.distribute.get_replica_context(), block["audio"].shape[0]
        totals = self.sums(block, seed, tf.cast(replica.replica_id_in_sync_group * parts, tf.int32))
        sums, *gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, totals)  # the only reduction
        counts = dict(zip(SUMS, tf.unstack(sums), strict=True))
        feasible = tf.maximum(counts["utterances"] - counts["infeasible"], 1)
        norm = apply_gradients(
            self.optimizer, gradients, self.variables, rate=rate, count=feasible, clip_norm=self.clip_norm
        )
        return Counts(**counts | {"loss": counts["loss"] / feasible}, grad_norm=norm)

    def _sums(self, block, seed, first):
        """Adds up counts and gradients over the parts of a block; every part draws from a seed of its own.

        Args:
            block: [parts, rows, ...].
            seed: int32 [2].
            first: int32 scalar, number of the first part among those of all replicas.
        Returns:
            float32 [len(SUMS)], then one gradient per variable.
        """
        parts = block["audio"].shape[0]
        if parts == 1:
            return self._part({name: value[0] for name, value in block.items()}, fold(seed, first))

        def add(i, totals):
            part = self._part({name: value[i] for name, value in block.items()}, fold(seed, first + i))
            return i + 1, [total + value for total, value in zip(totals, part, strict=True)]

        zeros = [tf.zeros([len(SUMS)])] + [tf.zeros(v.shape, v.dtype) for v in self.variables]
        return tf.while_loop(lambda i, _: i < parts, add, (0, zeros), parallel_iterations=1)[1]

    def _part(self, batch, seed):
        with tf.GradientTape() as tape:
            audio, num_samples = waveform(batch, self.do_normalize), batch["num_samples"]
            logits = self.model(audio, num_samples=num_samples, training=True, seed=seed)
            frames, blank = self.model.frame_lengths(num_samples), self.model.config.pad_token_id
            losses = ctc_loss(logits, frames, batch["labels"], batch["num_labels"], blank=blank)
            counted = countable(batch, frames)
            loss = tf.reduce_sum(losses * counted)
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, [v.value for v in self.variables], unconnected_gradients="zero")
        return [self._counts(batch, loss, logits, frames, counted), *map(tf.convert_to_tensor, gradients)]

    def _counts(self, batch, loss, logits, frames, counted):
        """Gives the numbers that SUMS names, float32."""
        real = batch["weight"] > 0
        values = dict(
            loss=loss,
            utterances=tf.math.count_nonzero(real),
            infeasible=tf.math.count_nonzero(real & (counted == 0)),
            seconds=tf.reduce_sum(batch["num_samples"]) / SAMPLE_RATE_HZ,
            frames=tf.reduce_sum(frames),
            blanks=count_blanks(logits, frames, self.model.config.pad_token_id),
        )
        return tf.stack([tf.cast(values[name], tf.float32) for name in SUMS])


def fetch(counts: list[Counts]) -> list[Counts]:
    """Brings the numbers of several updates from the device to the host in one go."""
    if not counts:
        return []
    table = tf.reshape(tf.stack([value for update in counts for value in update]), [len(counts), len(Counts._fields)])
    return [Counts(*map(float, row)) for row in table.numpy()]
