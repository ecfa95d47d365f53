"""Runs make_tfrecords over and over, killed before its 1st, 2nd, 3rd ... step on the disk, and lets it go on each time.

A program of its own, as processes that loaded TensorFlow had better not fork. Arguments: manifest, audio root, folder
to work in. Prints the number of steps at which the run was killed; ends with 1 if one result differs.
"""

import itertools
import os
import shutil
import sys
from pathlib import Path

from data_tools import report
from data_tools.make_tfrecords import Options, make_tfrecords

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
KILLED = 9


def run(options: Options, step: int | None = None) -> int:
    """Runs in a process of its own, which is gone before the given step; gives its exit status."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    steps = itertools.count(1)

    def hook(event, arguments):
        if event in STEPS and str(options.out) in str(arguments[0]) and next(steps) == step:
            os._exit(KILLED)

    sys.addaudithook(hook)
    make_tfrecords(options)
    os._exit(0)


def content(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "report.txt"}


def main(manifest: str, audio_root: str, work: str) -> int:
    report.draw = lambda index, path: path.write_bytes(b"a picture, slowly drawn")
    unbroken, out = Path(work) / "unbroken", Path(work) / "out"
    common = dict(manifest=Path(manifest), audio_root=Path(audio_root), shard_megabytes=0.1, workers=1)
    assert run(Options(out=unbroken, **common)) == 0
    killed, step = True, 0
    while killed:
        step += 1
        shutil.rmtree(out, ignore_errors=True)
        killed = run(Options(out=out, **common), step) == KILLED
        if killed and (out / "unfinished/plan.json").exists() or not (out / "index.json").exists():
            assert run(Options(out=out, **common)) == 0, f"did not go on after step {step}"
        assert content(out) == content(unbroken), f"another result after step {step}"
    print(step - 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
