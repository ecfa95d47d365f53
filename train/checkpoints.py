"""RUN/checkpoints/step-00001200: a loadable model, the optimizer's state, and the place in the data.

`state.json` is written last and makes a checkpoint whole (`folders`). Values are taken at once, files written later,
by whoever is given the function for it (`background`). What the place means is the loop's business.
"""

import json
import math
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from data_tools.place import Place
from train.folders import CheckpointError, remove_folder, whole_folders, write_folder
from wav2vec2_tf.hub import prepare_save

__all__ = ["CheckpointError", "State", "load_checkpoint", "prepare_checkpoint", "whole_checkpoints"]

FOLDER, STATE_FILE, OPTIMIZER_FILE = "checkpoints", "state.json", "optimizer.safetensors"


@dataclass(frozen=True)
class State:
    """Where a run stands.

    Attributes:
        step: Updates done.
        epoch: Passes over the data done.
        batch: Batches done in the current pass.
        order: What the order of the data depends on; a run goes on only with the same.
        wer: Dev word error rate after this very step; None if it was not evaluated.
        best_wer: Lowest dev word error rate so far; None before the first evaluation.
        stale: Evaluations since there was a lower one.
        hosts: Hosts that shared the updates.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    order: str = ""
    wer: float | None = None
    best_wer: float | None = None
    stale: int = 0
    hosts: int = 1


def prepare_checkpoint(
    run: Place, model, processor, optimizer, state: State, memory: "Memory", keep_last: int, keep_best: int = 0
) -> Callable[[], None]:
    """Takes the values of a checkpoint, and gives the function that writes it and removes older ones.

    Args:
        run: The run's folder.
        model: Wav2Vec2ForCTC.
        processor: Its processor.
        optimizer: A built Keras optimizer.
        state: Where the run stands.
        memory: For the values; free again when the function has returned.
        keep_last: Checkpoints to keep, this one included.
        keep_best: Checkpoints to keep besides: those of the lowest dev word error rates.
    Returns:
        A function that raises CheckpointError where the disk is full or cannot be written; the model may have changed
        when it is called.
    """
    write_model = prepare_save(model, memory.copy)
    arrays = {name: memory.copy(variable) for name, variable in _named(optimizer).items()}
    folder = Place(Place(run / FOLDER) / f"step-{state.step:08d}")
    num_bytes = weights_bytes(model.weights) + weights_bytes(optimizer.variables)

    def fill(local: Path) -> None:
        write_model(local)
        processor.save_pretrained(local)
        save_file(arrays, local / OPTIMIZER_FILE)
        (local / STATE_FILE).write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")

    def write() -> None:
        write_folder(folder, STATE_FILE, fill, num_bytes)
        _prune(run, keep_last, keep_best)

    return write


class Memory:
    """Memory of the host for values of variables; kept, since the first use of new pages takes longer than copying."""

    def __init__(self):
        self._held: dict[int, np.ndarray] = {}

    def copy(self, variable) -> np.ndarray:
        """Gives a copy of a variable's value, which lasts until the same variable is copied again."""
        value = np.asarray(tf.convert_to_tensor(variable))
        if id(variable) not in self._held:
            self._held[id(variable)] = np.empty_like(value)
        held = self._held[id(variable)]
        np.copyto(held, value)
        return held


def _prune(run: Place, keep_last: int, keep_best: int) -> None:
    older = whole_checkpoints(run)[:-keep_last]
    rates = {folder: wer for folder in older if (wer := read_state(folder).wer) is not None} if keep_best else {}
    best = sorted(rates, key=lambda folder: (rates[folder], -older.index(folder)))[:keep_best]
    for folder in older:
        if folder not in best:
            remove_folder(folder, STATE_FILE)


def whole_checkpoints(run: Place) -> list[Place]:
    """Lists the whole checkpoints of a run, oldest first."""
    parent = Place(run / FOLDER)
    return [Place(parent / name) for name in whole_folders(parent, STATE_FILE)]


def read_state(folder: Place) -> State:
    """Reads where a run stood at a whole checkpoint.

    Raises:
        ValueError, TypeError, OSError: The file is damaged or cannot be read.
    """
    return State(**json.loads(folder.read_text(STATE_FILE)))


def load_checkpoint(folder: Path, optimizer) -> State:
    """Puts the state of the optimizer of a checkpoint in place; its model is loaded by `from_pretrained`.

    Args:
        folder: A whole checkpoint on this machine.
        optimizer: The optimizer to fill, built on the model's variables.
    Returns:
        Where the run stood.
    Raises:
        CheckpointError: The files are damaged or of another model or optimizer.
    """
    with reading(folder):
        saved, state = load_file(folder / OPTIMIZER_FILE), read_state(Place.of(folder))
    names = _named(optimizer)
    if names.keys() != saved.keys() or any(tuple(v.shape) != saved[name].shape for name, v in names.items()):
        raise CheckpointError(
            f"{folder / OPTIMIZER_FILE} belongs to another model or optimizer. Resume with the settings that the run "
            f"began with: --config RUN/config.yaml --resume."
        )
    for name, variable in names.items():
        variable.assign(saved[name])
    return state


@contextmanager
def reading(folder: Path | None):
    """Says what to do about a checkpoint whose files cannot be read within a `with` block; None: about nothing.

    Raises:
        CheckpointError: In the place of what was raised.
    """
    try:
        yield
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        if folder is None:
            raise
        raise CheckpointError(
            f"{folder} cannot be read back ({error}). Remove this folder to resume from the checkpoint before it."
        ) from error


def _named(optimizer) -> dict:
    return {f"{i:05d}": variable for i, variable in enumerate(optimizer.variables)}  # Keras' own names count up


def weights_bytes(variables) -> int:
    """Sums the bytes of variables."""
    return sum(math.prod(variable.shape) * tf.as_dtype(variable.dtype).size for variable in variables)
