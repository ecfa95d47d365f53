"""Folders that appear whole or not at all, on this machine or in a bucket.

Each has a marker, a file without which nobody takes it for whole. On a disk everything is written into a `.tmp`
sibling, synced and renamed. A bucket cannot rename: there the marker is taken away first and uploaded last. What the
folders hold is `checkpoints`' and `run_folder`'s business. Needs no TensorFlow.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from data_tools import gcs
from data_tools.place import Place

TMP, OLD = ".tmp", ".old"
SPARE_BYTES = 1 << 20  # configs, indices and rounding up to blocks


class CheckpointError(RuntimeError):
    """A checkpoint could not be written or read; those written before are untouched."""


def write_folder(folder: Place, marker: str, write: Callable[[Path], None], num_bytes: int) -> None:
    """Writes a folder, in the place of an older one.

    Args:
        folder: The final place. On a disk the older folder is whole until the new one is; in a bucket there is neither
            while the new one is uploaded.
        marker: Name of the file that makes it whole.
        write: Fills the local folder it is given.
        num_bytes: About what will be written, checked against the free space first.
    Raises:
        CheckpointError: The disk is full, or it cannot be written; on a disk, what was there before is still there.
    """
    with _explained(folder, num_bytes):
        if folder.is_bucket:
            with tempfile.TemporaryDirectory(prefix="wav2vec2_tf-") as local:
                _fill(Path(local), write, num_bytes)
                _upload(Path(local), folder, marker)
            return
        part = Path(str(folder) + TMP)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        _fill(part, write, num_bytes)
        for path in [*part.rglob("*"), part]:
            _sync(path)
        _move(part, folder)


def _fill(local: Path, write: Callable[[Path], None], num_bytes: int) -> None:
    if Place.of(local).free_space() < num_bytes + SPARE_BYTES:
        raise OSError(f"too little space in {local.parent}")
    write(local)


def _upload(local: Path, folder: Place, marker: str) -> None:
    new = sorted(os.listdir(local), key=lambda name: (name == marker, name))
    folder.remove(marker)
    for name in folder.list().keys() - set(new):
        folder.remove(name)
    for name in new:
        folder.upload(local / name, name)


def _move(part: Path, folder: Place) -> None:
    final, old = Path(str(folder)), Path(str(folder) + OLD)
    _bring_back(final, old)
    if final.exists():
        os.rename(final, old)
    os.rename(part, final)
    _sync(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def _bring_back(final: Path, old: Path) -> None:
    if old.exists() and not final.exists():  # interrupted between the two renames
        os.rename(old, final)
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Place) -> None:
    """Mends what an interrupted `write_folder` left: the older folder comes back, what was half written goes."""
    if not folder.is_bucket:
        _bring_back(Path(str(folder)), Path(str(folder) + OLD))
        shutil.rmtree(str(folder) + TMP, ignore_errors=True)


def remove_folder(folder: Place, marker: str) -> None:
    """Removes a folder, its marker first: what an interruption leaves is not taken for whole."""
    folder.remove(marker)
    if folder.is_bucket:
        for name in folder.list():
            folder.remove(name)
    else:
        _sync(Path(str(folder)))
        shutil.rmtree(str(folder))


def whole_folders(parent: Place, marker: str) -> list[str]:
    """Lists the names of the whole folders in a folder, in alphabetical order."""
    return [name for name, files in _folders(parent) if marker in files and not name.endswith((TMP, OLD))]


def tidy(parent: Place, marker: str) -> None:
    """Mends or removes the folders in a folder that an interruption left half written or half removed."""
    for name, _ in _folders(parent):
        if name.endswith(OLD):
            recover(Place(parent / name.removesuffix(OLD)))
    whole = whole_folders(parent, marker)
    for name, _ in _folders(parent):
        if name not in whole:
            remove_folder(Place(parent / name), marker)


def _folders(parent: Place) -> Iterator[tuple[str, set[str]]]:
    """Yields the folders in a folder, with the names of the files that lie in each."""
    if parent.is_bucket:
        paths = [name.split("/", 1) for name in gcs.files_below(str(parent)) if "/" in name]
        for folder in sorted({folder for folder, _ in paths}):
            yield folder, {name for inside, name in paths if inside == folder}
    else:
        for path in sorted(Path(str(parent)).glob("*/")):
            yield path.name, set(os.listdir(path))


@contextmanager
def _explained(folder: Place, num_bytes: int):
    try:
        yield
    except (OSError, SafetensorError) as error:
        shutil.rmtree(str(folder) + TMP, ignore_errors=True)
        free = folder.free_space()
        space = "" if free is None else f", {free:,} are free there"
        raise CheckpointError(
            f"{folder} could not be written ({error}). It takes about {num_bytes:,} bytes{space}. Free some space or "
            f"lower --keep_last, then go on with --resume; earlier checkpoints are intact."
        ) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
