"""The learning rate as a pure function of the step: nothing to save, nothing to restore.

Formulas work on plain floats, on the host. Who assigns the rate is `step`'s business.
"""

import math
from dataclasses import replace

from train.config import ScheduleConfig


def learning_rate(step: int, num_steps: int, peak: float, schedule: ScheduleConfig) -> float:
    """Gives the rate of one update.

    >>> [round(learning_rate(step, 100, 1.0, ScheduleConfig()), 3) for step in (0, 5, 10, 50, 75, 100)]
    [0.01, 0.505, 1.0, 1.0, 0.224, 0.05]

    Args:
        step: Updates done before this one, from 0; beyond `num_steps` the rate stays at its last value.
        num_steps: Updates of the whole run.
        peak: The highest rate.
        schedule: Shape and phases.
    Returns:
        The rate, at most `peak`.
    Source: fairseq's tri_stage scheduler (its code; the docstring's formula is wrong) for `tri_stage`.
    """
    done, schedule = min(step / num_steps, 1.0), _in_shares(schedule, num_steps)
    return peak * _SHAPES[schedule.name](done, schedule)


def crowded(schedule: ScheduleConfig, num_steps: int) -> str:
    """Says so where a warm-up in steps leaves no room for what follows it; else gives an empty text.

    >>> crowded(ScheduleConfig("linear", warmup_steps=500), 400)
    '--schedule.warmup_steps 500 and --schedule.hold 0 fill the 400 steps of the run: the rate will not fall'
    """
    hold = schedule.hold if schedule.name in ("tri_stage", "step") else 0.0
    if schedule.warmup_steps is None or _in_shares(schedule, num_steps).warmup + hold <= 1:
        return ""
    return (
        f"--schedule.warmup_steps {schedule.warmup_steps} and --schedule.hold {hold:g} fill the {num_steps} steps of "
        f"the run: the rate will not fall"
    )


def _in_shares(schedule: ScheduleConfig, num_steps: int) -> ScheduleConfig:
    if schedule.warmup_steps is None:
        return schedule
    return replace(schedule, warmup=schedule.warmup_steps / num_steps)


def _rise(done: float, schedule: ScheduleConfig) -> float:
    return schedule.initial_scale + (1 - schedule.initial_scale) * done / schedule.warmup


def _tri_stage(done: float, schedule: ScheduleConfig) -> float:
    begin_decay = schedule.warmup + schedule.hold
    if done < schedule.warmup:
        return _rise(done, schedule)
    if done < begin_decay or begin_decay >= 1:
        return 1.0
    return math.exp(math.log(schedule.final_scale) * (done - begin_decay) / (1 - begin_decay))


def _linear(done: float, schedule: ScheduleConfig) -> float:
    if done < schedule.warmup:
        return _rise(done, schedule)
    return (1 - done) / (1 - schedule.warmup) if schedule.warmup < 1 else 1.0


def _cosine(done: float, schedule: ScheduleConfig) -> float:
    if done < schedule.warmup:
        return _rise(done, schedule)
    fallen = (done - schedule.warmup) / (1 - schedule.warmup) * schedule.cycles if schedule.warmup < 1 else 0.0
    within = fallen - math.floor(fallen) if fallen < schedule.cycles else 1.0
    return schedule.final_scale + (1 - schedule.final_scale) * (1 + math.cos(math.pi * within)) / 2


def _step(done: float, schedule: ScheduleConfig) -> float:
    if done < schedule.warmup:
        return _rise(done, schedule)
    return 1.0 if done < schedule.warmup + schedule.hold else schedule.final_scale


def _constant(done: float, schedule: ScheduleConfig) -> float:
    return _rise(done, schedule) if done < schedule.warmup else 1.0


_SHAPES = {"tri_stage": _tri_stage, "linear": _linear, "cosine": _cosine, "step": _step, "constant": _constant}
