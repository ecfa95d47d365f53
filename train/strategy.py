"""Which devices a run works on: from flags to a `tf.distribute` strategy, checked before anything is built.

A cluster is some hosts (processes that read data) with as many replicas (devices) each. How an update is split over
them is `layout`'s business, what they compute `step`'s, what TF_CONFIG says `tf_config`'s.
"""

import contextlib
import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import tensorflow as tf

from train.config import RunConfig
from train.tf_config import read_tf_config

ANSWER_SECONDS = 5


class LostWorkerError(RuntimeError):
    """Another process of the run is gone, and this one cannot go on without it."""


@dataclass(frozen=True)
class Cluster:
    """The devices of a run, as one of its processes sees them.

    Args:
        strategy: tf.distribute strategy; model and optimizer are made in its scope.
        workers: Addresses of the processes, where there are several; each reads its own part of the data.
        host: Which of them this is; 0 is the chief, who alone writes the run's folder.
        alone: Makes a strategy of one device, where that takes more than to name it.
    """

    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    workers: tuple[str, ...] = ()
    host: int = 0
    alone: Callable[[], tf.distribute.Strategy] | None = None

    @property
    def num_hosts(self) -> int:
        """Processes that read data."""
        return len(self.workers) or 1

    @property
    def replicas(self) -> int:
        """Devices of all hosts."""
        return self.strategy.num_replicas_in_sync

    @property
    def local_replicas(self) -> int:
        """Devices of this host."""
        return self.replicas // self.num_hosts

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.host == 0

    @property
    def kind(self) -> str:
        """Type of the devices: CPU, GPU or TPU."""
        kinds = [device.device_type for device in tf.config.list_logical_devices()]
        return next(kind for kind in ("TPU", "GPU", "CPU") if kind in kinds)

    @property
    def is_mirrored(self) -> bool:
        """Whether the replicas are those of `mirrored` or `multiworker`, and be it only one."""
        return isinstance(self.strategy, (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy))

    def first_device(self) -> "Cluster":
        """Gives the first device of this host, alone."""
        if self.alone is not None:
            return Cluster(self.alone())
        if self.replicas == 1:
            return Cluster()
        return Cluster(tf.distribute.OneDeviceStrategy(self.strategy.extended.worker_devices[0]))

    def spread(self, blocks: Sequence):
        """Gives each local replica its block, for `strategy.run`.

        Args:
            blocks: One value (any nest of tensors) per replica of this host.
        """
        first = self.host * self.local_replicas
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: blocks[context.replica_id_in_sync_group - first]
        )

    def gather(self, text: str) -> list[str]:
        """Gives the texts of all hosts to every one of them, in their order; all must call it.

        >>> Cluster().gather("here I am")
        ['here I am']
        """
        if self.num_hosts == 1:
            return [text]
        letters = tf.cast(tf.io.decode_raw("|" + text, tf.uint8), tf.int32)  # to gather nothing at all is a crash
        values = [letters] + [letters[:1]] * (self.local_replicas - 1)
        sizes = self.strategy.gather(self.spread([tf.reshape(tf.size(value), [1]) for value in values]), axis=0)
        joined = self.strategy.gather(self.spread(values), axis=0)
        parts = tf.split(tf.cast(joined, tf.uint8), sizes)
        return [bytes(part.numpy()[1:]).decode() for part in parts[:: self.local_replicas]]

    @contextlib.contextmanager
    def explained(self):
        """Names the workers that are gone, where TensorFlow fails within a `with` block because of that.

        Raises:
            LostWorkerError: In place of TensorFlow's error.
        """
        try:
            yield
        except tf.errors.OpError as error:
            gone = self._gone(str(error))
            if not gone:
                raise
            names = " and ".join(f"worker {i} ({self.workers[i]})" for i in gone)
            raise LostWorkerError(
                f"{names} no longer answers, and the others cannot go on. Look at what it printed last, then start all "
                "workers again, with --resume."
            ) from error

    def _gone(self, message: str) -> list[int]:
        """Lists the workers that take no connection; if all do, those that TensorFlow names: they may hang."""
        others = [i for i in range(len(self.workers)) if i != self.host]
        named = set(map(int, re.findall(r"/task:(\d+)", message)))
        named |= {0} if "CoordinationService" in message else set()  # which runs in the chief
        return [i for i in others if not _answers(self.workers[i])] or [i for i in others if i in named]


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), ANSWER_SECONDS).close()
    except OSError:
        return False
    return True


