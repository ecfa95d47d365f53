"""Resume equals never stopping, bit for bit: real processes that are killed or told to stop, and go on."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gcs_tls_server import GcsTls
from tests.train.processes import start_workers
from tests.train.run_until import run_config
from train.config import architecture, to_yaml
from train.loop import Loop, train
from train.step import fetch

pytestmark = pytest.mark.timeout(900)  # many processes that load TensorFlow, on a machine that may be busy

ROOT = Path(__file__).parents[2]
LAST = "checkpoints/step-00000009"
FILES = [f"{folder}/{name}" for folder in ("best", LAST) for name in ("config.json", "model.safetensors", "vocab.json")]
FILES += [f"{LAST}/optimizer.safetensors", f"{LAST}/state.json", "best/eval-dev.json", "best/eval-dev.tsv"]


@pytest.fixture(scope="module")
def unbroken(shards, tmp_path_factory):
    """The folder of a run that was never stopped, and what each of its updates saw and lost."""
    config, notes, update = run_config(shards, tmp_path_factory.mktemp("unbroken") / "run"), {}, Loop._update

    def noting(self, *args):
        update(self, *args)
        ids = " ".join(name.decode() for name in self.monitor.ids[-1].numpy())
        notes[self.state.step] = f"{float(fetch(self.monitor.updates[-1:])[0].loss).hex()} {ids}"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "_update", noting)
        train(config, report=lambda line: None)
    return config.out, notes


def go_on(shards, out, notes: Path, where="", environ=os.environ) -> int:
    """Trains in a process of its own, until something happens; gives its status."""
    command = [sys.executable, "-m", "tests.train.run_until", str(shards), str(out), str(notes), where]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ, check=False)
    print(done.stdout, done.stderr[-3000:])
    return done.returncode


def check_updates(notes: Path, unbroken: dict[int, str]) -> list[int]:
    """Compares every update, repeated ones too, with that of the unbroken run; gives their numbers."""
    noted = [line.split(" ", 1) for line in notes.read_text().splitlines()]
    for step, update in noted:
        assert update == unbroken[int(step)], f"update {step}"
    return [int(step) for step, _ in noted]


def told(metrics: str) -> list[dict]:
    """Gives what a run told, without what depends on the clock."""
    clocks = ("time", "audio_h_per_h", "eta_seconds", "wait_share", "host_gb", "device_gb")
    return [{k: v for k, v in json.loads(line).items() if k not in clocks} for line in metrics.splitlines()]


def test_killed_and_stopped_again_and_again_a_run_ends_as_if_it_had_never_been(unbroken, shards, tmp_path):
    out, notes = tmp_path / "run", tmp_path / "notes"
    assert go_on(shards, out, notes, "killed before open state.json 1") == -signal.SIGKILL  # amid the first checkpoint
    assert go_on(shards, out, notes, "terminated amid evaluation") == os.EX_TEMPFAIL
    assert json.loads((out / "checkpoints/step-00000003/state.json").read_text())["wer"] is None
    assert go_on(shards, out, notes, "killed before os.rename best.tmp 2") == -signal.SIGKILL
    assert not (out / "best").exists()  # between its two renames
    assert go_on(shards, out, notes) == 0
    steps = check_updates(notes, unbroken[1])
    assert set(steps) == set(range(1, 10))
    assert len(steps) > 9
    for name in FILES:
        assert (out / name).read_bytes() == (unbroken[0] / name).read_bytes(), name
    assert told((out / "metrics.jsonl").read_text()) == told((unbroken[0] / "metrics.jsonl").read_text())
    left = {path.name for path in [*out.iterdir(), *(out / "checkpoints").iterdir()]}
    assert left == {path.name for path in [*unbroken[0].iterdir(), *(unbroken[0] / "checkpoints").iterdir()]}


def test_a_run_in_a_bucket_killed_amid_an_upload_ends_as_if_it_had_never_been(unbroken, shards, tmp_path):
    pytest.importorskip("gcsfs")
    notes = tmp_path / "notes"
    with GcsTls(tmp_path) as server:
        server.bucket("runs")
        common = shards, "gs://runs/a/run", notes
        environ = os.environ | server.environ
        assert go_on(*common, "killed before upload step-00000004/state.json", environ) == -signal.SIGKILL
        assert "a/run/checkpoints/step-00000004/optimizer.safetensors" in server.objects("runs")
        assert go_on(*common, "", environ) == 0
        objects = {name.removeprefix("a/run/"): content for name, content in server.objects("runs").items()}
    check_updates(notes, unbroken[1])
    for name in FILES:
        assert objects[name] == (unbroken[0] / name).read_bytes(), name
    assert told(objects["metrics.jsonl"].decode()) == told((unbroken[0] / "metrics.jsonl").read_text())
    assert {name.split("/")[1] for name in objects if "/" in name and name.startswith("checkpoints")} == {
        path.name for path in (unbroken[0] / "checkpoints").iterdir()
    }


def test_when_one_of_two_hosts_is_told_to_stop_both_stop_after_the_same_update_and_it_is_saved(shards, tmp_path):
    config = dataclasses.replace(run_config(shards, tmp_path / "run"), epochs=9999, eval_every=99_999, save_every=None)
    (tmp_path / "config.yaml").write_text(to_yaml(config, architecture(config)))
    chief, other = start_workers("-m", "train", "--config", tmp_path / "config.yaml", "--strategy=multiworker")
    for line in chief.stdout:
        if line.startswith("step=2 "):
            break
    other.send_signal(signal.SIGTERM)
    (_, errors), _ = ends = [worker.communicate() for worker in (chief, other)]
    assert (chief.returncode, other.returncode) == (os.EX_TEMPFAIL, os.EX_TEMPFAIL), ends
    (saved,) = (config.out / "checkpoints").iterdir()
    assert f"SIGTERM: step {int(saved.name.removeprefix('step-'))} of " in errors
