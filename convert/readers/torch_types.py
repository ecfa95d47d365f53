"""What the pickles of torch may name, and the tensors made of it: the allow-list of the readers of .bin and .pt.

A pickle holds no data. It refers to storages, runs of elements that lie elsewhere in the file, and describes tensors
as windows on them: offset, shape and strides, in elements.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.readers.dtypes import STORAGES, TORCH
from convert.readers.mapped import MAX_AXES, MappedFile
from convert.readers.pickle_machine import Global, PickleError, Record, Rules
from convert.tensors import Tensor

UNTYPED = {"torch.storage.UntypedStorage", "torch.UntypedStorage"}

# Settings, dictionaries and counters inside the checkpoints of fairseq and its relatives; all of them become Records.
INERT = re.compile(
    r"""( fairseq | omegaconf ) \. [\w.]+
      | argparse\.Namespace
      | collections\.( defaultdict | Counter | OrderedDict )
      | ( builtins | __builtin__ )\.( dict | list | tuple | set | frozenset | bytearray | bytes | str | unicode | int
                                    | long | float | complex | bool | object | slice | range | xrange )
      | ( numpy | numpy\._?core\.multiarray )\.( dtype | ndarray | scalar | _reconstruct )
      | pathlib\.( PosixPath | PurePosixPath | WindowsPath | PureWindowsPath )
      | typing\.( Any | Union | Optional | List | Dict | Tuple )
      | torch\.( device | Size | Tensor | strided | preserve_format | contiguous_format )
      | torch\.nn\.parameter\.Parameter
      | torch\.serialization\._get_layout""",
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


def rules_for(file: MappedFile, storage_of: Callable[[str, np.dtype, int], Storage]) -> Rules:
    """Gives the rules for the pickles of one file.

    Args:
        file: Where the storages lie.
        storage_of: Gives the storage of a key, a type and a count of elements.
    Returns:
        Rules that make `Tensor`s without a name, and Records of everything else in `INERT`.
    """

    def tensor(storage: Storage, offset: int, shape, strides, *_: Any) -> Tensor:
        return _tensor(file, storage, storage.dtype if isinstance(storage, Storage) else None, offset, shape, strides)

    def typed_tensor(storage: Storage, offset: int, shape, strides, _grad, _hooks, dtype: Global, *_: Any) -> Tensor:
        return _tensor(file, storage, TORCH.get(getattr(dtype, "name", None)), offset, shape, strides)

    functions = {
        "collections.OrderedDict": lambda pairs=(): dict(_pair(pair) for pair in pairs),
        "_codecs.encode": _encode,
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_tensor_v3": typed_tensor,
        "torch._utils._rebuild_parameter": _first,
        "torch._utils._rebuild_parameter_with_state": _first,
    }
    functions["torch._tensor._rebuild_from_type_v2"] = lambda made_by, _type, args, _state: _subclass(
        functions, made_by, args
    )
    return Rules(functions, _inert, lambda reference: _storage(reference, storage_of))


def _inert(name: str) -> bool:
    return name in STORAGES or name in TORCH or name in UNTYPED or INERT.fullmatch(name) is not None


def _first(data: Tensor, *_: Any) -> Tensor:
    return data


def _pair(pair: Any) -> tuple[str, Any]:
    key, value = pair
    if not isinstance(key, str):
        raise PickleError("it makes an OrderedDict of pairs whose keys are no text")
    return key, value


def _encode(text: str, encoding: str = "utf-8") -> bytes:
    if encoding not in ("latin1", "utf-8") or not isinstance(text, str):
        raise PickleError(f"it encodes text as {encoding!r}")
    return text.encode(encoding)


def _subclass(functions: dict, made_by: Any, args: Any) -> Any:
    name = getattr(made_by, "name", "")
    if not name.startswith("torch._utils._rebuild") or not isinstance(args, tuple):
        raise PickleError(f"it makes a tensor by {name or type(made_by).__name__}")
    return functions[name](*args)


def _storage(reference: Any, storage_of: Callable[[str, np.dtype, int], Storage]) -> Storage:
    if not isinstance(reference, tuple) or len(reference) not in (5, 6) or reference[0] != "storage":
        raise PickleError("it refers to something that is no storage")
    _, kind, key, _place, count = reference[:5]
    name = getattr(kind, "name", "")
    dtype = np.dtype("u1") if name in UNTYPED else STORAGES.get(name)
    if dtype is None:
        raise PickleError(f"it has a storage of the unknown type {name!r}; known are {', '.join(STORAGES)}")
    if not isinstance(key, str) or not _whole(count) or (len(reference) == 6 and reference[5] is not None):
        raise PickleError(f"its reference to the storage {key!r:.40} is damaged")
    return storage_of(key, dtype, count)


def _whole(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value < 1 << 63 for value in values)


def _tensor(file: MappedFile, storage: Any, dtype: np.dtype | None, offset, shape, strides) -> Tensor:
    """Describes a window on a storage, after checking that it lies inside; it is mapped when it is read."""
    shape = shape.args[0] if isinstance(shape, Record) and shape.class_name == "torch.Size" else shape
    if not isinstance(storage, Storage) or dtype is None:
        raise PickleError("it makes a tensor of something that is no storage, or of an unknown type")
    if not isinstance(shape, tuple) or not isinstance(strides, tuple) or len(shape) != len(strides):
        raise PickleError("it makes a tensor whose shape and strides do not belong together")
    if len(shape) > MAX_AXES or not _whole(offset, *shape, *strides):
        raise PickleError(f"it makes a tensor of the shape {shape!r:.100} and the strides {strides!r:.100}")
    size = dtype.itemsize
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    held = storage.count * storage.dtype.itemsize // size
    if math.prod(shape) and (last >= held or math.prod(shape) > held):
        raise PickleError(
            f"its tensor of shape {shape}, strides {strides} and offset {offset} leaves its storage {storage.key!r} "
            f"of {held} elements"
        )
    in_bytes = tuple(stride * size for stride in strides)

    def read() -> np.ndarray:
        return file.array(dtype, shape, storage.start + offset * size, in_bytes)

    return Tensor("", shape, dtype, read, str(file.path))
