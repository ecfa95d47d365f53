"""`python -m train`: reads flags, trains, and returns a status that tells the truth."""

import os
import sys
from collections.abc import Sequence

from data_tools.place import Place
from train.flags import Request, parse


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one request.

    Returns:
        0 if it did what was asked, 1 with a line on stderr if not, 130 after Ctrl-C, 75 after SIGTERM: where the run
        stands is saved, and the same command with --resume goes on.
    """
    request = parse(argv)
    sys.stdout.reconfigure(line_buffering=True)  # log lines appear at once in a pipe too
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported, which is below
    import tensorflow as tf

    from train.checkpoints import CheckpointError
    from train.monitor import DivergedError
    from train.preemption import STATUS, Preempted
    from train.strategy import LostWorkerError

    try:
        return _work(request)
    except (
        *(OSError, ValueError, ImportError, MemoryError, tf.errors.OpError),
        *(CheckpointError, DivergedError, LostWorkerError),
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Preempted as notice:
        print(notice, file=sys.stderr)
        return STATUS
    except KeyboardInterrupt:
        print("interrupted; --resume goes on from the last checkpoint, if there is one", file=sys.stderr)
        return 130


def _work(request: Request) -> int:
    """Does what is asked, tells how it ended, and returns the status."""
    from train.check import check
    from train.loop import train
    from train.overfit import overfit_one_batch
    from train.plan import make_plan, parse_devices
    from train.plan_report import describe_plan
    from train.strategy import make_cluster

    if request.overfit_one_batch:
        verdict = overfit_one_batch(request.config)
        print(verdict.line())
        return 0 if verdict.learned else 1
    if request.plan:
        plan = make_plan(request.config, parse_devices(request.plan))
        print(describe_plan(plan))
        return 0 if plan.fits else 1
    cluster = make_cluster(request.config)
    with cluster.explained():
        if request.check:
            verdict = check(request.config, cluster)
            print(verdict.line())
            return 0 if verdict.passed else 1
        result = train(request.config, request.resume, cluster)
    if cluster.is_chief:
        best = Place.of(request.config.out) / "best"
        print(f"done: {result.steps} steps, best WER {result.best_wer:.2%}, model in {best}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
