"""What the pickles of torch may name, and the tensors made of it: the allow-list of the readers of .bin and .pt.

A pickle holds no data. It refers to storages, runs of elements that lie elsewhere in the file, and describes tensors
as windows on them: offset, shape and strides, in elements.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from convert.readers.dtypes import STORAGES, TORCH
from convert.readers.mapped import MAX_AXES, MappedFile
from convert.readers.pickle_objects import Global, PickleError, Record, Rules
from convert.tensors import Tensor

UNTYPED = {"torch.storage.UntypedStorage", "torch.UntypedStorage"}

# Settings, dictionaries and counters inside the checkpoints of fairseq and its relatives; all of them become Records.
INERT = re.compile(
    r"""( fairseq | omegaconf )(\.\w+)+
      | argparse\.Namespace | _codecs\.encode
      | collections\.( defaultdict | Counter | OrderedDict )
      | ( builtins | __builtin__ )\.( dict | list | tuple | set | frozenset | bytearray | bytes | str | unicode | int
                                    | long | float | complex | bool | object | slice | range | xrange )
      | numpy\.( dtype | ndarray | _?core\.multiarray\.( scalar | _reconstruct ) )
      | pathlib\.( PosixPath | PurePosixPath | WindowsPath | PureWindowsPath )
      | typing\.( Any | Union | Optional | List | Dict | Tuple ) | _operator\.getitem  # List[int], in omegaconf
      | torch\.( device | Size | Tensor | nn\.parameter\.Parameter )""",
    re.VERBOSE | re.ASCII,
)


@dataclass(eq=False)
class Storage:
    """A run of elements somewhere in a file.

    Args:
        key: Its name in the file.
        dtype: Type of its elements; bytes where torch left it open.
        count: Elements.
        start: Byte of the first element in the file; None until it is known.
    """

    key: str
    dtype: np.dtype
    count: int
    start: int | None = None

    def checked(self, dtype: np.dtype, count: int) -> "Storage":
        """Gives the storage itself; raises PickleError where a file describes it in another way."""
        if (self.dtype, self.count) != (dtype, count):
            raise PickleError(f"it describes its storage {self.key!r:.60} in two ways")
        return self


def rules_for(file: MappedFile, storage_of: Callable[[str, np.dtype, int], Storage]) -> Rules:
    """Gives the rules for the pickle of one file.

    Args:
        file: Where the storages lie.
        storage_of: Gives the storage of a key, an element type and a count of elements.
    Returns:
        Rules that make a `Tensor` without a name of each tensor, and Records of everything in `INERT`.
    """
    # called by torch's pickles                       answered by
    functions = {
        "collections.OrderedDict":                      _ordered_dict,
        "torch._utils._rebuild_tensor":                 partial(_tensor, file),
        "torch._utils._rebuild_tensor_v2":              partial(_tensor, file),
        "torch._utils._rebuild_tensor_v3":              partial(_retyped, file),
        "torch._utils._rebuild_parameter":              _data_of,
        "torch._utils._rebuild_parameter_with_state":   _data_of,
    }  # fmt: skip
    functions["torch._tensor._rebuild_from_type_v2"] = partial(_subclass, dict(functions))
    return Rules(functions, _inert, partial(_storage, storage_of))


def name_of(item: Any) -> str:
    """Names the type of something in a tree, for messages: never its content, which may be endless."""
    return item.class_name[:100] if isinstance(item, Record) else type(item).__name__


def _inert(name: str) -> bool:
    return name in STORAGES or name in TORCH or name in UNTYPED or INERT.fullmatch(name) is not None


def _ordered_dict(*pairs: Any) -> dict:
    if pairs:
        raise PickleError("it makes an OrderedDict as Python 2 did. Load it with torch and save it again")
    return {}


def _data_of(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise PickleError(f"it makes a parameter of something else ({name_of(data)})")
    return data


def _subclass(functions: dict[str, Callable], made_by: Any, _: Any, args: Any, __: Any) -> Tensor:
    name = made_by.name if isinstance(made_by, Global) else name_of(made_by)
    if not name.startswith("torch._utils._rebuild_") or not isinstance(args, tuple):
        raise PickleError(f"it makes a tensor by {name:.100}")
    return functions[name](*args)


def _storage(storage_of: Callable[[str, np.dtype, int], Storage], reference: Any) -> Storage:
    """Answers a reference of the pickle: ("storage", type, key, place, count), with a None behind it before 1.6."""
    if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != "storage":
        raise PickleError("it refers to something that is no storage")
    _, kind, key, _, count, *view = reference
    name = kind.name if isinstance(kind, Global) else name_of(kind)
    dtype = np.dtype("u1") if name in UNTYPED else STORAGES.get(name)
    if dtype is None:
        raise PickleError(f"it has a storage of the type {name:.100}; known are {', '.join(STORAGES)}")
    if not isinstance(key, str) or not _whole(count) or any(part is not None for part in view):
        raise PickleError("its reference to a storage is damaged")
    return storage_of(key, dtype, count)


def _whole(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _retyped(file: MappedFile, storage: Any, offset, shape, strides, _grad, _hooks, dtype: Any, *_: Any) -> Tensor:
    """Describes a tensor of a type that has no storage of its own name: a window on bytes."""
    known = TORCH.get(dtype.name) if isinstance(dtype, Global) else None
    if known is None:
        raise PickleError(f"it has a tensor of an unknown type; known are {', '.join(TORCH)}")
    return _tensor(file, storage, offset, shape, strides, dtype=known)


def _tensor(file: MappedFile, storage: Any, offset, shape, strides, *_: Any, dtype: np.dtype | None = None) -> Tensor:
    """Describes a window on a storage that lies inside it, and has no more elements: memory is never multiplied."""
    shape = shape.args[0] if isinstance(shape, Record) and shape.class_name == "torch.Size" else shape
    if not isinstance(storage, Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise PickleError("it makes a tensor of something that is no storage, no shape or no strides")
    if len(shape) != len(strides) or len(shape) > MAX_AXES or not _whole(offset, *shape, *strides):
        raise PickleError("it makes a tensor whose shape and strides do not belong together or are no whole numbers")
    dtype = storage.dtype if dtype is None else dtype
    held, count = storage.count * storage.dtype.itemsize // dtype.itemsize, math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if count and (last >= held or count > held):
        raise PickleError(
            f"its tensor of shape {shape}, strides {strides} and offset {offset} leaves its storage "
            f"{storage.key!r:.60} of {held} elements"
        )
    in_bytes = tuple(stride * dtype.itemsize for stride in strides)

    def read() -> np.ndarray:
        return file.array(dtype, shape, storage.start + offset * dtype.itemsize, in_bytes)

    return Tensor("", shape, dtype, read, str(file.path))
