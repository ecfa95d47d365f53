import math

import pytest

from train.config import ScheduleConfig
from train.schedules import learning_rate

STEPS, PEAK = 1000, 2e-3
TRI_STAGE = ScheduleConfig("tri_stage", warmup=0.1, hold=0.4, initial_scale=0.01, final_scale=0.05)


def rate(step, schedule):
    return learning_rate(step, STEPS, PEAK, schedule)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.01 * PEAK),
        (50, (0.01 + 0.99 * 0.5) * PEAK),
        (100, PEAK),
        (499, PEAK),
        (750, PEAK * math.exp(math.log(0.05) * 250 / 500)),
        (1000, 0.05 * PEAK),
        (5000, 0.05 * PEAK),
    ],
)
def test_tri_stage_follows_fairseq(step, expected):
    assert rate(step, TRI_STAGE) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (100, 1.0), (550, 0.5), (1000, 0.0), (1100, 0.0)])
def test_linear_rises_and_falls_to_zero(step, share):
    assert rate(step, ScheduleConfig("linear", warmup=0.1, initial_scale=0)) == pytest.approx(share * PEAK)


@pytest.mark.parametrize(("step", "share"), [(0, 0.5), (50, 0.75), (100, 1.0), (1000, 1.0)])
def test_constant_rises_and_stays(step, share):
    assert rate(step, ScheduleConfig("constant", warmup=0.1, initial_scale=0.5)) == pytest.approx(share * PEAK)


@pytest.mark.parametrize(
    ("step", "share"),
    [(0, 0.0), (100, 1.0), (325, 0.55), (549, 0.1), (550, 1.0), (775, 0.55), (1000, 0.1), (2000, 0.1)],
)
def test_cosine_falls_and_starts_again_from_the_peak(step, share):
    schedule = ScheduleConfig("cosine", warmup=0.1, initial_scale=0, final_scale=0.1, cycles=2)
    assert rate(step, schedule) == pytest.approx(share * PEAK, rel=1e-3)


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (733, 1.0), (734, 0.5), (1000, 0.5)])
def test_step_holds_and_falls_at_once(step, share):
    schedule = ScheduleConfig("step", warmup=0, hold=11 / 15, final_scale=0.5)
    assert rate(step, schedule) == pytest.approx(share * PEAK)


@pytest.mark.parametrize(("step", "share"), [(0, 0.0), (20, 0.5), (40, 1.0), (520, 0.5), (1000, 0.0)])
def test_steps_of_warmup_win_over_its_share(step, share):
    schedule = ScheduleConfig("linear", warmup=0.1, initial_scale=0, warmup_steps=40)
    assert rate(step, schedule) == pytest.approx(share * PEAK)


def test_a_warmup_longer_than_the_run_only_rises():
    schedule = ScheduleConfig("tri_stage", initial_scale=0, warmup_steps=2 * STEPS)
    assert rate(STEPS, schedule) == pytest.approx(PEAK / 2)


@pytest.mark.parametrize("name", ["tri_stage", "linear", "cosine", "step", "constant"])
@pytest.mark.parametrize(("warmup", "hold"), [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.3, 0.7)])
def test_extreme_phases_stay_within_zero_and_peak(name, warmup, hold):
    rates = [rate(step, ScheduleConfig(name, warmup, hold)) for step in range(0, STEPS + 1, 10)]
    assert all(0 <= r <= PEAK * (1 + 1e-9) for r in rates)


@pytest.mark.parametrize("name", ["tri_stage", "linear", "cosine", "constant"])
def test_the_rate_has_no_jumps(name):
    rates = [rate(step, ScheduleConfig(name)) for step in range(STEPS + 1)]
    assert max(abs(a - b) for a, b in zip(rates, rates[1:], strict=False)) < 0.011 * PEAK
