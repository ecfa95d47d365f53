"""What a run would take on given devices: shapes, parts, steps, memory, and what would make it fit.

Nothing is written, no weight is made, and the devices need not be here. Estimates are `memory`'s; telling it all is
left to `plan_report`.
"""

import dataclasses
import math
import re
from dataclasses import dataclass

import numpy as np

from convert.sources import open_checkpoint
from data_tools.index import Index, load_index
from data_tools.plan import EpochPlan, plan_epoch
from data_tools.reader import Buckets
from train.config import RunConfig, architecture
from train.layout import parts_and_rows
from train.memory import State, activation_bytes, count_state
from train.setup import load_processor, plan
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

GIB = 2**30
# memory of what TensorFlow calls one device: a chip, or one of the two cores of v2 and v3
DEVICES = {"v2": 8, "v3": 16, "v4": 32, "v5e": 16, "v5p": 95, "v6e": 32}
USABLE = 0.9  # of a device's memory: its runtime takes some, and the estimate may be wrong
CHECKPOINTING, ADAFACTOR = "--gradient_checkpointing true", "--optimizer.name adafactor"


@dataclass(frozen=True)
class Devices:
    """What a run is planned for: so many devices, with so many bytes of memory each."""

    count: int
    memory: int


def parse_devices(text: str) -> Devices:
    """Reads COUNTxKIND.

    >>> parse_devices("8xv5e") == parse_devices("8x16")
    True

    Args:
        text: Such as 8xv5e, or 4x24 for four devices of 24 GiB.
    Raises:
        ValueError: It is neither.
    """
    found = re.fullmatch(r"([1-9]\d*)x(\w+(?:\.\d+)?)", text)
    size = found and (DEVICES.get(found[2]) or (re.fullmatch(r"[\d.]+", found[2]) and float(found[2])))
    if not size:
        raise ValueError(
            f"--plan {text}: devices are given as COUNTxKIND, such as 8xv5e (kinds: {', '.join(DEVICES)}), or as "
            f"COUNTxGIB, such as 4x24 for four devices of 24 GiB each."
        )
    return Devices(int(found[1]), int(size * GIB))


@dataclass(frozen=True)
class Variant:
    """What one way to run takes on each device.

    Attributes:
        flags: What differs from the config; "" for the config itself.
        state: Weights, optimizer and gradients.
        gradients: Bytes of gradients, their sums over parts included.
        activations: Bytes of activations of each shape.
        most_seconds: The largest `--batches.device_seconds` that fits; 0 if not even a row of the longest shape does.
    """

    flags: str
    state: State
    gradients: int
    activations: tuple[int, ...]
    most_seconds: int

    @property
    def bytes(self) -> int:
        """All of it, with the shape that takes most."""
        return self.state.weights + self.state.optimizer + self.gradients + max(self.activations)


@dataclass(frozen=True)
class Plan:
    """What a run would take.

    Attributes:
        config: The run.
        devices: What it is planned for.
        index: Its shards.
        buckets: Its shapes.
        cuts: Parts and rows of each shape's updates, on each device.
        epoch: Its first epoch.
        variants: The config as it is, then other ways to run it, in the order in which they are to be tried.
    """

    config: RunConfig
    devices: Devices
    index: Index
    buckets: Buckets
    cuts: tuple[tuple[int, int], ...]
    epoch: EpochPlan
    variants: tuple[Variant, ...]

    @property
    def fits(self) -> bool:
        """Whether the run as configured fits into the devices."""
        return self.variants[0].bytes <= USABLE * self.devices.memory

    @property
    def way_out(self) -> Variant | None:
        """The first way to run that holds as much audio at a time as the config asks for, else what holds most."""
        ways = [variant for variant in self.variants if variant.most_seconds]
        asked = max(rows * edge for (_, rows), edge in zip(self.cuts, self.buckets.edges, strict=True))
        enough = [variant for variant in ways if variant.most_seconds * SAMPLE_RATE_HZ >= asked]
        return (enough or sorted(ways, key=lambda variant: -variant.most_seconds) or [None])[0]

    @property
    def steps(self) -> int:
        """Updates of the whole run."""
        return self.config.steps or self.config.epochs * self.epoch.num_batches

    @property
    def updates(self) -> np.ndarray:
        """Updates of each shape in an epoch."""
        return np.bincount(self.epoch.bucket, minlength=len(self.buckets.edges))

    @property
    def padding(self) -> float:
        """Share of the computed audio that is padding: of clips, of batches, of parts."""
        taken = self.epoch.record >= 0
        clips = self.index.lengths(self.config.train_split)[self.epoch.record[taken]] / self.epoch.speed[taken]
        rows = np.array([parts * rows for parts, rows in self.cuts]) * self.devices.count
        return 1 - clips.sum() / (self.updates * rows * np.array(self.buckets.edges)).sum()


