"""Whole runs on several devices and on several hosts, by real processes on this machine."""

import dataclasses
import json

import numpy as np
import pytest

from tests.tones import MODEL, make_config
from tests.train.processes import finish, python, start_workers
from train.check import Comparison, Verdict
from train.config import BatchConfig
from train.loop import train
from train.strategy import Cluster
from wav2vec2_tf import Wav2Vec2ForCTC


def flags(shards, out, *more):
    """Flags of the run that `make_config` describes."""
    model = [f"--model.{name}={json.dumps(value)}" for name, value in vars(MODEL).items() if value is not None]
    schedule = ["--schedule.name=constant", "--schedule.warmup=0", "--optimizer.learning_rate=3e-3"]
    batches = ["--batches.batch_seconds=5", "--batches.max_buckets=1", "--jit_compile=false"]
    return ["--data", str(shards), "--out", str(out), "--log_every=1", *model, *schedule, *batches, *more]


def records(run, kind):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def test_a_run_resumed_on_other_devices_has_the_same_losses_weights_and_error_rate(shards, tmp_path):
    """Two updates on one device, the others on two of them, each in two parts; against one device throughout."""
    batches = BatchConfig(batch_seconds=5.0, max_buckets=1)
    whole = make_config(shards, tmp_path / "whole", batches=batches)
    resumed = make_config(shards, tmp_path / "resumed", batches=batches, steps=2)
    train(whole, report=str)
    train(resumed, report=str)
    devices = ["--strategy=mirrored", "--batches.device_seconds=1.7", "--epochs=1", "--resume"]
    printed = python("-m", "tests.train.on_devices", 2, *flags(shards, resumed.out, *devices))
    assert "compiled shape 2 x 0.8 s (in 2 parts, on 2 replicas)" in printed
    for kind in ("train", "dev"):
        one, other = records(whole.out, kind)[-1], records(resumed.out, kind)[-1]
        assert (one["step"], one["infeasible"]) == (other["step"], other["infeasible"])
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-5)
    assert other["wer"] == one["wer"]
    assert other["utterances"] == 7
    last = "checkpoints/step-00000003"
    one, other = (Wav2Vec2ForCTC.from_pretrained(run / last) for run in (whole.out, resumed.out))
    for a, b in zip(one.weights, other.weights, strict=True):
        if "k_proj/bias" not in a.path:  # see test_replicas
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_two_workers_make_one_run_and_hear_every_utterance_once(shards, tmp_path):
    asked = flags(shards, tmp_path / "run", "--strategy=multiworker", "--epochs=1")
    chief, other = finish(start_workers("-m", "train", *asked))
    assert "split=dev wer=" in chief
    assert chief.splitlines()[-1].startswith("done: ")
    assert len(other.splitlines()) == 1
    assert other.startswith("worker 1 of 2: waiting until all are there")
    heard = (tmp_path / "run" / "best" / "eval-dev.tsv").read_text().splitlines()[1:]
    assert sorted(line.split("\t")[0] for line in heard) == [f"dev-{i:02d}.wav" for i in range(7)]
    assert sum(record["infeasible"] for record in records(tmp_path / "run", "train")) == 0


@pytest.mark.parametrize("lost", [0, 1])
def test_when_a_worker_is_lost_the_other_ends_and_names_it(shards, tmp_path, lost):
    endless = flags(shards, tmp_path / "run", "--strategy=multiworker", "--epochs=9999", "--eval_every=99999")
    workers = start_workers("-m", "train", *endless)
    for line in workers[0].stdout:
        if line.startswith("step=1 "):
            break
    workers[lost].kill()
    _, errors = workers[1 - lost].communicate(timeout=60)
    assert f"worker {lost} (localhost:" in errors
    assert workers[1 - lost].returncode == 1


def test_check_passes_on_two_devices_and_writes_nothing(shards, tmp_path):
    asked = flags(shards, tmp_path / "run", "--strategy=mirrored", "--check")
    printed = python("-m", "tests.train.on_devices", 2, *asked)
    assert "sgd: losses differ by" in printed
    assert "adamw: losses differ by" in printed
    assert printed.splitlines()[-1] == "check: PASSED. 2 replicas (hosts: 1) compute what one device computes."
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [dict(loss=0.1), dict(weights=0.1), dict(replicas_agree=False), dict(moved=False)])
def test_check_fails_where_losses_weights_or_replicas_differ_or_nothing_moved(change):
    same = Comparison("sgd", loss=1e-7, weights=1e-6, replicas_agree=True)
    assert Verdict(Cluster(), 1e-3, (same, same)).passed
    verdict = Verdict(Cluster(), 1e-3, (same, dataclasses.replace(same, **change)))
    assert not verdict.passed
    assert ("WEIGHTS NEVER MOVED" in verdict.comparisons[1].line()) == ("moved" in change)
    assert not Verdict(Cluster(), 1e-3, (same,), other_hosts=False).passed
    assert "do not compute what one device computes (more than 0.001 apart)" in verdict.line()
