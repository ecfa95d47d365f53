"""Weight files of every kind as lazy tensors with the names in the file; nothing in a file is ever executed.

What the names mean, and which files belong to a checkpoint, is the business of `dialects` and of whoever fetches.
"""

from collections.abc import Sequence
from pathlib import Path

from convert.readers.errors import CheckpointFileError
from convert.readers.keras_h5 import open_h5
from convert.readers.pickle_objects import Global, Record
from convert.readers.safetensors import open_safetensors
from convert.readers.sharded import open_shards
from convert.readers.tf_bundle import open_bundle
from convert.readers.torch_file import open_torch, read_pickle
from convert.tensors import Tensor

__all__ = ["CheckpointFileError", "Global", "Record", "open_tensors", "read_pickle"]

# ending         reader
READERS = {
    ".safetensors": open_safetensors,
    ".bin":         open_torch,
    ".pt":          open_torch,
    ".pth":         open_torch,
    ".h5":          open_h5,
    ".index":       open_bundle,
}  # fmt: skip


def open_tensors(files: Sequence[Path]) -> tuple[Tensor, ...]:
    """Lists every tensor of a checkpoint, without reading any.

    Args:
        files: One weight file, by its ending .safetensors, .bin, .pt, .pth or .h5; or an .index.json and all
            of its shards; or the .index of a checkpoint of TensorFlow, with its .data files or without.
    Returns:
        Tensors with the names in the file, in its order. Reading one maps its own part of the file and copies nothing;
        the memory is free again when the array is dropped. Each array that is held keeps a file open.
    Raises:
        CheckpointFileError: A file is absent, truncated, damaged, hostile or of another kind than its name says, or
            the shards are not those of the index. The message says what the file seems to be.
    """
    files = [Path(file) for file in files]
    indexes = [file for file in files if file.name.endswith(".index.json")]
    if len(indexes) == 1:
        return open_shards(indexes[0], [file for file in files if file not in indexes], _open)
    if len(files) > 1:  # the .index of TensorFlow finds its data by itself
        files = [file for file in files if not file.suffix.startswith(".data-")]
    if len(files) != 1:
        listed = ", ".join(file.name for file in files) or "none"
        raise CheckpointFileError(
            f"A checkpoint is one weight file, or one .index.json and its shards; given: {listed}."
        )
    return _open(files[0])


def _open(path: Path) -> tuple[Tensor, ...]:
    if path.suffix not in READERS:
        raise CheckpointFileError(f"{path} is no weight file; known endings are {', '.join(READERS)}.")
    return READERS[path.suffix](path)
