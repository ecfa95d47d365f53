"""The files that torch wrote before 1.6, and later when asked to: five pickles, then the elements of the storages.

The pickles: a magic number, the version 1001, the properties of the machine, the object, the keys of its storages.
Then, in the order of the keys, each storage: its count of elements in 8 bytes, and the elements.
"""

import mmap
from typing import Any

import numpy as np

from convert.readers.mapped import MappedFile
from convert.readers.pickle_machine import MAX_PICKLE_BYTES, load
from convert.readers.pickle_objects import PickleError, Rules
from convert.readers.torch_types import Storage, rules_for

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


def read_legacy(file: MappedFile) -> Any:
    """Reads the tree of objects in a file; raises PickleError where it cannot be."""
    storages = {}

    def storage_of(key: str, dtype: np.dtype, count: int) -> Storage:
        return storages.setdefault(key, Storage(key, dtype, count)).checked(dtype, count)

    length = min(file.size, MAX_PICKLE_BYTES)
    with file.path.open("rb") as opened, mmap.mmap(opened.fileno(), length, access=mmap.ACCESS_READ) as stream:
        if load(stream, PLAIN) != MAGIC:
            raise PickleError("it is a pickle, but none that torch.save wrote")
        version, machine = load(stream, PLAIN), load(stream, PLAIN)
        if version != VERSION or not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise PickleError("it is of an unknown version or big-endian. Load it with torch and save it again")
        tree = load(stream, rules_for(file, storage_of))
        _place(file, storages, load(stream, PLAIN), stream.tell())
    return tree


def _nothing_outside(_: Any) -> None:
    raise PickleError("it refers to a storage where none belongs")


PLAIN = Rules({}, lambda name: False, _nothing_outside)


def _place(file: MappedFile, storages: dict[str, Storage], keys: Any, at: int) -> None:
    """Finds where each storage begins, walking from count to count."""
    plain = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
    if not plain or sorted(keys) != sorted(storages):
        raise PickleError("its list of storages does not fit its tensors. Fetch the file again")
    with file.path.open("rb") as stream:
        for key in keys:
            stream.seek(at)
            count, storage = int.from_bytes(stream.read(8), "little"), storages[key]
            storage.start = at + 8
            at = storage.start + storage.count * storage.dtype.itemsize
            if at > file.size or count != storage.count:
                raise PickleError(f"it is truncated or damaged at its storage {key!r:.60}. Fetch the file again")
