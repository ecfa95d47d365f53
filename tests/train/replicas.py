"""Trains a tiny model on some devices, writes its weights: `python -m tests.train.replicas OUT NAME...`.

A process of its own, since the number of logical devices is fixed once TensorFlow has begun. Ten updates of eight rows
of uneven lengths, one of them infeasible, the last update half empty. A name is OPTIMIZER-REPLICASxPARTS-KINDS, such as
sgd-2x1 or sgd-2x1-xla-dropout; with TF_CONFIG set, the replicas are those of all workers.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from tests.tiny import NO_CHANCE, SAMPLES, noise, perturb, tiny
from train.config import OptimizerConfig
from train.layout import split
from train.optimizer import build_optimizer
from train.step import TrainStep, fetch
from train.strategy import Cluster, mirror
from train.tf_config import read_tf_config

ROWS, LABELS, STEPS, DEVICES = 8, 4, 10, 4
OPTIMIZERS = {
    "sgd": OptimizerConfig(name="sgd", beta_1=0.0),
    "adamw": OptimizerConfig(name="adamw", weight_decay=0.01),
}
RATES = {"sgd": 1e-2, "adamw": 1e-3}


def update(step: int) -> dict:
    """Gives the batch of one update, the same for the same step."""
    rng = np.random.default_rng(step)
    num_samples = rng.integers(SAMPLES // 2, SAMPLES, ROWS).astype(np.int32)
    num_samples[step % ROWS] = 100  # one frame for all those labels: infeasible
    weight = np.ones(ROWS, np.float32)
    if step == STEPS - 1:
        weight[3:] = num_samples[3:] = 0
    num_labels = (rng.integers(2, LABELS + 1, ROWS) * weight).astype(np.int32)
    batch = dict(
        audio=(noise(ROWS, SAMPLES, seed=step) * 3000).astype(np.int16),
        labels=rng.integers(1, 9, (ROWS, LABELS)).astype(np.int32),
        num_samples=num_samples, num_labels=num_labels, weight=weight,
    )  # fmt: skip
    return {name: tf.constant(value) for name, value in batch.items()}


def run(cluster: Cluster, optimizer: str, parts: int, kinds: list[str]):
    """Trains; returns the model and the counts of every update."""
    with cluster.strategy.scope():
        model = perturb(build(kinds))
        built = build_optimizer(OPTIMIZERS[optimizer], model.trainable_variables)
    options = dict(do_normalize=True, clip_norm=0.0, seed=7, jit_compile="xla" in kinds, report=lambda line: None)
    step = TrainStep(model, built, cluster, **options)
    rows, counts = -(-ROWS // (cluster.replicas * parts)), []
    for i in range(STEPS):
        blocks = split(update(i), cluster.replicas, rows * SAMPLES)
        own = blocks[cluster.host * cluster.local_replicas :][: cluster.local_replicas]
        counts.append(step(own, i, RATES[optimizer]))
    return model, fetch(counts)


def build(kinds: list[str]):
    """Makes the model, with dropout if that is among the kinds."""
    from wav2vec2_tf import Wav2Vec2ForCTC

    chance = dict(hidden_dropout=0.3, mask_time_prob=0.3) if "dropout" in kinds else {}
    return Wav2Vec2ForCTC(tiny(num_hidden_layers=1, **NO_CHANCE | chance))


def count_reductions() -> list:
    """Has every reduction over replicas noted in the list from now on."""
    seen, reduce = [], tf.distribute.ReplicaContext.all_reduce

    def noted(self, *args, **kwargs):
        seen.append(self.replica_id_in_sync_group)
        return reduce(self, *args, **kwargs)

    tf.distribute.ReplicaContext.all_reduce = noted
    return seen


def save(path: Path, model, counts, cluster: Cluster, reductions: int) -> None:
    """Writes the weights of every replica of this process, the losses, and how often replicas were summed over."""
    copies = [cluster.strategy.experimental_local_results(weight.value) for weight in model.weights]
    values = {
        f"{weight.path}|{i}": value.numpy()
        for weight, copy in zip(model.weights, copies, strict=True)
        for i, value in enumerate(copy)
    }
    np.savez(path, counts=np.array([[c.loss, c.utterances, c.infeasible] for c in counts]), n=reductions, **values)


def main(out: Path, names: list[str]) -> None:
    """Runs everything asked for."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * DEVICES
    )
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # takes longer than ten updates
    several = None
    if "TF_CONFIG" in os.environ:
        workers, host = read_tf_config(os.environ["TF_CONFIG"])
        several = Cluster(tf.distribute.MultiWorkerMirroredStrategy(), workers, host)
    devices = [device.name for device in tf.config.list_logical_devices("CPU")]
    reductions = count_reductions()
    for name in names:
        optimizer, size, *kinds = name.split("-")
        replicas, parts = map(int, size.split("x"))
        cluster = several or (mirror(devices[:replicas]) if replicas > 1 else Cluster())
        assert cluster.replicas == replicas, (cluster.replicas, name)
        reductions.clear()
        model, counts = run(cluster, optimizer, parts, kinds)
        place = f"{name}-host{cluster.host}" if several else name
        save(out / f"{place}.npz", model, counts, cluster, len(reductions) // cluster.local_replicas)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
