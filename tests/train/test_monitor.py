from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from train.config import GuardConfig
from train.diagnosis import IN_A_ROW, MOST_RESCALED, MOST_SKIPPED
from train.monitor import DivergedError, Monitor
from train.step import Counts

STEP = SimpleNamespace(
    blocks=["body", "head"],
    compiled=SimpleNamespace(compile_seconds=0.0),
    model=SimpleNamespace(config=SimpleNamespace(pad_token_id=0)),
)


def counts_of(loss, grad_norm):
    scalars = [loss, 4.0, 0.0, 30.0, 40.0, 100.0, 80.0, grad_norm]
    return Counts(*map(tf.constant, scalars), heard=tf.constant([80.0, 20.0]), block_norms=tf.ones([2]))


def counts(loss):
    return counts_of(loss, 1.0)


@pytest.fixture
def watched(changed, tmp_path):
    """Gives a monitor with the lines it has told, after updates of some losses with a line each."""
    monitors = []

    def watch(*losses, each=lambda monitor: None, **changes):
        told = []
        monitor = Monitor(changed(**changes), tmp_path, STEP, told.append)
        monitors.append(monitor)
        for i, loss in enumerate(losses):
            monitor.add(counts(loss), tf.constant(["first", "", "second"]))
            each(monitor)
            monitor.line(step=i + 1, rate_of=lambda step: 1e-3, epoch=0.5, steps_left=9)
        return told

    yield watch
    for monitor in monitors:
        monitor.close()


def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_utterances(watched):
    with pytest.raises(DivergedError, match=r"step 2: loss is nan.*The batch: first second. Likely causes: a rate"):
        watched(2.0, np.nan)


def test_such_updates_are_left_out_and_told_where_asked(watched):
    told = watched(2.0, np.nan, 2.0, guard=GuardConfig(non_finite="skip"))
    assert "step 2: loss is nan" in told[1]
    assert told[1].endswith("This update is left out (--guard.non_finite skip).")
    assert [line.split()[0] for line in told if line.startswith("step=")] == ["step=1", "step=2", "step=3"]


def test_too_many_of_them_in_a_row_end_the_run_all_the_same(watched):
    skip = GuardConfig(non_finite="skip")
    watched(*[np.nan] * (MOST_SKIPPED - 1), 2.0, *[np.nan] * (MOST_SKIPPED - 1), guard=skip)
    with pytest.raises(DivergedError, match=f"step {MOST_SKIPPED}: loss is nan"):
        watched(*[np.nan] * MOST_SKIPPED, guard=skip)


def test_gradients_that_overflow_in_float16_are_skipped_but_not_for_ever(watched, monkeypatch):
    monkeypatch.setattr("tests.train.test_monitor.counts", lambda loss: counts_of(loss, np.inf))
    watched(*[2.0] * (MOST_RESCALED - 1), precision="mixed_float16")
    with pytest.raises(DivergedError, match=f"step {MOST_RESCALED}: loss is 2.0, gradient norm inf"):
        watched(*[2.0] * MOST_RESCALED, precision="mixed_float16")


def test_a_line_without_a_finite_loss_is_no_lowest_loss(watched):
    told = watched(np.nan, *[100.0] * 5, guard=GuardConfig(non_finite="skip", diverged="stop"))
    assert not any("diverged" in line for line in told)


def test_a_run_that_diverges_is_told_so_and_ended_where_asked(watched):
    losses = [1.0, *[5.0] * IN_A_ROW]
    assert "diverged: the loss is 0.200 nats per frame, up from 0.040 at 1" in watched(*losses)[-1]
    with pytest.raises(DivergedError, match=r"diverged: .*--guard.diverged stop ends the run here"):
        watched(*losses, guard=GuardConfig(diverged="stop"))


def test_waiting_for_batches_is_measured(watched, monkeypatch):
    clock = iter(np.arange(0.0, 100.0))
    monkeypatch.setattr("train.monitor.time.monotonic", lambda: float(next(clock)))

    def wait(monitor):
        assert list(monitor.timed([1, 2, 3])) == [1, 2, 3]  # a second each
        assert monitor.waited == 3.0

    watched(2.0, each=wait)


def test_a_few_updates_are_traced_where_asked(watched, tmp_path):
    told = watched(2.0, 2.0, 2.0, profile_steps=1)
    assert sum("traced 1 updates; see `tensorboard" in line for line in told) == 1
    assert list(tmp_path.glob("tensorboard/plugins/profile/*/*.xplane.pb"))


def test_transcripts_are_shown_in_tensorboard(changed, tmp_path):
    monitor = Monitor(changed(), tmp_path, STEP, print)
    monitor.evaluation(7, {"wer": 0.5}, "u\n  reference: YES")
    monitor.close()
    (events,) = (tmp_path / "tensorboard").glob("events*")
    values = [v for event in tf.compat.v1.train.summary_iterator(str(events)) for v in event.summary.value]
    assert [value.tag for value in values] == ["dev/wer", "dev/transcripts"]
    assert b"  reference: YES" in values[1].tensor.string_val[0]
