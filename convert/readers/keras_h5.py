"""tf_model.h5 and other weight files of Keras 2: HDF5, whose datasets are mapped like any other tensor.

The root (or its group "model_weights") lists its layers in `layer_names`, each layer's group its weights in
`weight_names`; lists above 64 kB are split into `weight_names0`, `weight_names1`, ...
"""

from pathlib import Path

import h5py
import numpy as np

from convert.readers.errors import CheckpointFileError, not_a
from convert.readers.mapped import MAX_AXES, MappedFile
from convert.tensors import Tensor


def open_h5(path: Path) -> tuple[Tensor, ...]:
    """Lists the weights of a Keras weight file, without reading them.

    Args:
        path: An .h5 file as `model.save_weights` of Keras 2 wrote it.
    Returns:
        Tensors named as `weight_names` name them, such as "lm_head/kernel:0", in that order.
    Raises:
        CheckpointFileError: It is no such file, is damaged, or refers to other files.
    """
    file = MappedFile.of(path)
    if not h5py.is_hdf5(path):
        raise not_a("a weight file of Keras 2", path)
    try:
        with h5py.File(path, "r") as opened:
            return tuple(_tensors(file, opened))
    except (OSError, RuntimeError, KeyError) as error:
        raise CheckpointFileError(f"{path} is a truncated or damaged HDF5 file ({error}). Fetch it again.") from error


def _tensors(file: MappedFile, opened: h5py.File):
    root = opened["model_weights"] if "model_weights" in opened and "layer_names" not in opened.attrs else opened
    if "layer_names" not in root.attrs and "layer_names0" not in root.attrs:
        raise CheckpointFileError(f"{file.path} has no `layer_names`: Keras 2 did not write it as a weight file.")
    for layer in _names(root, "layer_names"):
        for name in _names(_inside(file, root, layer, h5py.Group), "weight_names"):
            yield _tensor(file, name, _inside(file, root, f"{layer}/{name}", h5py.Dataset))


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Reads a list of names, in one attribute or in its numbered parts."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts, number = [], 0
        while f"{attribute}{number}" in group.attrs:
            parts.append(group.attrs[f"{attribute}{number}"])
            number += 1
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for part in parts for name in part]


def _inside(file: MappedFile, root: h5py.Group, name: str, kind: type):
    """Walks to a group or dataset step by step, through links that stay in the file only."""
    here = root
    for step in name.split("/"):
        if not isinstance(here, h5py.Group) or not isinstance(here.get(step, getlink=True), h5py.HardLink):
            raise CheckpointFileError(f"{file.path}: {name!r} is absent or a link elsewhere. Fetch the file again.")
        here = here[step]
    if not isinstance(here, kind):
        raise CheckpointFileError(f"{file.path}: {name!r} is no {kind.__name__.lower()}. Fetch the file again.")
    return here


def _tensor(file: MappedFile, name: str, dataset: h5py.Dataset) -> Tensor:
    dtype, shape, start = dataset.dtype, dataset.shape, dataset.id.get_offset()
    plain = dataset.chunks is None and not dataset.external and not dataset.is_virtual and dtype.kind in "fiub"
    size = dtype.itemsize * int(np.prod(shape or (), dtype=object))
    if shape is None or len(shape) > MAX_AXES or not plain or (size and (start is None or start + size > file.size)):
        raise CheckpointFileError(
            f"{file.path}: {name!r} is compressed, outside the file, never written or of the type {dtype}; Keras "
            "writes plain numbers in one piece. Save the weights again with `model.save_weights`."
        )
    return Tensor(name, shape, dtype, lambda: file.array(dtype, shape, start), str(file.path))
