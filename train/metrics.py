"""Numbers about a run: sums between two log lines, and the places they are written to. Errors are `edits`'."""

import json
import math
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from train.step import Counts


@dataclass(frozen=True)
class Progress:
    """The updates between two log lines, summed up.

    Attributes:
        step: Updates done.
        loss: Mean over the updates, nats per utterance.
        learning_rate: Of the last update.
        audio_h_per_h: Hours of speech per hour of wall time, compilation excluded by the caller.
        blank_ratio: Share of real frames on which the blank scores highest.
        infeasible: Utterances without an alignment.
        grad_norm: Mean norm of the gradient before clipping, over the updates whose gradient was finite (0: none was).
        block_norms: The same for each block of the model.
        epoch: Passes over the data, with fraction.
        eta_seconds: Time left at this pace.
        utterances: Utterances read.
        nats_per_frame: Loss over the real frames; does not depend on how long the utterances are.
        distinct_tokens: Labels, the blank aside, that score highest on some frame.
        padding: Share of the samples that are padding.
        wait_share: Share of the wall time in which an update waited for its batch.
        skipped: Updates left out since their gradient was not finite.
        host_gb: Largest memory of the process so far.
        device_gb: Largest memory in use on the accelerator so far; 0 where there is none.
    """

    step: int
    loss: float
    learning_rate: float
    audio_h_per_h: float
    blank_ratio: float
    infeasible: int
    grad_norm: float
    epoch: float
    eta_seconds: float
    utterances: int = 0
    nats_per_frame: float = 0.0
    distinct_tokens: int = 0
    padding: float = 0.0
    wait_share: float = 0.0
    skipped: int = 0
    host_gb: float = 0.0
    device_gb: float = 0.0
    block_norms: dict[str, float] = field(default_factory=dict)

    def numbers(self) -> dict[str, float]:
        """Gives the figures that are logged and saved; the step is told besides."""
        values = asdict(self)
        norms = {f"grad_norm/{block}": norm for block, norm in values.pop("block_norms").items()}
        return {name: value for name, value in values.items() if name != "step"} | norms

    def line(self) -> str:
        """Gives the log line; it stands alone.

        >>> Progress(1200, 1.832, 2.7e-5, 412.3, 0.5, 3, 1.9, 7.25, 754).line()
        'step=1200 epoch=7.25 loss=1.832 lr=2.7e-05 audio_h_per_h=412 blank=0.50 grad=1.9 infeasible=3 eta=0:12:34'
        """
        return (
            f"step={self.step} epoch={self.epoch:.2f} loss={self.loss:.3f} lr={self.learning_rate:.2g} "
            f"audio_h_per_h={self.audio_h_per_h:.0f} blank={self.blank_ratio:.2f} grad={self.grad_norm:.2g} "
            f"infeasible={self.infeasible} eta={clock(self.eta_seconds)}"
        )


def summarize(
    updates: Sequence[Counts], *, step, rate, epoch, wall_seconds, steps_left, wait_seconds=0.0, blocks=(), blank=0
) -> Progress:
    """Sums up the updates since the last log line.

    Args:
        updates: Fetched counts, at least one.
        step: Updates done.
        rate: Learning rate of the last update.
        epoch: Passes over the data, with fraction.
        wall_seconds: Time the updates took.
        steps_left: Updates still to come.
        wait_seconds: Time spent waiting for batches.
        blocks: Names of `block_norms`.
        blank: Id of the blank.
    """
    sound = [update for update in updates if math.isfinite(update.loss)]
    applied = [update for update in sound if math.isfinite(update.grad_norm)]
    total = Counts(*map(sum, zip(*sound or updates, strict=True)))
    nats = sum(update.loss * (update.utterances - update.infeasible) for update in sound)
    host_gb, device_gb = peak_memory()
    return Progress(
        step=step,
        loss=total.loss / len(sound or updates),
        learning_rate=rate,
        audio_h_per_h=total.seconds / max(wall_seconds, 1e-9),
        blank_ratio=total.blanks / max(total.frames, 1),
        infeasible=int(total.infeasible),
        grad_norm=sum(update.grad_norm for update in applied) / max(len(applied), 1),
        epoch=epoch,
        eta_seconds=wall_seconds / len(updates) * steps_left,
        utterances=int(total.utterances),
        nats_per_frame=nats / max(total.frames, 1),
        distinct_tokens=int(np.count_nonzero(np.delete(total.heard, blank))),
        padding=1 - total.seconds / max(total.padded_seconds, 1e-9),
        wait_share=wait_seconds / max(wall_seconds, 1e-9),
        skipped=len(updates) - len(applied),
        host_gb=host_gb,
        device_gb=device_gb,
        block_norms={b: float(np.mean([u.block_norms[i] for u in applied] or [0])) for i, b in enumerate(blocks)},
    )


def peak_memory() -> tuple[float, float]:
    """Gives the largest memory so far of this process and of its first accelerator (0 where there is none), in GB."""
    host = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    devices = tf.config.list_logical_devices("GPU") + tf.config.list_logical_devices("TPU")
    try:
        device = tf.config.experimental.get_memory_info(devices[0].name.removeprefix("/device:"))["peak"]
    except (IndexError, ValueError):  # there is none, or it belongs to another machine
        device = 0
    return host / 1e9, device / 1e9


def clock(seconds: float) -> str:
    """Writes a duration.

    >>> clock(3725)
    '1:02:05'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class MetricsLog:
    """Writes numbers to RUN/metrics.jsonl, one object per line, and to RUN/tensorboard.

    Args:
        run: The run's folder.
    """

    def __init__(self, run: Path):
        self.file = (run / "metrics.jsonl").open("a", encoding="utf-8")
        self.board = tf.summary.create_file_writer(str(run / "tensorboard"))

    def write(self, kind: str, step: int, values: dict[str, float]):
        """Writes numbers of one step; `kind` ("train", "dev") groups them."""
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}  # JSON knows no NaN
        record = {"kind": kind, "step": step, "time": round(time.time(), 3)} | finite
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()
        with self.board.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(f"{kind}/{name}", value)

    def write_text(self, name: str, step: int, text: str):
        """Shows text in TensorBoard, its lines as they are."""
        with self.board.as_default(step=step):
            tf.summary.text(name, "\n".join(f"    {line}" for line in text.splitlines()))

    def close(self):
        """Ends both files."""
        self.file.close()
        self.board.close()
