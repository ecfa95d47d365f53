"""`--check`: do these devices compute the same updates as one of them alone?

Both sides start from the same weights and take the same updates of the run's own shards, cut into the same blocks, so
that dropout and masks are drawn alike and nothing but the order of sums is left to differ. First with SGD, where a
gradient counted twice shows (Adam hides it), then with the run's own optimizer. Nothing is written.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from data_tools.index import Index, load_index
from data_tools.reader import batches, plan_epoch
from train.config import OptimizerConfig, RunConfig
from train.layout import device_samples, split
from train.optimizer import build_optimizer
from train.setup import build_model, load_processor, plan, reader_options
from train.step import TrainStep, fetch
from train.strategy import Cluster

STEPS = 10
SGD_WAY = 1e-3  # of the norm of the weights, per step at the first gradient
MOST_RESCALINGS = 30
TOLERANCE = {"float32": 1e-3, "mixed_bfloat16": 5e-2, "mixed_float16": 5e-2}
# Adding a number to all scores of a softmax changes nothing, so the gradient of the keys' bias is 0 but for rounding.
# Adam divides it by its own size: the bias moves at random, and has no effect.
WITHOUT_EFFECT = "k_proj/bias"


@dataclass(frozen=True)
class Comparison:
    """How far two runs of ten updates are apart.

    Attributes:
        optimizer: Its name.
        loss: Largest difference of a loss, as a share of it.
        weights: Distance of the final weights, as a share of the way they went.
        replicas_agree: Whether all replicas hold the same weights, bit for bit.
        moved: Whether the weights went any way at all, on one device and on all.
    """

    optimizer: str
    loss: float
    weights: float
    replicas_agree: bool
    moved: bool = True

    def line(self) -> str:
        """Gives one log line."""
        agree = "hold the same weights" if self.replicas_agree else "HOLD DIFFERENT WEIGHTS"
        agree += "" if self.moved else "; WEIGHTS NEVER MOVED, so that nothing was compared"
        return (
            f"{self.optimizer}: losses differ by {self.loss:.1e} of their size, weights by {self.weights:.1e} of the "
            f"way they went; replicas {agree}"
        )


@dataclass(frozen=True)
class Verdict:
    """Whether the devices compute what one of them computes.

    Attributes:
        cluster: The devices.
        tolerance: Largest difference that rounding may make.
        comparisons: One per optimizer, as this host found them.
        other_hosts: Whether the other hosts found no more.
    """

    cluster: Cluster
    tolerance: float
    comparisons: tuple[Comparison, ...]
    other_hosts: bool = True

    @property
    def passed(self) -> bool:
        """Whether all differences are those of rounding."""
        fine = (c.moved and c.replicas_agree and max(c.loss, c.weights) < self.tolerance for c in self.comparisons)
        return self.other_hosts and all(fine)

    def line(self) -> str:
        """Says it in a sentence."""
        who = f"{self.cluster.replicas} replicas (hosts: {self.cluster.num_hosts})"
        if self.passed:
            return f"check: PASSED. {who} compute what one device computes."
        return (
            f"check: FAILED. {who} do not compute what one device computes (more than {self.tolerance:g} apart). Do "
            "not train on them: try --jit_compile false, fewer devices, other versions of TensorFlow and the driver."
        )


def check(config: RunConfig, cluster: Cluster, report: Callable[[str], None] = tqdm.write) -> Verdict:
    """Makes ten updates on all devices, and the same on one; all hosts must call it.

    Args:
        config: The run; `out` stays untouched.
        cluster: From `make_cluster`.
        report: Takes lines of text.
    Returns:
        The verdict, the same on all hosts.
    Raises:
        OSError, ValueError: Shards, config and devices do not fit together.
    """
    config = dataclasses.replace(config, freeze_encoder_steps=0)
    index, processor = load_index(config.data), load_processor(config)
    updates = _updates(config, index, processor, cluster.replicas)
    sgd = OptimizerConfig(name="sgd", beta_1=0.0, clip_norm=0.0)
    comparisons = []
    for optimizer in (sgd, config.optimizer):
        trial = dataclasses.replace(config, optimizer=optimizer)
        comparisons.append(_compare(trial, processor, cluster, updates, report))
        report(comparisons[-1].line())
    verdict = Verdict(cluster, TOLERANCE[config.precision], tuple(comparisons))
    found = cluster.gather("passed" if verdict.passed else "failed")
    return dataclasses.replace(verdict, other_hosts="failed" not in found)


def _updates(config: RunConfig, index: Index, processor, replicas: int) -> list[tuple[dict, ...]]:
    """Takes two updates of the first epoch, the first and one with rows that only fill up, cut into blocks."""
    buckets = plan(index, config.train_split, config.batches)
    limit = device_samples(buckets, config.batches.device_seconds)
    order = plan_epoch(index, config.train_split, buckets, seed=config.seed)
    short = np.searchsorted(order.first_row, np.flatnonzero(order.record < 0)[:1], side="right") - 1
    options = reader_options(processor.tokenizer) | dict(buckets=buckets, seed=config.seed)
    places = [0, *short.tolist()]
    found = [next(iter(batches(index, config.train_split, skip=place, **options))) for place in places]
    return [split(batch, replicas, limit) for batch in found]


def _compare(config: RunConfig, processor, cluster: Cluster, updates, report) -> Comparison:
    together = [blocks[cluster.host * cluster.local_replicas :][: cluster.local_replicas] for blocks in updates]
    alone = [({name: tf.concat([b[name] for b in blocks], 0) for name in blocks[0]},) for blocks in updates]
    begin, norm, losses, expected, _ = _run(config, processor, cluster.first_device(), alone, report)
    *_, found_losses, found, agree = _run(config, processor, cluster, together, report, begin, norm)
    counts = [name for name in begin if not name.endswith(WITHOUT_EFFECT)]

    def distance(a, b):
        return np.sqrt(sum(float(np.square(a[name] - b[name], dtype=np.float64).sum()) for name in counts))

    apart = np.max(np.abs(np.subtract(found_losses, losses)) / np.maximum(np.abs(losses), 1e-9))
    way = distance(expected, begin)
    share = float(distance(found, expected) / max(way, 1e-30))
    return Comparison(config.optimizer.name, float(apart), share, agree, min(way, distance(found, begin)) > 0)


def _run(config: RunConfig, processor, cluster: Cluster, updates, report, begin=None, norm=None):
    """Trains; returns weights before, norm of the first gradient, losses, weights after, whether replicas agree."""
    with cluster.strategy.scope():
        model = build_model(config, processor.tokenizer)
        optimizer = build_optimizer(config.optimizer, model.trainable_variables, config.precision)
    weights = {weight.path: weight for weight in model.weights}
    for name, value in (begin or {}).items():
        weights[name].assign(value)
    begin = {name: weight.numpy() for name, weight in weights.items()}
    step = TrainStep(
        model,
        optimizer,
        cluster,
        do_normalize=processor.feature.do_normalize,
        clip_norm=config.optimizer.clip_norm,
        seed=config.seed,
        jit_compile=config.jit_compile,
        report=report,
    )
    for _ in range(MOST_RESCALINGS):  # in float16 the scale of the loss falls until the gradient is finite
        first = fetch([step(updates[0], 0, 0.0)])[0].grad_norm  # at rate 0 nothing moves
        if np.isfinite(first):
            break
    norm = norm or first
    size = np.sqrt(sum(float(np.square(value, dtype=np.float64).sum()) for value in begin.values()))
    rate = SGD_WAY * size / max(norm, 1e-30) if config.optimizer.name == "sgd" else config.optimizer.learning_rate
    counts = fetch([step(updates[i % len(updates)], i, rate) for i in range(1, STEPS + 1)])
    copies = [cluster.strategy.experimental_local_results(weight.value) for weight in model.weights]
    agree = all(np.array_equal(copy[0].numpy(), other.numpy()) for copy in copies for other in copy[1:])
    return begin, norm, [c.loss for c in counts], {name: w.numpy() for name, w in weights.items()}, agree
