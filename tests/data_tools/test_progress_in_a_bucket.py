"""Runs that write into a bucket and are killed: what they go on to is what an unbroken run writes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools.make_tfrecords import Options, make_tfrecords
from tests.gcs_tls_server import GcsTls

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    pytest.importorskip("gcsfs")
    with GcsTls(tmp_path_factory.mktemp("tls")) as server:
        yield server


@pytest.fixture
def environ(storage, tmp_path):
    names = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}  # what is killed leaves its folder behind
    surroundings = os.environ | storage.environ | names
    surroundings.pop("STORAGE_EMULATOR_HOST", None)
    return surroundings


def test_a_run_that_is_killed_before_any_change_in_a_bucket_goes_on_to_the_same_bytes(
    storage, environ, corpus, tmp_path
):
    for i in range(4):
        corpus.add("yes", split=("train", "dev")[i // 3])
    storage.bucket("step")
    program = ROOT / "tests/data_tools/killed_in_a_bucket.py"
    command = [sys.executable, program, corpus.manifest, corpus.root, tmp_path, "gs://step/out"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert int(done.stdout) > 12


def test_kill_9_amid_several_workers_then_another_number_of_workers(storage, environ, corpus, tmp_path):
    for i in range(10):
        corpus.add("yes", seconds=3 + i / 100)
    storage.bucket("target")
    storage.fault("silent", "POST /upload/.*b/target", after=5)  # so that the run does not end before it is killed

    def command(workers):
        flags = ["--manifest", corpus.manifest, "--audio_root", corpus.root, "--out", "gs://target/out"]
        more = ["--shard_megabytes=0.1", f"--workers={workers}"]
        return list(map(str, [sys.executable, "-m", "data_tools.make_tfrecords", *flags, *more]))

    run = subprocess.Popen(command(2), env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while sum("b/target/o" in line and "POST" in line for line in storage.requests()) < 8 and run.poll() is None:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert "out/index.json" not in storage.objects("target")
    done = subprocess.run(command(1), env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert " shards are there already" in done.stdout
    same = dict(manifest=corpus.manifest, audio_root=corpus.root, shard_megabytes=0.1, workers=1)
    make_tfrecords(Options(out=tmp_path / "near", **same))
    told = ("out/report.txt", "out/lengths.png")
    expected = {f"out/{path.name}": path.read_bytes() for path in (tmp_path / "near").iterdir()}
    written = storage.objects("target")
    assert sorted(written) == sorted(expected)
    assert [name for name in expected if written[name] != expected[name] and name not in told] == []
