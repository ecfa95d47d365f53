"""A run that was stopped goes on, and its result is that of a run that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools import clips, progress, writer
from data_tools.make_tfrecords import Options, make_tfrecords

ROOT = Path(__file__).parents[2]


def options(corpus, out, **more):
    fields = dict(out=out, manifest=corpus.manifest, audio_root=corpus.root, shard_megabytes=0.1, workers=1)
    return Options(**fields | more)


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix not in (".txt", ".png")}


@pytest.fixture
def several(corpus):
    """Enough for seven shards of `train` and one of `dev`."""
    for i in range(14):
        corpus.add("yes", seconds=1 + i / 100)
    corpus.list("gone", "none.wav")
    corpus.add("no", split="dev")
    return corpus


@pytest.fixture
def stopped(several, tmp_path, monkeypatch):
    """The folder of a run that ended in the midst of its fourth shard."""

    def prepare(job, *others):
        if job.utterance.id == "008.wav":
            raise OSError(5, "Input/output error")
        return clips.prepare(job, *others)

    monkeypatch.setattr(writer, "prepare", prepare)
    with pytest.raises(OSError, match="Input/output error"):
        make_tfrecords(options(several, tmp_path / "out"))
    monkeypatch.undo()
    return tmp_path / "out"


def test_a_run_that_is_killed_before_any_step_on_the_disk_goes_on_to_the_same_bytes(corpus, tmp_path):
    for i in range(6):
        corpus.add("yes", split=("train", "dev")[i // 4])
    command = [sys.executable, ROOT / "tests/data_tools/killed_at.py", corpus.manifest, corpus.root, tmp_path]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert int(done.stdout) > 30


def killed_amid_the_work(corpus):
    """Gives a function that starts a run, kills it, and tells whether it was in time for that."""
    command = [sys.executable, "-m", "data_tools.make_tfrecords", "--manifest", corpus.manifest, "--audio_root"]
    command += [corpus.root, "--shard_megabytes=0.1", "--workers=3", "--out"]

    def kill(out) -> bool:
        quiet = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run = subprocess.Popen([*map(str, command), str(out)], cwd=ROOT, **quiet)
        while len(list(out.glob("*.tfrecord"))) < 3 and run.poll() is None:
            time.sleep(0.002)
        run.send_signal(signal.SIGKILL)
        run.wait()
        return not (out / "index.json").exists()

    return kill


def test_kill_9_amid_several_workers_then_another_number_of_workers(several, tmp_path):
    for _ in range(60):
        several.add("more", seconds=3)
    out = next(filter(killed_amid_the_work(several), (tmp_path / f"out{i}" for i in range(9))))
    make_tfrecords(options(several, out, workers=2))
    make_tfrecords(options(several, tmp_path / "unbroken"))
    assert content(out) == content(tmp_path / "unbroken")
    assert not (out / "unfinished").exists()


def test_finished_shards_are_kept_and_the_others_written(several, stopped, capsys):
    kept = {path: path.stat().st_mtime_ns for path in stopped.glob("*.tfrecord")}
    assert len(kept) == 3
    make_tfrecords(options(several, stopped))
    assert "3 of 8 shards are there already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(stopped.glob("*.tfrecord"))) == 8


def test_a_run_that_was_killed_when_only_its_notes_were_left_is_finished(several, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress.Progress, "forget", lambda self: None)
    make_tfrecords(options(several, tmp_path))
    monkeypatch.undo()
    before = content(tmp_path)
    next((tmp_path / "unfinished").glob("*.tfrecord.json")).unlink()
    index = make_tfrecords(options(several, tmp_path))
    assert f"{tmp_path} was finished already" in capsys.readouterr().out
    assert (len(index.lengths("train")), content(tmp_path)) == (14, before)
    assert not (tmp_path / "unfinished").exists()


def test_a_shard_that_lost_bytes_since_is_written_again(several, stopped, tmp_path):
    shard = sorted(stopped.glob("*.tfrecord"))[0]
    shard.write_bytes(shard.read_bytes()[:-1])
    make_tfrecords(options(several, stopped))
    make_tfrecords(options(several, tmp_path / "unbroken"))
    assert content(stopped) == content(tmp_path / "unbroken")


@pytest.mark.parametrize(
    ("more", "difference"),
    [
        (dict(encoding="flac"), "encoding was 'pcm' and is 'flac'"),
        (
            dict(shard_megabytes=0.2, max_seconds=5.0),
            r"shard_megabytes was 0.1 and is 0.2, max_seconds was 40.0 and is",
        ),
        (dict(text_rules=("lower",)), r"text_rules was \['nfc', "),
        (dict(shuffle_seed=1), "shuffle_seed was None and is 1"),
    ],
)
def test_other_options_are_refused_by_name(several, stopped, more, difference):
    before = content(stopped)
    with pytest.raises(FileExistsError, match=f"was stopped and was asked for something else: .*{difference}"):
        make_tfrecords(options(several, stopped, **more))
    assert content(stopped) == before


def test_another_corpus_is_refused(several, stopped):
    several.rows[0] = several.rows[0].replace("yes", "no")
    with pytest.raises(FileExistsError, match="corpus was '[0-9a-f]{16}' and is '[0-9a-f]{16}'. Ask for the same"):
        make_tfrecords(options(several, stopped))
    several.add("one more")
    with pytest.raises(FileExistsError, match="utterances was 16 and is 17"):
        make_tfrecords(options(several, stopped))


def test_a_corpus_that_moved_is_the_same_corpus(several, stopped, tmp_path):
    several.root = several.root.rename(tmp_path / "moved")
    make_tfrecords(options(several, stopped))
    assert (stopped / "index.json").exists()
