import re

import pytest

from train.config import GuardConfig
from train.diagnosis import IN_A_ROW, Watch
from train.metrics import Progress

HEALTHY = dict(
    loss=60.0, learning_rate=1e-3, audio_h_per_h=100.0, blank_ratio=0.7, infeasible=0, grad_norm=1.0, epoch=1.0,
    eta_seconds=0.0, utterances=100, nats_per_frame=1.0,
)  # fmt: skip
TOLD = {
    "diverged": (dict(nats_per_frame=2.5), r"2.500 nats per frame, up from 1.000 at 0.*rate is 0.001.*--optimizer"),
    "fell_silent": (dict(blank_ratio=0.99), r"99.0% of the frames are blank in a model that spoke before"),
    "starving": (dict(wait_share=0.4), r"wait for their batches 40% of the time. Likely FLAC"),
    "infeasible": (dict(infeasible=6), r"6 of 100 utterances have more labels than frames"),
}


def watching(**guard):
    """Gives the watch of a run that has begun to learn."""
    watch = Watch(GuardConfig(**guard))
    watch(Progress(step=-1, **HEALTHY | dict(nats_per_frame=3.0)))
    return watch


def follow(watch, *changes):
    """Gives the names of the findings of each line."""
    return [[f.name for f in watch(Progress(step=i, **HEALTHY | change))] for i, change in enumerate(changes)]


def test_a_healthy_run_has_no_findings():
    slowly = [dict(nats_per_frame=3 - 0.02 * i, blank_ratio=max(0.6, 1 - 0.01 * i)) for i in range(100)]
    assert not any(follow(Watch(GuardConfig()), *slowly))


@pytest.mark.parametrize("name", TOLD)
def test_a_symptom_is_told_once_when_it_has_lasted_and_again_when_it_is_back(name):
    change, _ = TOLD[name]
    found = follow(watching(), {}, *[change] * 5, {}, *[change] * 5)
    assert found == [[], [], [], [name], [], [], [], [], [], [name], [], []]


@pytest.mark.parametrize("name", TOLD)
def test_a_finding_names_figures_cause_and_way_out(name):
    change, told = TOLD[name]
    watch = watching()
    follow(watch, {}, *[change] * (IN_A_ROW - 1))
    assert re.search(told, watch(Progress(step=9, **HEALTHY | change))[0].message)


@pytest.mark.parametrize("name", TOLD)
@pytest.mark.parametrize("diverged", ["warn", "stop"])
def test_only_divergence_and_silence_stop_a_run_that_is_told_to_stop(name, diverged):
    watch, (change, _) = watching(diverged=diverged), TOLD[name]
    follow(watch, {}, *[change] * (IN_A_ROW - 1))
    (finding,) = watch(Progress(step=9, **HEALTHY | change))
    assert finding.stops == (diverged == "stop" and name in ("diverged", "fell_silent"))


def test_a_model_that_never_spoke_has_not_fallen_silent():
    """From random weights: babble, then only blanks, while the loss falls."""
    babble, plateau = dict(nats_per_frame=5.0, blank_ratio=0.1), dict(nats_per_frame=0.8, blank_ratio=1.0)
    assert not any(follow(Watch(GuardConfig()), babble, babble, *[plateau] * 10))
