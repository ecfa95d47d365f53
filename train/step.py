"""One update: forward and backward in parts on every replica, one reduction over all replicas, then the optimizer.

The loss is summed over rows, gradients and counts over parts, and both together over replicas, once; only then is the
gradient divided by the number of utterances, clipped and applied. So an update is the same on any number of replicas.
How it is cut up is `layout`'s business. Nothing is fetched from the device here: numbers come back as tensors.

XLA compiles once per shape: the whole update on GPUs and TPUs; on CPUs, where it knows no collectives, forward and
backward.
"""

import contextlib
import functools
import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from train.optimizer import apply_gradients
from train.optimizer_kinds import is_head
from train.strategy import Cluster
from wav2vec2_tf.ctc import ctc_feasible, ctc_loss
from wav2vec2_tf.layers.chance import fold
from wav2vec2_tf.layers.waveform import normalize, to_float
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ


class Counts(NamedTuple):
    """What one update saw and did, float32 (tensors from `TrainStep`; floats and arrays once fetched)."""

    loss: float  # nats per utterance, its labels summed (config.json's ctc_loss_reduction is another trainer's setting)
    utterances: float
    infeasible: float  # utterances whose labels do not fit into their frames; without effect on the loss
    seconds: float  # real audio
    padded_seconds: float  # the same with padding, rows that fill up included
    frames: float  # real frames
    blanks: float  # real frames on which the blank scores highest
    grad_norm: float  # of the mean over utterances, before clipping
    heard: np.ndarray  # [V], real frames on which each label scores highest
    block_norms: np.ndarray  # [blocks], grad_norm of each of `TrainStep.blocks`


SCALARS = Counts._fields[:8]
SUMS = SCALARS[:-1]  # what is summed over parts and replicas, besides `heard`


def waveform(batch: dict, do_normalize: bool):
    """Gives the model's input [B, S] float32 from int16 samples, as the processor's settings say."""
    return normalize(batch["audio"], batch["num_samples"]) if do_normalize else to_float(batch["audio"])


def count_heard(logits, frames):
    """Counts the real frames on which each label scores highest: [B, T, V], [B] -> float32 [V]."""
    real = tf.sequence_mask(frames, logits.shape[1], tf.float32)
    best = tf.argmax(logits, axis=2, output_type=tf.int32)
    return tf.math.unsorted_segment_sum(tf.reshape(real, [-1]), tf.reshape(best, [-1]), logits.shape[2])


