"""Folders that appear whole or not at all: whatever step on the disk a process is killed at."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from data_tools.place import Place
from train.folders import CheckpointError, recover, remove_folder, tidy, whole_folders, write_folder

ROOT = Path(__file__).parents[2]


def write(folder: Path, **files: str) -> None:
    def fill(local: Path) -> None:
        for name, text in files.items():
            (local / name).write_text(text)

    write_folder(Place.of(folder), "last", fill, num_bytes=1)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    write(tmp_path / "best", old="1", last="1")
    write(tmp_path / "best", new="2", last="2")
    assert content(tmp_path / "best") == {"new": "2", "last": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_folder_without_its_marker_or_half_written_is_not_whole(tmp_path):
    for name in ("a", "b.tmp", "c", "d.old"):
        write(tmp_path / name, last="x", file="x")
    (tmp_path / "c" / "last").unlink()
    (tmp_path / "file").write_text("x")
    assert whole_folders(Place.of(tmp_path), "last") == ["a"]
    assert whole_folders(Place.of(tmp_path / "nowhere"), "last") == []


def test_what_an_interruption_left_is_mended_or_removed(tmp_path):
    for name in ("a", "a.old", "b.tmp", "c", "d.old"):
        write(tmp_path / name, last=name)
    (tmp_path / "c" / "last").unlink()
    tidy(Place.of(tmp_path), "last")
    assert {path.name: content(path)["last"] for path in tmp_path.iterdir()} == {"a": "a", "d": "d.old"}


def test_an_interruption_between_the_renames_is_mended(tmp_path):
    write(tmp_path / "best.old", last="1")
    write(tmp_path / "best.tmp", last="2")
    recover(Place.of(tmp_path / "best"))
    assert content(tmp_path / "best") == {"last": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_a_folder_is_removed_marker_first(tmp_path, monkeypatch):
    write(tmp_path / "a", file="x", last="x")
    monkeypatch.setattr(shutil, "rmtree", lambda path: None)
    remove_folder(Place.of(tmp_path / "a"), "last")
    assert content(tmp_path / "a") == {"file": "x"}


def test_too_little_space_is_told_before_anything_is_written(tmp_path, monkeypatch):
    write(tmp_path / "a", last="1")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1234))
    with pytest.raises(CheckpointError, match=r"too little space.*takes about [\d,]+ bytes, 1,234 are free"):
        write(tmp_path / "a", last="2")
    assert content(tmp_path / "a") == {"last": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_process_killed_at_any_step_on_the_disk_leaves_whole_folders(tmp_path):
    """Killed before each of its steps, once; see folders_killed_at.py for what must hold then."""
    command = [sys.executable, "-m", "tests.train.folders_killed_at", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
