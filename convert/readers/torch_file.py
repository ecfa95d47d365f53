"""pytorch_model.bin and .pt, without torch: the zip archives of torch 1.6 and later, and the plain form before.

The zip archive has one folder of any name, its files stored without compression, 64-byte aligned:

    NAME/data.pkl               the pickle; it refers to storages by KEY
    NAME/data/KEY               the bytes of one storage
    NAME/byteorder              "little" or "big"; absent before torch 2.1
    NAME/version, NAME/.format_version, NAME/.storage_alignment, NAME/.data/serialization_id     not needed

The form before 1.6 is a row of pickles (a magic number, 1001, the machine's properties, the object, the keys of its
storages) and then, in the order of the keys, for each storage: 8 bytes, its count of elements, and its elements.
"""

import io
import mmap
import struct
import zipfile
from pathlib import Path
from typing import Any

from convert.readers.errors import CheckpointFileError, not_a
from convert.readers.mapped import MappedFile
from convert.readers.pickle_machine import MAX_PICKLE_BYTES, PickleError, Rules, load
from convert.readers.torch_types import Storage, rules_for
from convert.tensors import Tensor

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LOCAL_HEADER = struct.Struct("<4s22xHH")


def read_pickle(path: Path) -> Any:
    """Reads the whole tree of objects in a file of `torch.save`, running nothing that it names.

    Args:
        path: A .bin or .pt file.
    Returns:
        dicts, lists, numbers and texts as they are; tensors as `Tensor` without a name; other objects as `Record`,
        and classes and types that are only named as `Global`.
    Raises:
        CheckpointFileError: It is no such file, is damaged, or names anything else than tensors and settings.
    """
    file = MappedFile.of(path)
    with path.open("rb") as stream:
        head = stream.read(4)
    try:
        if head[:2] == b"PK":
            return _read_zip(file)
        if head[:1] == b"\x80":
            return _read_legacy(file)
    except PickleError as error:
        raise CheckpointFileError(f"{path} cannot be read as a checkpoint of PyTorch: {error}.") from error
    raise not_a("a checkpoint of PyTorch", path)


def open_torch(path: Path) -> tuple[Tensor, ...]:
    """Lists the tensors of a state_dict, or of the one that a checkpoint holds as "model" or "state_dict".

    Args:
        path: A .bin or .pt file.
    Returns:
        Its tensors in the order of the dict, not yet read.
    Raises:
        CheckpointFileError: As `read_pickle`; or there is no state_dict in it.
    """
    tree = read_pickle(path)
    candidates = [tree, *(tree.get(key) for key in ("model", "state_dict"))] if isinstance(tree, dict) else []
    for found in candidates:
        if isinstance(found, dict) and found and all(isinstance(value, Tensor) for value in found.values()):
            return tuple(tensor.renamed(str(name)) for name, tensor in found.items())
    held = [f"{key!s:.40}: {type(value).__name__}" for key, value in tree.items()][:8] if candidates else []
    raise CheckpointFileError(
        f"{path} holds no state_dict, neither alone nor as 'model' or 'state_dict', but a {type(tree).__name__} "
        f"({', '.join(held)}). Save the model's state_dict() instead."
    )


