"""The zip archives that torch 1.6 and later write, mapped: only the pickle inside is read when one is opened.

One folder of any name; its files are stored without compression, their content on 64-byte boundaries:

    NAME/data.pkl               the pickle, which refers to storages by KEY
    NAME/data/KEY               the elements of one storage
    NAME/byteorder              "little" or "big"; absent before torch 2.1
    NAME/version, NAME/.format_version, NAME/.storage_alignment, NAME/.data/serialization_id      not needed here
"""

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convert.readers.mapped import MappedFile
from convert.readers.pickle_machine import MAX_PICKLE_BYTES, load
from convert.readers.pickle_objects import PickleError
from convert.readers.torch_types import Storage, rules_for

LOCAL_HEADER = struct.Struct("<4s22xHH")
MAX_DIRECTORY_BYTES = 8 << 20
AGAIN = "Fetch the file again"


def read_zip(file: MappedFile) -> Any:
    """Reads the tree of objects in an archive; raises PickleError where it cannot be."""
    members = _members(file)
    archive = _Archive(file, members, _folder(members))
    if archive.folder + "byteorder" in members and archive.content("byteorder", 16) != b"little":
        raise PickleError("it is big-endian. Load it with torch and save it again on a little-endian machine")
    pickle = io.BytesIO(archive.content("data.pkl", MAX_PICKLE_BYTES))
    return load(pickle, rules_for(file, archive.storage))


class _Bounded(io.FileIO):
    """A file that refuses to be read in one long piece, as zipfile would read a directory of any length."""

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY_BYTES:
            raise ValueError(f"a directory of {size} bytes; more than {MAX_DIRECTORY_BYTES} are not read")
        return super().read(size)


def _members(file: MappedFile) -> dict[str, zipfile.ZipInfo]:
    try:
        with _Bounded(file.path) as opened, zipfile.ZipFile(opened) as archive:
            listed = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, struct.error, NotImplementedError) as error:
        raise PickleError(f"its zip archive is truncated or damaged ({error}). {AGAIN}") from error
    members = {info.filename: info for info in listed}
    if len(members) < len(listed):
        raise PickleError(f"its zip archive has two files of one name. {AGAIN}")
    return members


def _folder(members: Mapping[str, zipfile.ZipInfo]) -> str:
    folders = [name.removesuffix("data.pkl") for name in members if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(folders) != 1:
        raise PickleError("it is a zip archive, but none that torch.save wrote (there is no NAME/data.pkl in it)")
    if any(name.startswith(folders[0] + "code/") for name in members):
        raise PickleError("it is a TorchScript program. Load it with torch.jit.load and save its state_dict()")
    return folders[0]


@dataclass(frozen=True)
class _Archive:
    """Where the members of one archive lie.

    Args:
        file: The archive.
        members: Name -> what the directory says of it.
        folder: Begins the names of all that torch wrote, with its slash.
        storages: Those that the pickle has referred to so far.
    """

    file: MappedFile
    members: Mapping[str, zipfile.ZipInfo]
    folder: str
    storages: dict[str, Storage] = field(default_factory=dict)

    def storage(self, key: str, dtype: np.dtype, count: int) -> Storage:
        """Finds a storage, and checks that it has as many bytes as the pickle says."""
        if key not in self.storages:
            start, size = self.place(f"data/{key}")
            if size != count * dtype.itemsize:
                raise PickleError(f"its storage {key!r:.60} has {size} bytes; its tensors say {count * dtype.itemsize}")
            self.storages[key] = Storage(key, dtype, count, start)
        return self.storages[key].checked(dtype, count)

    def content(self, name: str, limit: int) -> bytes:
        """Reads a small member."""
        start, size = self.place(name)
        if size > limit:
            raise PickleError(f"{name!r:.100} in its zip archive has {size} bytes; more than {limit} are not read")
        return self.bytes_at(start, size)

    def bytes_at(self, start: int, size: int) -> bytes:
        """Reads some bytes; none where the file has none."""
        if not 0 <= start < self.file.size:
            return b""
        with self.file.path.open("rb") as stream:
            stream.seek(start)
            return stream.read(size)

    def place(self, name: str) -> tuple[int, int]:
        """Finds where a member begins, and its bytes: its local header says how far behind the header that is."""
        info = self.members.get(self.folder + name)
        if info is None:
            raise PickleError(f"{name!r:.100} is missing in its zip archive. {AGAIN}")
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 or info.compress_size != info.file_size:
            raise PickleError(f"{name!r:.100} in its zip archive is compressed. Save the file again with torch.save")
        header = self.bytes_at(info.header_offset, LOCAL_HEADER.size)
        if len(header) < LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
            raise PickleError(f"{name!r:.100} in its zip archive is damaged. {AGAIN}")
        start = info.header_offset + LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack(header)[1:])
        if start + info.file_size > self.file.size:
            raise PickleError(f"{name!r:.100} in its zip archive ends behind the file. {AGAIN}")
        return start, info.file_size
