"""Writes what a run leaves behind while training goes on: checkpoints, `best`, and logs for a bucket.

When something is saved is the loop's business, what is in it `checkpoints`' and `run_folder`'s.
"""

from data_tools.place import Place
from train.background import Background
from train.checkpoints import Memory, State, prepare_checkpoint
from train.config import RunConfig
from train.evaluator import Evaluation
from train.run_folder import Logs, prepare_best


class Saver:
    """Saves a run; on hosts other than the chief, nothing.

    Args:
        config: The run.
        state: Where it stands at the beginning.
        is_chief: Whether this process writes the run's folder.

    Attributes:
        logs: The folder on this machine for metrics.jsonl and tensorboard/.
    """

    def __init__(self, config: RunConfig, state: State, is_chief: bool):
        self.run, self.is_chief = Place.of(config.out), is_chief
        self.keep = dict(keep_last=config.keep_last, keep_best=config.keep_best)
        self._logs = Logs(self.run, state, is_chief)
        self.logs = self._logs.folder
        self._background = Background()
        self._memory, self._memory_of_best = Memory(), Memory()  # `best` may hold averages where the other has weights
        self._write_best = None

    def take_best(self, model, processor, evaluation: Evaluation) -> None:
        """Takes the model's values for RUN/best; they are written with the next checkpoint.

        Raises:
            CheckpointError, OSError: What was begun before could not be written; so in all methods here.
        """
        self.wait()
        if self.is_chief:
            self._write_best = prepare_best(self.run, model, processor, evaluation, self._memory_of_best)

    def checkpoint(self, model, processor, optimizer, state: State) -> None:
        """Takes the values of a checkpoint and begins to write it; waits for the one before, whose values go then."""
        self.wait()
        if not self.is_chief:
            return
        if self._write_best:  # before the checkpoint that tells of it
            self._background.submit(self._write_best)
            self._write_best = None
        taken = prepare_checkpoint(self.run, model, processor, optimizer, state, self._memory, **self.keep)
        self._background.submit(taken)
        self._background.submit(self._logs.upload)

    def check(self) -> None:
        """Raises what went wrong by now."""
        self._background.check()

    def wait(self) -> None:
        """Waits until all that was begun is written."""
        self._background.wait()

    def close(self) -> None:
        """Uploads the logs once more and waits; errors are raised by a `wait` after it."""
        self._background.submit(self._logs.upload)
        self._background.close()