def _read_zip(file: MappedFile) -> Any:
    try:
        with zipfile.ZipFile(file.path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if len(members) < len(archive.infolist()):
                raise PickleError("its zip archive has two files of one name")
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        if isinstance(error, PickleError):
            raise
        raise CheckpointFileError(f"{file.path} is a truncated or damaged zip ({error}). Fetch it again.") from error
    pickles = [name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise PickleError("its zip archive was not written by torch.save (no NAME/data.pkl)")
    prefix = pickles[0].removesuffix("data.pkl")
    if any(name.startswith(prefix + "code/") for name in members):
        raise PickleError("it is a TorchScript program, not a checkpoint; ask for the state_dict of its model")
    order = prefix + "byteorder"
    if order in members and _content(file, members[order], 16) != b"little":
        raise PickleError("it is big-endian. Load it with torch and save it again on a little-endian machine")

    storages = {}

    def storage_of(key: str, dtype, count: int) -> Storage:
        if key not in storages:
            start = _start(file, members, f"{prefix}data/{key}", count * dtype.itemsize)
            storages[key] = Storage(key, dtype, count, start)
        return _same(storages[key], dtype, count)

    return load(io.BytesIO(_content(file, members[pickles[0]], MAX_PICKLE_BYTES)), rules_for(file, storage_of))


def _same(storage: Storage, dtype, count: int) -> Storage:
    if (storage.dtype, storage.count) != (dtype, count):
        raise PickleError(f"it describes the storage {storage.key!r} in two ways")
    return storage


def _start(file: MappedFile, members: dict, name: str, size: int) -> int:
    if name not in members:
        raise PickleError(f"the storage {name!r} is missing in its zip archive. Fetch the file again")
    if members[name].file_size != size:
        raise PickleError(f"the storage {name!r} has {members[name].file_size} bytes, the tensors in it need {size}")
    return _offset(file, members[name])


def _offset(file: MappedFile, member: zipfile.ZipInfo) -> int:
    """Finds where the bytes of a member begin: behind its local header, whose length the directory does not tell."""
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 or member.compress_size != member.file_size:
        raise PickleError(f"{member.filename!r} in its zip archive is compressed or encrypted, which torch never does. "
                          "Save it again with torch.save")
    with file.path.open("rb") as stream:
        stream.seek(member.header_offset)
        header = stream.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise PickleError(f"{member.filename!r} in its zip archive is damaged. Fetch the file again")
    _, name, extra = LOCAL_HEADER.unpack(header)
    start = member.header_offset + LOCAL_HEADER.size + name + extra
    if start + member.file_size > file.size:
        raise PickleError(f"{member.filename!r} in its zip archive ends behind the file. Fetch the file again")
    return start


def _content(file: MappedFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    if member.file_size > limit:
        raise PickleError(f"{member.filename!r} in its zip archive has {member.file_size} bytes, more than {limit}")
    start = _offset(file, member)
    with file.path.open("rb") as stream:
        stream.seek(start)
        return stream.read(member.file_size)


def _read_legacy(file: MappedFile) -> Any:
    storages = {}

    def storage_of(key: str, dtype, count: int) -> Storage:
        return _same(storages.setdefault(key, Storage(key, dtype, count)), dtype, count)

    with (
        file.path.open("rb") as opened,
        mmap.mmap(opened.fileno(), min(file.size, MAX_PICKLE_BYTES), access=mmap.ACCESS_READ) as stream,
    ):
        plain = Rules({}, lambda name: False, lambda reference: None)
        if load(stream, plain) != LEGACY_MAGIC:
            raise PickleError("it is a pickle, but none that torch.save wrote")
        version, machine = load(stream, plain), load(stream, plain)
        if version != 1001 or not isinstance(machine, dict) or machine.get("little_endian") is not True:
            raise PickleError("it is of an unknown version or big-endian. Load it with torch and save it again")
        tree = load(stream, rules_for(file, storage_of))
        keys = load(stream, plain)
        _place(file, storages, keys, stream.tell())
    return tree


def _place(file: MappedFile, storages: dict[str, Storage], keys: Any, at: int) -> None:
    """Finds where each storage begins: they follow the pickles, each behind its count."""
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise PickleError("its list of storages does not fit its tensors. Fetch the file again")
    with file.path.open("rb") as stream:
        for key in keys:
            stream.seek(at)
            count, storage = int.from_bytes(stream.read(8), "little"), storages[key]
            storage.start, at = at + 8, at + 8 + storage.count * storage.dtype.itemsize
            if at > file.size or count != storage.count:
                raise PickleError(f"it is truncated or damaged at its storage {key!r}. Fetch the file again")
