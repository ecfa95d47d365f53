"""Writes, replaces and removes folders, killed before its 1st, 2nd, 3rd ... step on the disk; then looks what is there.

A program of its own, as processes that loaded TensorFlow had better not fork. Argument: folder to work in. Prints the
number of steps at which it was killed; fails where a folder is not whole afterwards, or something is left over.
"""

import itertools
import os
import shutil
import sys
from pathlib import Path

from data_tools.place import Place
from train.folders import recover, remove_folder, tidy, whole_folders, write_folder

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}
KILLED = 9


def work(run: Path, version: str) -> None:
    """As a run does at an evaluation: `best` is replaced, a checkpoint written, an older one removed."""

    def fill(local: Path) -> None:
        for name in ("config", "weights", "last"):
            (local / name).write_text(version)

    write_folder(Place.of(run / "best"), "last", fill, 1)
    write_folder(Place.of(run / "checkpoints" / version), "last", fill, 1)
    for name in whole_folders(Place.of(run / "checkpoints"), "last")[:-1]:
        remove_folder(Place.of(run / "checkpoints" / name), "last")


def killed_at(run: Path, step: int) -> bool:
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
    steps = itertools.count(1)

    def hook(event, arguments):
        if event in STEPS and str(run) in str(arguments[0]) and next(steps) == step:
            os._exit(KILLED)

    sys.addaudithook(hook)
    work(run, "2")
    os._exit(0)


def version_of(folder: Path) -> str:
    """Gives the one version that all files of a folder have."""
    (version,) = {(folder / name).read_text() for name in ("config", "weights", "last")}
    return version


def check(run: Path) -> None:
    checkpoints = run / "checkpoints"
    whole = whole_folders(Place.of(checkpoints), "last")
    assert whole in (["1"], ["1", "2"], ["2"]), whole
    assert all(version_of(checkpoints / name) == name for name in whole)
    recover(Place.of(run / "best"))
    tidy(Place.of(checkpoints), "last")
    assert version_of(run / "best") in ("12" if whole == ["1"] else "2"), "best is older than the checkpoint"
    assert sorted(os.listdir(checkpoints)) == whole
    assert sorted(os.listdir(run)) == ["best", "checkpoints"]


def main(work_folder: str) -> int:
    run, killed, step = Path(work_folder) / "run", True, 0
    while killed:
        step += 1
        shutil.rmtree(run, ignore_errors=True)
        work(run, "1")
        killed = killed_at(run, step)
        check(run)
        work(run, "2")
        check(run)
    print(step - 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
