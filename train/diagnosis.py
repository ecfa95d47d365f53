"""What is going wrong in a run, and why: pure functions of the numbers of its log lines.

Whether a finding stops the run is `GuardConfig`'s; the loop says and does it.
"""

import math
from dataclasses import dataclass

from train.config import GuardConfig
from train.metrics import Progress

IN_A_ROW = 3  # log lines for which a symptom must last
GROWN = 2.0  # loss, as a multiple of its lowest
SPOKE, SILENT = 0.90, 0.98  # blank ratio of a model that says something, and of one that does not
LEARNED = 0.5  # its loss, as a share of the first: random weights babble before they fall silent
STARVED = 0.10  # share of the time in which an update waits for its batch
MISFITS = 0.05  # share of the utterances that have no alignment
MOST_SKIPPED = 20  # updates in a row
MOST_RESCALED = 60  # the same in float16, whose scale halves each time from 2^15 on; below 2^-45 nothing is learned


@dataclass(frozen=True)
class Finding:
    """A symptom that has lasted.

    Attributes:
        name: `diverged`, `fell_silent`, `starving` or `infeasible`.
        message: The figures, the likely cause and the way out.
        stops: Whether the run is to end.
    """

    name: str
    message: str
    stops: bool = False


class Watch:
    """Follows the log lines of a run and tells each symptom once, when it has lasted; again if it comes back.

    >>> watch = Watch(GuardConfig())
    >>> line = dict(learning_rate=1e-3, audio_h_per_h=1, grad_norm=1, epoch=1, eta_seconds=0, infeasible=0)
    >>> for step, loss in enumerate([1.0, 9.0, 9.0, 9.0, 9.0]):
    ...     for finding in watch(Progress(step=step, loss=loss, blank_ratio=0.5, nats_per_frame=loss, **line)):
    ...         print(step, finding.name)
    3 diverged

    Args:
        guard: Which symptoms stop the run.
    """

    def __init__(self, guard: GuardConfig):
        self.guard = guard
        self.lowest, self.lowest_step = math.inf, None
        self.first, self.spoke = 0.0, False
        self.lasted = dict.fromkeys(_SYMPTOMS, 0)

    def __call__(self, now: Progress) -> list[Finding]:
        """Takes the next log line; returns what has lasted for IN_A_ROW lines by now, and was not told yet."""
        if 0 < now.nats_per_frame < self.lowest:  # 0: no update of these was finite, or had a label that fits
            self.lowest, self.lowest_step = now.nats_per_frame, now.step
        self.first = self.first or now.nats_per_frame
        self.spoke |= now.blank_ratio < SPOKE and now.nats_per_frame < LEARNED * self.first
        found = []
        for name, symptom in _SYMPTOMS.items():
            message = symptom(self, now)
            self.lasted[name] = self.lasted[name] + 1 if message else 0
            if self.lasted[name] == IN_A_ROW:
                stops = name in ("diverged", "fell_silent") and self.guard.diverged == "stop"
                found.append(Finding(name, f"{name}: {message}", stops))
        return found

    def _diverged(self, now: Progress) -> str:
        if now.nats_per_frame <= GROWN * self.lowest:
            return ""
        return (
            f"the loss is {now.nats_per_frame:.3f} nats per frame, up from {self.lowest:.3f} at {self.lowest_step}. "
            f"The rate is {now.learning_rate:.2g}, the gradient's norm {now.grad_norm:.2g}. Likely a rate too high: go "
            f"back to a checkpoint before step {now.step} with a lower --optimizer.learning_rate, a longer "
            f"--schedule.warmup or a smaller --optimizer.clip_norm."
        )

    def _fell_silent(self, now: Progress) -> str:
        if not self.spoke or now.blank_ratio < SILENT:
            return ""
        return (
            f"{now.blank_ratio:.1%} of the frames are blank in a model that spoke before. Likely a rate too high "
            f"({now.learning_rate:.2g} now), or masks that hide too much: lower --optimizer.learning_rate, "
            f"--model.mask_time_prob or --model.mask_feature_prob."
        )

    def _starving(self, now: Progress) -> str:
        if now.wait_share < STARVED:
            return ""
        return (
            f"updates wait for their batches {now.wait_share:.0%} of the time. Likely FLAC shards or --augment on too "
            f"few cores, or a slow bucket: write PCM shards, use a machine with more cores, or keep shards near "
            f"(--cache)."
        )

    def _infeasible(self, now: Progress) -> str:
        if now.infeasible <= MISFITS * now.utterances:
            return ""
        return (
            f"{now.infeasible} of {now.utterances} utterances have more labels than frames and teach nothing. Likely "
            f"wrong transcripts, clips cut too short, --batches.speeds too high or --model.conv_stride too large."
        )


_SYMPTOMS = {
    "diverged": Watch._diverged,
    "fell_silent": Watch._fell_silent,
    "starving": Watch._starving,
    "infeasible": Watch._infeasible,
}
