"""Runs make_tfrecords into a bucket, killed before its 1st, 2nd, 3rd ... change there, and lets it go on each time.

A program of its own, as `killed_at`. Arguments: manifest, audio root, a local folder to work in, a folder in a bucket.
Prints the number of changes before which the run was killed; ends with 1 if one result differs.
"""

import itertools
import os
import sys
import traceback
from pathlib import Path

import gcsfs  # noqa: F401 - loaded once, not in every child

from data_tools import gcs, report
from data_tools.make_tfrecords import Options, make_tfrecords

CHANGES = ("probe", "write", "upload", "remove")
KILLED = 9


def in_a_child(work, *arguments) -> int:
    """Does work in a process of its own, the only one that speaks to the bucket; gives its exit status."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    status = 1
    try:
        work(*arguments)
        status = 0
    except Exception:  # noqa: BLE001 - a child goes no further, whatever happened
        traceback.print_exc()
    os._exit(status)


def run(options: Options, step: int) -> None:
    """Writes, and is gone before the given change."""
    changes = itertools.count(1)

    def killing(change):
        def ask(*arguments):
            if next(changes) == step:
                os._exit(KILLED)
            return change(*arguments)

        return ask

    for name in CHANGES:
        setattr(gcs, name, killing(getattr(gcs, name)))
    make_tfrecords(options)


def finish(options: Options, expected: dict[str, bytes]) -> None:
    """Goes on to the end and compares."""
    if "index.json" not in gcs.files(str(options.out)) or any("unfinished" in n for n in gcs.files_below(options.out)):
        make_tfrecords(options)
    found = {name: gcs.read(f"{options.out}/{name}") for name in gcs.files_below(options.out)}
    assert content(found) == expected, sorted(found)


def content(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: written for name, written in files.items() if name != "report.txt"}


def main(manifest: str, audio_root: str, work: str, url: str) -> int:
    report.draw = lambda index, path: path.write_bytes(b"a picture, slowly drawn")
    common = dict(manifest=Path(manifest), audio_root=Path(audio_root), shard_megabytes=0.1, workers=1)
    unbroken = Path(work) / "unbroken"
    assert in_a_child(make_tfrecords, Options(out=unbroken, **common)) == 0
    expected = content({path.name: path.read_bytes() for path in unbroken.iterdir()})
    outcome, step = KILLED, 0
    while outcome == KILLED:
        step += 1
        options = Options(out=f"{url}-{step}", **common)
        outcome = in_a_child(run, options, step)
        assert outcome in (0, KILLED), f"step {step} ended with {outcome}"
        assert in_a_child(finish, options, expected) == 0, f"another result after step {step}"
    print(step - 1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