def make_plan(config: RunConfig, devices: Devices) -> Plan:
    """Works out what a run would take.

    Args:
        config: The run; its shards must be there.
        devices: What it is planned for, in the place of `config.strategy`.
    Returns:
        The plan.
    Raises:
        OSError, ValueError: Shards, config and checkpoint do not fit together, as for a real run.
    """
    index, model = load_index(config.data), _architecture(config)
    buckets = plan(index, config.train_split, config.batches)
    cuts = tuple(_cut(config, *shape, devices.count) for shape in zip(buckets.batch_sizes, buckets.edges, strict=True))
    epoch = plan_epoch(index, config.train_split, buckets, seed=config.seed, speeds=config.batches.speeds)
    ways = _ways(config)
    states = {way.optimizer.name: count_state(way, model) for way in ways.values()}
    variants = (
        _variant(flags, way, model, states[way.optimizer.name], buckets, cuts, devices) for flags, way in ways.items()
    )
    return Plan(config, devices, index, buckets, cuts, epoch, tuple(variants))


def _architecture(config: RunConfig) -> Wav2Vec2Config:
    tokenizer = load_processor(config).tokenizer
    facts = dict(vocab_size=max(tokenizer.vocab.values()) + 1, pad_token_id=tokenizer.pad_token_id)
    if config.init_from is None:
        return architecture(config, **facts)
    found = Wav2Vec2Config.from_dict(open_checkpoint(config.init_from).checkpoint.config)
    return dataclasses.replace(found, **config.model_changes | facts)


def _ways(config: RunConfig) -> dict[str, RunConfig]:
    """Gives the config, and what takes less memory than it, by what differs."""
    ways = {"": config}
    if not config.gradient_checkpointing:
        ways[CHECKPOINTING] = dataclasses.replace(config, gradient_checkpointing=True)
    if config.optimizer.name not in ("adafactor", "sgd"):
        optimizer = dataclasses.replace(config.optimizer, name="adafactor", weight_decay=0.0)
        ways |= {
            f"{flags} {ADAFACTOR}".strip(): dataclasses.replace(way, optimizer=optimizer) for flags, way in ways.items()
        }
    return ways


def _cut(config: RunConfig, rows: int, samples: int, count: int) -> tuple[int, int]:
    """Gives the parts of an update on each device, and the rows of each; at least one row is held at a time."""
    limit = config.batches.device_seconds
    return parts_and_rows(rows, samples, count, limit and max(samples, int(limit * SAMPLE_RATE_HZ)))


def _variant(flags, config: RunConfig, model, state: State, buckets: Buckets, cuts, devices: Devices) -> Variant:
    shapes = list(zip(buckets.edges, buckets.label_widths, strict=True))
    row = [activation_bytes(config, model, 1, *shape) for shape in shapes]
    free = USABLE * devices.memory - state.weights - state.optimizer - state.gradients
    shares = [math.ceil(rows / devices.count) for rows in buckets.batch_sizes]
    most = _most_seconds(row, shares, buckets.edges, free) or 0
    if most < math.ceil(max(np.multiply(shares, buckets.edges)) / SAMPLE_RATE_HZ):  # parts, then, and sums over them
        most = _most_seconds(row, shares, buckets.edges, free - state.gradients)
    in_parts = any(parts > 1 for parts, _ in cuts)
    held = tuple(rows * size for (_, rows), size in zip(cuts, row, strict=True))
    return Variant(flags, state, state.gradients * (2 if in_parts else 1), held, most)


def _most_seconds(row: list[int], shares: list[int], edges, free: float) -> int:
    """Finds the largest `device_seconds` with which no shape takes more than `free` bytes.

    Args:
        row: Bytes of one row of each shape.
        shares: Rows of each shape's update on one device.
        edges: Samples per row of each shape.
        free: Bytes left for activations.
    Returns:
        Whole seconds, with which a device may hold its whole share; 0 if a row of the longest shape is too much.
    """
    if row[-1] > free:
        return 0
    most = math.ceil(max(np.multiply(shares, edges)) / SAMPLE_RATE_HZ)
    for size, share, edge in zip(row, shares, edges, strict=True):
        if share * size > free:  # one row more than fits, less a little
            most = min(most, math.ceil((free // size + 1) * edge / SAMPLE_RATE_HZ) - 1)
    return most
