"""tf_model.h5 and other weight files of Keras 2: HDF5, whose datasets are mapped like the tensors of other files.

The root, or its group "model_weights" beside an optimizer's, has a group per layer, and in it each weight at its name:
"layer/name/of/weight:0". The attributes `layer_names` and `weight_names` repeat that (in parts, `weight_names0` and so
on, above 64 kB) and are not needed. HDF5's own library reads the structure, but no numbers: so nothing is unpacked.
Links to other files, and data that lie in them, are refused.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import h5py

from convert.readers.errors import CheckpointFileError, not_a
from convert.readers.mapped import MAX_AXES, MappedFile
from convert.tensors import Tensor

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 100_000
MAX_DEPTH = 64


def open_h5(path: Path) -> tuple[Tensor, ...]:
    """Lists the weights of a Keras weight file, without reading them.

    Args:
        path: An .h5 file as `save_weights` or `save` of Keras 2 wrote it.
    Returns:
        Tensors with the names of Keras' `weight_names`, such as "lm_head/kernel:0", layer by layer.
    Raises:
        CheckpointFileError: It is no such file, is damaged, or its datasets are not plain numbers in the file itself.
    """
    file = MappedFile.of(path)
    with path.open("rb") as stream:
        if stream.read(len(SIGNATURE)) != SIGNATURE:
            raise not_a("a weight file of Keras 2", path)
    try:
        with h5py.File(path, "r", locking=False) as opened:
            root = _root(file, opened)
            found = tuple(_walk(file, root, "", {_address(opened)}))
            layers = {name for name in root if {"weight_names", "weight_names0"} & set(_child(file, root, name).attrs)}
            return tuple(_tensor(file, _weight_name(where, layers), dataset) for where, dataset in found)
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, NotImplementedError) as error:
        if isinstance(error, CheckpointFileError):
            raise
        raise CheckpointFileError(f"{path} is a truncated or damaged HDF5 file ({error}). Fetch it again.") from error


def _root(file: MappedFile, opened: h5py.File) -> h5py.Group:
    """Finds the group of the layers, which Keras 2 marks by an attribute."""
    for name in ("", "model_weights"):
        group = _child(file, opened, name) if name in list(opened) else opened
        if {"layer_names", "layer_names0"} & set(group.attrs):
            return group
    raise CheckpointFileError(
        f"{file.path} was not written by `save_weights` of Keras 2: it has no `layer_names`. (Keras 3 writes another "
        "form, .weights.h5, which no checkpoint of wav2vec 2.0 is published in.)"
    )


def _walk(file: MappedFile, group: h5py.Group, path: str, seen: set[int]) -> Iterator[tuple[str, h5py.Dataset]]:
    for name in group:
        where, child = f"{path}{name}", _child(file, group, name)
        if _address(child) in seen or len(seen) > MAX_OBJECTS or where.count("/") > MAX_DEPTH:
            raise CheckpointFileError(f"{file.path}: {where!r:.200} is linked twice or lies too deep. Fetch it again.")
        seen.add(_address(child))
        if isinstance(child, h5py.Group):
            yield from _walk(file, child, where + "/", seen)
        else:
            yield where, child


def _weight_name(where: str, layers: set[str]) -> str:
    """Gives the name of a weight: its path within its layer; the shards of transformers have no groups of layers."""
    layer, _, name = where.partition("/")
    return name if layer in layers else where


def _address(item: h5py.HLObject) -> int:
    return h5py.h5o.get_info(item.id).addr


def _child(file: MappedFile, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset:
    """Follows one link, if it stays in the file."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise CheckpointFileError(f"{file.path}: {name!r:.200} is a link to elsewhere, which Keras never writes.")
    child = group[name]
    if not isinstance(child, h5py.Group | h5py.Dataset):
        raise CheckpointFileError(f"{file.path}: {name!r:.200} is neither a group nor a dataset. Fetch the file again.")
    return child


def _tensor(file: MappedFile, name: str, dataset: h5py.Dataset) -> Tensor:
    dtype, shape, layout = dataset.dtype, dataset.shape, dataset.id.get_create_plist()
    plain = layout.get_layout() == h5py.h5d.CONTIGUOUS and not layout.get_external_count() and dtype.kind in "fiub"
    if not plain or shape is None or len(shape) > MAX_AXES:
        raise CheckpointFileError(
            f"{file.path}: {name!r:.200} of type {dtype} is compressed, in another file or no plain number, and Keras "
            "writes none of these. Save the weights again with `model.save_weights`."
        )
    start, size = dataset.id.get_offset(), math.prod(shape) * dtype.itemsize
    if size and (start is None or start + size > file.size):
        raise CheckpointFileError(f"{file.path}: {name!r:.200} was not written, or not whole. Fetch the file again.")
    return Tensor(name, shape, dtype, lambda: file.array(dtype, shape, start), str(file.path))
