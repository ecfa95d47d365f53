"""Arrays that lie in a file and are mapped when they are asked for: nothing is read or copied before its use.

What lies where, the readers of the formats know; here only bounds are kept.
"""

import math
import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convert.readers.errors import CheckpointFileError, size_of

MAX_AXES = 32


@dataclass(frozen=True)
class MappedFile:
    """A file as it was when it was opened.

    Args:
        path: The file.
        size: Its bytes.
        modified_ns: When it was written last.
    """

    path: Path
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "MappedFile":
        """Looks at a file; raises CheckpointFileError as `size_of`."""
        return cls(path, size_of(path), path.stat().st_mtime_ns)

    def array(
        self, dtype: np.dtype, shape: tuple[int, ...], start: int, strides: tuple[int, ...] | None = None
    ) -> np.ndarray:
        """Maps one array, read only; the mapping ends with the last reference to it.

        Args:
            dtype: Type of the elements.
            shape: Its axes.
            start: Byte of the first element in the file.
            strides: Bytes from one element to the next, per axis and none negative; rows without gaps where absent.
        Returns:
            A view of the file: its pages are read when they are used, and can be dropped again at any time. Each
            array that is held keeps the file open once.
        Raises:
            CheckpointFileError: The file was changed since it was opened.
        """
        if not math.prod(shape):
            return np.empty(shape, dtype)
        strides = packed(shape, dtype.itemsize) if strides is None else strides
        stop = start + dtype.itemsize + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
        if MappedFile.of(self.path) != self or stop > self.size:
            raise CheckpointFileError(f"{self.path} was changed while it was in use. Open the checkpoint again.")
        first = start - start % mmap.ALLOCATIONGRANULARITY
        with self.path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), stop - first, access=mmap.ACCESS_READ, offset=first)
        return np.ndarray(shape, dtype, buffer=mapped, offset=start - first, strides=strides)


def packed(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Gives the strides, in bytes, of an array whose rows follow each other without gaps.

    >>> packed((4, 2, 3), 4)
    (24, 12, 4)
    """
    return tuple(itemsize * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