def make_cluster(config: RunConfig, report: Callable[[str], None] = print) -> Cluster:
    """Makes the strategy that `--strategy` names; to be called before TensorFlow does anything else.

    Args:
        config: The run.
        report: Takes a line of text before a wait.
    Returns:
        The cluster; with `multiworker`, once all workers have come.
    Raises:
        ValueError: The devices are not there, or TF_CONFIG contradicts itself.
    """
    makers = {"mirrored": _mirrored, "multiworker": lambda: _multiworker(report), "tpu": lambda: _tpu(config.tpu)}
    return makers.get(config.strategy, Cluster)()


def _mirrored() -> Cluster:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2 and devices[0].device_type == "CPU":
        raise ValueError(
            "--strategy mirrored works on the GPUs of one machine; TensorFlow finds none here. Check the driver with "
            "`nvidia-smi` and the installation with `pip install tensorflow[and-cuda]`, or take --strategy one."
        )
    return mirror([device.name for device in devices])


def mirror(devices: Sequence[str]) -> Cluster:
    """Makes a cluster of some devices of this machine, with weights on each of them.

    Args:
        devices: Such as `GPU:0`; several logical CPUs do for tests.
    """
    on_cpus = any("CPU" in device for device in devices)  # they share their memory: no need to go round a ring
    reduction = tf.distribute.ReductionToOneDevice() if on_cpus else None
    return Cluster(tf.distribute.MirroredStrategy(list(devices), reduction))


def _multiworker(report: Callable[[str], None]) -> Cluster:
    workers, index = read_tf_config(os.environ.get("TF_CONFIG", ""))
    report(f"worker {index} of {len(workers)}: waiting until all are there ({', '.join(workers)})")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    check_equal([device.name for device in tf.config.list_logical_devices("GPU")], workers)
    return Cluster(strategy, workers, index)


def check_equal(gpus: Sequence[str], workers: Sequence[str]) -> None:
    """Sees that all workers have as many GPUs: TensorFlow takes that for granted, and they would wait for ever.

    Args:
        gpus: Names of those of all workers, such as "/job:worker/replica:0/task:1/device:GPU:0".
        workers: Their addresses.
    Raises:
        ValueError: One of them has more than another.
    """
    counts = [sum(f"/task:{i}/" in gpu for gpu in gpus) for i in range(len(workers))]
    if len(set(counts)) > 1:
        listed = ", ".join(f"worker {i} ({address}): {counts[i]}" for i, address in enumerate(workers))
        raise ValueError(
            f"--strategy multiworker wants as many GPUs on every worker; there are {listed}. Hide those that are too "
            "many with CUDA_VISIBLE_DEVICES."
        )


def _tpu(name: str) -> Cluster:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=name)
        if name != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        topology = tf.tpu.experimental.initialize_tpu_system(resolver)
        return Cluster(tf.distribute.TPUStrategy(resolver), alone=lambda: _one_core(resolver, topology))
    except (ValueError, OSError, tf.errors.OpError) as error:
        raise ValueError(
            f"--strategy tpu finds no TPU under --tpu {name} ({str(error).splitlines()[0]}). On a TPU VM install the "
            "extra (`pip install wav2vec2-tf[tpu]`, see docs/training_at_scale.md) and leave --tpu away; elsewhere "
            "give the name of the TPU."
        ) from error


def _one_core(resolver, topology) -> tf.distribute.Strategy:
    """Makes the strategy of one core: TPUs compile what a TPUStrategy runs, and OneDeviceStrategy is none."""
    assignment = tf.tpu.experimental.DeviceAssignment.build(topology, num_replicas=1)
    return tf.distribute.TPUStrategy(resolver, experimental_device_assignment=assignment)
