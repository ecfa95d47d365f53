"""Folders that appear whole or not at all: RUN/checkpoints/step-00001200 and RUN/best.

Everything is written into a `.tmp` sibling, synced, and renamed. A folder without `state.json`, which is written last,
is never taken for a checkpoint. A checkpoint holds the model as a loadable folder, the optimizer's state and the place
in the data. What the place means is the loop's business.
"""

import json
import math
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

TMP, OLD = ".tmp", ".old"
STATE_FILE, OPTIMIZER_FILE = "state.json", "optimizer.safetensors"
SPARE_BYTES = 1 << 20  # configs, indices and rounding up to blocks


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; those written before are untouched."""


@dataclass(frozen=True)
class State:
    """Where a run stands.

    Attributes:
        step: Updates done.
        epoch: Passes over the data done.
        batch: Batches done in the current pass.
        order: What the order of the data depends on; a run goes on only with the same.
        best_wer: Lowest dev word error rate so far; None before the first evaluation.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    order: str = ""
    best_wer: float | None = None


def save_checkpoint(run: Path, model, optimizer, state: State, keep_last: int) -> Path:
    """Writes RUN/checkpoints/step-XXXXXXXX and removes all but the last `keep_last`.

    Args:
        run: The run's folder.
        model: Anything with `save_pretrained` and Keras `variables`.
        optimizer: A built Keras optimizer.
        state: Where the run stands.
        keep_last: Checkpoints to keep, this one included.
    Returns:
        The folder.
    Raises:
        CheckpointError: The disk is full or cannot be written.
    """

    def write(folder: Path):
        model.save_pretrained(folder)
        save_file(_named(optimizer), folder / OPTIMIZER_FILE)
        (folder / STATE_FILE).write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")

    folder = run / "checkpoints" / f"step-{state.step:08d}"
    write_folder(folder, write, weights_bytes(model.weights) + weights_bytes(optimizer.variables))
    for old in whole_checkpoints(run)[:-keep_last]:
        shutil.rmtree(old)
    return folder


def whole_checkpoints(run: Path) -> list[Path]:
    """Lists the whole checkpoints of a run, oldest first."""
    folders = sorted((run / "checkpoints").glob("step-*"))
    return [f for f in folders if (f / STATE_FILE).is_file() and not f.name.endswith((TMP, OLD))]


def load_checkpoint(folder: Path, model, optimizer) -> State:
    """Puts a checkpoint's weights and optimizer state in place.

    Args:
        folder: A whole checkpoint.
        model: The model to fill; must have the checkpoint's architecture.
        optimizer: The optimizer to fill, built on the model's variables.
    Returns:
        Where the run stood.
    Raises:
        CheckpointError: The files are damaged or of another model or optimizer.
    """
    try:
        load_weights(model, folder)
        saved = load_file(folder / OPTIMIZER_FILE)
        state = State(**json.loads((folder / STATE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(
            f"{folder} cannot be read back ({error}). Remove this folder to resume from the checkpoint before it."
        ) from error
    names = dict(zip(_names(optimizer), optimizer.variables, strict=True))
    if names.keys() != saved.keys() or any(tuple(v.shape) != saved[name].shape for name, v in names.items()):
        raise CheckpointError(
            f"{folder / OPTIMIZER_FILE} belongs to another model or optimizer. Resume with the settings that the run "
            f"began with: --config {folder.parents[1] / 'config.yaml'} --resume."
        )
    for name, variable in names.items():
        variable.assign(saved[name])
    return state


def load_weights(model, folder: Path) -> None:
    """Copies the weights of a saved model into one of the same architecture; dropouts and masks may differ.

    Raises:
        FileNotFoundError: The folder holds no model.
        ValueError: The architectures differ, or the files are damaged.
    """
    saved = type(model).from_pretrained(folder)
    if [v.shape for v in saved.weights] != [v.shape for v in model.weights]:
        raise ValueError(
            f"{folder} holds a model of another architecture than the run asks for. "
            f"Leave out the --model flags that change its sizes."
        )
    for variable, value in zip(model.weights, saved.weights, strict=True):
        variable.assign(value)


def write_folder(folder: Path, write: Callable[[Path], None], num_bytes: int) -> None:
    """Writes a folder beside its place, syncs it, and moves it there in the place of an older one.

    Args:
        folder: The final place.
        write: Fills the folder it is given.
        num_bytes: About what will be written, checked against the free space first.
    Raises:
        CheckpointError: The disk is full or cannot be written; what was there before is still there.
    """
    part, old = folder.with_name(folder.name + TMP), folder.with_name(folder.name + OLD)
    shutil.rmtree(part, ignore_errors=True)
    with _explained(folder, num_bytes):
        part.mkdir(parents=True)
        _check_space(part, num_bytes)
        write(part)
        for path in [*part.rglob("*"), part]:
            _sync(path)
    recover(folder)
    if folder.exists():
        os.rename(folder, old)
    os.rename(part, folder)
    _sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Brings back the folder that `write_folder` had moved aside when it was interrupted between its two renames."""
    old = folder.with_name(folder.name + OLD)
    if old.exists() and not folder.exists():
        os.rename(old, folder)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _explained(folder: Path, num_bytes: int):
    part = folder.with_name(folder.name + TMP)
    try:
        yield
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        free = shutil.disk_usage(_existing(folder)).free
        raise CheckpointError(
            f"{folder} could not be written ({error}). It takes about {num_bytes:,} bytes, {free:,} are free there. "
            f"Free some space or lower --keep_last, then go on with --resume; earlier checkpoints are intact."
        ) from error


def _check_space(folder: Path, num_bytes: int) -> None:
    if shutil.disk_usage(folder).free < num_bytes + SPARE_BYTES:
        raise OSError("too little space on the device")


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _named(optimizer) -> dict:
    return {name: np.asarray(variable) for name, variable in zip(_names(optimizer), optimizer.variables, strict=True)}


def _names(optimizer) -> list[str]:
    return [f"{i:05d}" for i in range(len(optimizer.variables))]  # Keras' own names count up with every model made


def weights_bytes(variables) -> int:
    """Sums the bytes of variables."""
    return sum(math.prod(variable.shape) * tf.as_dtype(variable.dtype).size for variable in variables)