def block_of(path: str) -> str:
    """Names the part of a model that a variable belongs to, as fine as its norms are told.

    >>> block_of("wav2vec2/encoder/layers_3/attention/k_proj/kernel"), block_of("lm_head/bias")
    ('encoder/layers_3', 'lm_head')
    """
    names = path.split("/")[:-1]
    names = names[1:] if names[:1] == ["wav2vec2"] else names
    return "/".join(names[: 2 if names[:1] == ["encoder"] else 1]) or path.rpartition("/")[2]


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

    def __call__(self, blocks: tuple[dict, ...], *more, note: str = ""):
        """Calls the function.

        Args:
            blocks: One for each replica of this host.
            more: Further arguments; a value that is no tensor makes a trace of its own.
            note: Tells traces of one shape apart.
        Raises:
            MemoryError: The device has too little memory.
        """
        shape = describe_shape(blocks) + note
        try:
            return self._call(shape, blocks, more)
        except tf.errors.ResourceExhaustedError as error:
            raise MemoryError(
                f"shape {shape} does not fit into the device's memory ({str(error).splitlines()[0]}). Lower "
                f"--batches.device_seconds; or take --gradient_checkpointing true or --optimizer.name adafactor; "
                f"--plan tells what fits."
            ) from error

    def _call(self, shape: str, blocks: tuple[dict, ...], more: tuple):
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
        skip: Whether an update whose gradient is not finite is left out.
        freeze_steps: Updates at the start in which the head alone learns; dropout and masks stay on.
    """

    def __init__(
        self, model, optimizer, cluster: Cluster, *, do_normalize, clip_norm, seed, jit_compile, report, skip=False,
        freeze_steps=0,
    ):  # fmt: skip
        self.model, self.optimizer, self.strategy, self.seed = model, optimizer, cluster.strategy, seed
        self.do_normalize, self.applied = do_normalize, dict(clip_norm=clip_norm, skip=skip)
        self.variables, self.freeze_steps = model.trainable_variables, freeze_steps
        self.blocks = list(dict.fromkeys(block_of(variable.path) for variable in self.variables))
        # On a TPU everything is compiled, without asking. XLA knows no collectives on CPUs, and on several GPUs
        # TensorFlow cannot assign to what the replicas share from within a compiled function.
        whole = cluster.kind == "GPU" and not cluster.is_mirrored
        compiled = jit_compile and cluster.kind != "TPU"
        self.part = tf.function(self._part, jit_compile=(compiled and not whole) or None, autograph=False)
        settings = dict(jit_compile=(compiled and whole) or None, autograph=False)
        self.replica = {  # a function each, since a TPU takes no Python value as an argument
            frozen: tf.function(functools.partial(self._replica, frozen=frozen), **settings) for frozen in (False, True)
        }
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
        frozen = step < self.freeze_steps  # a trace of its own, without a backward pass through the body
        args = tf.constant([self.seed, step], tf.int32), tf.constant(rate, tf.float32), frozen
        return self.compiled(blocks, *args, note=", head only" if frozen else "")

    def _learning(self, frozen: bool) -> list:
        return [variable for variable in self.variables if is_head(variable)] if frozen else self.variables

    def _update(self, blocks, seed, rate, frozen):
        counts = self.strategy.run(self.replica[frozen], (blocks, seed, rate))
        return tf.nest.map_structure(lambda value: self.strategy.experimental_local_results(value)[0], counts)

    def _replica(self, block, seed, rate, frozen):
        """Does one replica's part of an update: all of them hold the same weights and counts afterwards."""
        replica, parts = tf.distribute.get_replica_context(), block["audio"].shape[0]
        variables = self._learning(frozen)
        totals = self._sums(block, seed, tf.cast(replica.replica_id_in_sync_group * parts, tf.int32), frozen)
        sums, heard, *gradients = replica.all_reduce(tf.distribute.ReduceOp.SUM, totals)  # the only reduction
        counts = dict(zip(SUMS, tf.unstack(sums), strict=True))
        feasible = tf.maximum(counts["utterances"] - counts["infeasible"], 1)
        squares = apply_gradients(self.optimizer, gradients, variables, rate=rate, count=feasible, **self.applied)
        places = [self.blocks.index(block_of(variable.path)) for variable in variables]
        by_block = tf.math.unsorted_segment_sum(squares, places, len(self.blocks))
        counts |= dict(loss=counts["loss"] / feasible, grad_norm=tf.sqrt(tf.reduce_sum(squares)))
        return Counts(**counts, heard=heard, block_norms=tf.sqrt(by_block))

    def _sums(self, block, seed, first, frozen):
        """Adds up counts and gradients over the parts of a block; every part draws from a seed of its own.

        Args:
            block: [parts, rows, ...].
            seed: int32 [2].
            first: int32 scalar, number of the first part among those of all replicas.
            frozen: Whether the head alone learns.
        Returns:
            float32 [len(SUMS)], float32 [V], then one gradient per variable that learns.
        """
        parts = block["audio"].shape[0]
        if parts == 1:
            return self.part({name: value[0] for name, value in block.items()}, fold(seed, first), frozen)

        def add(i, totals):  # on CPUs outside of XLA, whose loops use one core
            part = self.part({name: value[i] for name, value in block.items()}, fold(seed, first + i), frozen)
            return i + 1, [total + value for total, value in zip(totals, part, strict=True)]

        sizes = [[len(SUMS)], [self.model.config.vocab_size]]
        zeros = [*map(tf.zeros, sizes), *(tf.zeros(v.shape, v.dtype) for v in self._learning(frozen))]
        return tf.while_loop(lambda i, _: i < parts, add, (0, zeros), parallel_iterations=1)[1]

    def _part(self, batch, seed, frozen):
        with tf.GradientTape() as tape:
            audio, num_samples = waveform(batch, self.do_normalize), batch["num_samples"]
            logits = self.model(audio, num_samples=num_samples, training=True, seed=seed)
            frames, blank = self.model.frame_lengths(num_samples), self.model.config.pad_token_id
            losses = ctc_loss(logits, frames, batch["labels"], batch["num_labels"], blank=blank)
            counted = countable(batch, frames)
            loss = tf.reduce_sum(losses * counted)
            scaled = self.optimizer.scale_loss(loss)
        learning = [v.value for v in self._learning(frozen)]
        gradients = tape.gradient(scaled, learning, unconnected_gradients="zero")
        return [*self._counts(batch, loss, logits, frames, counted), *map(tf.convert_to_tensor, gradients)]

    def _counts(self, batch, loss, logits, frames, counted):
        """Gives the numbers that SUMS names, and `heard`; float32."""
        real, heard = batch["weight"] > 0, count_heard(logits, frames)
        values = dict(
            loss=loss,
            utterances=tf.math.count_nonzero(real),
            infeasible=tf.math.count_nonzero(real & (counted == 0)),
            seconds=tf.reduce_sum(batch["num_samples"]) / SAMPLE_RATE_HZ,
            padded_seconds=tf.size(batch["audio"]) / SAMPLE_RATE_HZ,
            frames=tf.reduce_sum(frames),
            blanks=heard[self.model.config.pad_token_id],
        )
        return tf.stack([tf.cast(values[name], tf.float32) for name in SUMS]), heard


def fetch(counts: list[Counts]) -> list[Counts]:
    """Brings the numbers of several updates from the device to the host in one go."""
    if not counts:
        return []
    rows = tf.stack([tf.concat([tf.reshape(value, [-1]) for value in update], 0) for update in counts]).numpy()
    ends = np.cumsum([math.prod(value.shape) for value in counts[0]])[:-1]
    pieces = [np.split(row, ends) for row in rows]
    return [Counts(*(float(value[0]) for value in row[: len(SCALARS)]), *row[len(SCALARS) :]) for row in pieces]
