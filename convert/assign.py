"""Tensors of a checkpoint into the weights of a model: audited first, then read one after the other, none skipped.

Memory never holds more than the model and the tensors being read: each is copied once, from the mapped file into the
memory that becomes the weight's.
"""

import mmap
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from convert.audit import Audit, audit
from convert.names import Name, names_by_path
from convert.tensors import Checkpoint, Tensor

NUM_THREADS = min(4, os.cpu_count() or 1)
_BLOCK = 16  # columns: one cache line of float32, which makes turning a large matrix five times as fast


def our_path(weight) -> str:
    """Gives a weight's path below the model's own name: 'wav2vec2/...' or 'lm_head/...'."""
    return weight.path if weight.path.startswith(("wav2vec2/", "lm_head/")) else weight.path.split("/", 1)[1]


def named_weights(model) -> dict:
    """Pairs the weights of a model with their names in Hugging Face checkpoints.

    Args:
        model: Wav2Vec2ForCTC.
    Returns:
        Hugging Face name -> (Name, Keras variable).
    """
    names = names_by_path(model.config)
    pairs = [(names[our_path(weight)], weight) for weight in model.weights]
    return {name.theirs: (name, weight) for name, weight in pairs}


def assign(model, checkpoint: Checkpoint, ignore_mismatched_sizes: bool = False) -> Audit:
    """Fills the weights of a model.

    Args:
        model: Wav2Vec2ForCTC.
        checkpoint: Where the tensors come from.
        ignore_mismatched_sizes: Leave out a head of another size.
    Returns:
        The audit, without findings; weights named in its `fresh` are untouched.
    Raises:
        AuditError: Tensors are missing, unknown, double, of another shape or type, or hold NaN or infinity; all of
            them are listed. The model is then of no use.
    """
    weights = dict(named_weights(model).values())
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    found = audit(shapes, checkpoint, model.config, ignore_mismatched_sizes)
    found.raise_findings()
    fill({name: weights[name] for name, _ in found.used}, found)
    return found


def fill(weights: dict, found: Audit) -> None:
    """Reads what an audit found and puts it into the weights.

    Args:
        weights: Name -> Keras variable.
        found: An audit without findings.
    Raises:
        AuditError: Some tensors hold NaN or infinity; all of them are listed.
    """
    sick = []
    pool = ThreadPoolExecutor(NUM_THREADS)
    try:
        arrays = pool.map(lambda pair: _read(*pair), found.used)
        for (name, tensor), (array, num_sick) in zip(found.used, arrays, strict=True):
            sick += _sick(tensor, num_sick)
            # the memory becomes the variable's: no second copy
            weights[name].assign(tf.experimental.dlpack.from_dlpack(array.__dlpack__()))
    finally:
        pool.shutdown(cancel_futures=True)
    found.raise_findings(tuple(sick))


def check_finite(found: Audit) -> None:
    """Reads what an audit found, and fills nothing; raises as `fill` would."""
    sick = [_sick(tensor, _read(name, tensor)[1]) for name, tensor in found.used]
    found.raise_findings(tuple(line for lines in sick for line in lines))


def _sick(tensor: Tensor, num_sick: int) -> list[str]:
    return [f"not finite: {tensor.name} holds {num_sick} numbers that are NaN or infinite"] if num_sick else []


def _read(name: Name, tensor: Tensor) -> tuple[np.ndarray, int]:
    """Copies a tensor into new memory, in our layout and as float32; counts what is NaN or infinite in it."""
    theirs = name.to_ours(tensor.read())
    ours = _new_memory(theirs.shape)
    if theirs.ndim == 2:
        for i in range(0, theirs.shape[1], _BLOCK):
            ours[:, i : i + _BLOCK] = theirs[:, i : i + _BLOCK]
    else:
        ours[...] = theirs
    with np.errstate(all="ignore"):
        total = np.add.reduce(ours, axis=None)  # one fast pass: a finite sum has finite terms
    return ours, 0 if np.isfinite(total) else int(np.count_nonzero(~np.isfinite(ours)))


def _new_memory(shape: tuple[int, ...]) -> np.ndarray:
    """Gives whole pages of their own: aligned as TensorFlow wants memory that it takes over, returned when dropped."""
    size = int(np.prod(shape))
    pages = mmap.mmap(-1, 4 * max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return np.frombuffer(pages, np.float32, size).reshape(shape)
