"""What a run tells while it goes: log lines, TensorBoard, diagnoses, a profile; and when its numbers end it.

Numbers are `metrics`', symptoms `diagnosis`'s; the loop says when it is time for a line.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import tensorflow as tf

from train.config import RunConfig
from train.diagnosis import MOST_RESCALED, MOST_SKIPPED, Watch
from train.metrics import MetricsLog, summarize
from train.step import Counts, TrainStep, fetch


class DivergedError(RuntimeError):
    """The loss is no longer a number, or stays so high that `GuardConfig` ends the run."""


class Monitor:
    """Collects updates, and tells of them.

    Args:
        config: The run.
        folder: Local folder for metrics.jsonl and tensorboard/.
        step: Makes the updates; knows the blocks, the blank, and the time it compiled.
        report: Takes log lines.
    """

    def __init__(self, config: RunConfig, folder: Path, step: TrainStep, report: Callable[[str], None]):
        self.config, self.folder, self.step, self.report = config, folder, step, report
        self.log, self.watch = MetricsLog(folder), Watch(config.guard)
        self.updates: list[Counts] = []
        self.ids: list[tf.Tensor] = []
        self.skipped = 0
        self.to_trace, self.tracing = config.profile_steps, False
        self.restart_clock()

    def restart_clock(self) -> None:
        """Begins to measure anew: what lies before (a checkpoint, an evaluation) is no update's time."""
        self.waited = 0.0
        self.clock = time.monotonic() - self.step.compiled.compile_seconds  # compilation does not count

    def timed(self, dataset: Iterable) -> Iterator:
        """Passes on batches, and measures how long each is waited for."""
        iterator = iter(dataset)
        while True:
            start = time.monotonic()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self.waited += time.monotonic() - start
            yield batch

    def add(self, counts: Counts, ids: tf.Tensor) -> None:
        """Takes an update, without waiting for its numbers.

        Args:
            counts: Of tensors, from `TrainStep`.
            ids: [B] string, its utterances.
        """
        self.updates.append(counts)
        self.ids.append(ids)
        if self.tracing:
            self.to_trace -= 1
            if not self.to_trace:
                self._end_trace()

    def line(self, *, step: int, rate_of: Callable[[int], float], epoch: float, steps_left: int) -> None:
        """Logs the updates since the last line, with what is wrong with them.

        Args:
            step: Updates done.
            rate_of: Updates done before one -> its learning rate.
            epoch: Passes over the data, with fraction.
            steps_left: Updates still to come.
        Raises:
            DivergedError: As `GuardConfig` says.
        """
        updates = fetch(self.updates)
        self._check_finite(updates, step - len(updates), rate_of)
        seconds = time.monotonic() - self.step.compiled.compile_seconds - self.clock
        now = summarize(
            updates, step=step, rate=rate_of(step - 1), epoch=epoch, wall_seconds=seconds, steps_left=steps_left,
            wait_seconds=self.waited, blocks=self.step.blocks, blank=self.step.model.config.pad_token_id,
        )  # fmt: skip
        self.report(now.line())
        self.log.write("train", step, now.numbers())
        self.updates, self.ids = [], []
        for finding in self.watch(now):
            self.report(finding.message)
            if finding.stops:
                raise DivergedError(f"{finding.message} --guard.diverged stop ends the run here.")
        if self.to_trace and not self.tracing:
            self._begin_trace()
        self.restart_clock()

    def _check_finite(self, updates: list[Counts], before: int, rate_of: Callable[[int], float]) -> None:
        """Tells of updates whose loss, or in float32 whose gradient, is not finite."""
        scaled = self.config.precision == "mixed_float16"  # there an overflowing gradient is skipped by design
        for step, (update, ids) in enumerate(zip(updates, self.ids, strict=True), before):
            if math.isfinite(update.loss) and math.isfinite(update.grad_norm):
                self.skipped = 0
                continue
            self.skipped += 1
            if math.isfinite(update.loss) and scaled and self.skipped < MOST_RESCALED:
                continue
            names = " ".join(name.decode() for name in ids.numpy() if name)
            told = (
                f"step {step + 1}: loss is {update.loss}, gradient norm {update.grad_norm}, learning rate "
                f"{rate_of(step):.2g}. The batch: {names}."
            )
            if self.config.guard.non_finite == "stop" or self.skipped >= MOST_SKIPPED:
                raise DivergedError(
                    f"{told} Likely causes: a rate too high (--optimizer.learning_rate), too short a "
                    f"--schedule.warmup, --optimizer.clip_norm off or too large, or --precision mixed_float16. "
                    f"Checkpoints written before are sound: go on with --resume."
                )
            self.report(f"{told} This update is left out (--guard.non_finite skip).")

    def _begin_trace(self) -> None:
        tf.profiler.experimental.start(str(self.folder / "tensorboard"))
        self.tracing = True

    def _end_trace(self) -> None:
        tf.profiler.experimental.stop()
        self.tracing = False
        self.report(f"traced {self.config.profile_steps} updates; see `tensorboard --logdir {self.folder}`")

    def evaluation(self, step: int, numbers: dict[str, float], samples: str) -> None:
        """Writes down an evaluation: its figures, and some transcripts."""
        self.log.write("dev", step, numbers)
        self.log.write_text("dev/transcripts", step, samples)

    def close(self) -> None:
        """Ends the files, and a trace that is not at its end."""
        if self.tracing:
            self._end_trace()
        self.log.close()
