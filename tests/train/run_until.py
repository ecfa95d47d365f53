"""Trains on tones, and ends in the middle of something. A program of its own: what is killed cannot clean up.

Arguments: shards, folder of the run, file to note every update in, where to end: "" (not at all), "terminated amid
evaluation" (SIGTERM, in the first), "killed before EVENT PATH N" (SIGKILL before a step on the disk, as Python audits
them, the Nth of its kind), "killed before upload NAME". Notes step, loss (exactly) and ids of each update. Resumes if
there is a run.
"""

import dataclasses
import itertools
import os
import re
import signal
import sys
from pathlib import Path

from data_tools.place import Place
from tests.tones import MODEL, make_config
from train.config import OptimizerConfig, RunConfig

CHANCE = dict(
    num_hidden_layers=1,  # less to trace
    **dict(hidden_dropout=0.1, attention_dropout=0.1, layerdrop=0.2, mask_time_prob=0.2, mask_time_length=2),
)


def run_config(shards: Path, out: Path) -> RunConfig:
    """Three epochs of three updates, evaluated after each; with all that draws at random, and averaged weights.

    The rate is so low that the error rate stays: every evaluation is as good as the best.
    """
    return make_config(
        shards, out, epochs=3, save_every=2, model=dataclasses.replace(MODEL, **CHANCE),
        optimizer=OptimizerConfig(learning_rate=1e-5, ema_momentum=0.9),
    )  # fmt: skip


def note_updates(path: Path) -> None:
    """Appends a line per update to a file."""
    from train.loop import Loop
    from train.step import fetch

    update = Loop._update

    def noting(self, *args):
        update(self, *args)
        (counts,) = fetch(self.monitor.updates[-1:])
        ids = " ".join(name.decode() for name in self.monitor.ids[-1].numpy())
        with path.open("a") as file:
            file.write(f"{self.state.step} {float(counts.loss).hex()} {ids}\n")

    Loop._update = noting


def end_at(where: str) -> None:
    """Arranges the end."""
    from train.evaluator import Evaluator

    def kill(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    if where == "terminated amid evaluation":
        evaluate = Evaluator.__call__

        def terminated(self, *args):
            os.kill(os.getpid(), signal.SIGTERM)
            return evaluate(self, *args)

        Evaluator.__call__ = terminated
    elif found := re.fullmatch(r"killed before upload (.+)", where):
        upload = Place.upload
        Place.upload = lambda self, local, name: (kill if found[1] in self / name else upload)(self, local, name)
    elif found := re.fullmatch(r"killed before (\S+) (\S+) (\d+)", where):
        times = itertools.count(1)
        sys.addaudithook(
            lambda event, args: (
                event == found[1] and found[2] in str(args[0]) and next(times) == int(found[3]) and kill()
            )
        )


def main(shards: str, out: str, notes: str, where: str) -> int:
    from train.loop import train
    from train.preemption import STATUS, Preempted

    note_updates(Path(notes))
    end_at(where)
    config = run_config(Path(shards), Path(out))
    try:
        train(config, resume=Place.of(config.out).exists("config.yaml"))
    except Preempted as notice:
        print(notice)
        return STATUS
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
