"""Files of torch put together by hand, instruction by instruction: for what torch itself would never write."""

import pickle
import pickletools
import struct
import zipfile
from pathlib import Path

SIX = struct.pack("<6f", *range(6))
SIX_BEHIND_THEIR_COUNT = struct.pack("<q", 6) + SIX
MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def plain(item) -> bytes:
    """Writes a plain object: what `pickle` writes of it, without beginning, end and memo."""
    made = pickle.dumps(item, 2)
    return b"".join(piece for piece in _pieces(made) if piece[:1] not in b"\x80q.")


def _pieces(made: bytes) -> list[bytes]:
    starts = [position for _, _, position in pickletools.genops(made)] + [len(made)]
    return [made[start:stop] for start, stop in zip(starts, starts[1:], strict=False)]


def name(module: str, attribute: str) -> bytes:
    """Names something, as an import would."""
    return f"c{module}\n{attribute}\n".encode()


def tuple_of(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    """Calls something with arguments that are written already."""
    return name(module, attribute) + tuple_of(*arguments) + b"R"


def dict_of(**items: bytes) -> bytes:
    return b"}(" + b"".join(plain(key) + item for key, item in items.items()) + b"u"


def storage(key="0", kind="FloatStorage", count=6, *more: bytes) -> bytes:
    return tuple_of(plain("storage"), name("torch", kind), *map(plain, (key, "cpu", count)), *more) + b"Q"


EMPTY_ORDERED_DICT = call("collections", "OrderedDict")


def tensor(shape=(2, 3), strides=(3, 1), offset=0, held=None, hooks=EMPTY_ORDERED_DICT) -> bytes:
    held = storage() if held is None else held
    return call("torch._utils", "_rebuild_tensor_v2", held, *map(plain, (offset, shape, strides, False)), hooks)


def write_zip(path: Path, pickled: bytes, members=None, folder="archive", method=zipfile.ZIP_STORED) -> Path:
    """Writes an archive as torch would: `pickled` without its end, and members in its folder."""
    members = {"byteorder": b"little", "data/0": SIX} if members is None else members
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(f"{folder}/data.pkl", b"\x80\x02" + pickled + b".")
        for member, content in members.items():
            archive.writestr(f"{folder}/{member}", content)
    return path


def write_legacy(path: Path, pickled: bytes, keys=("0",), data=SIX_BEHIND_THEIR_COUNT, head=None) -> Path:
    """Writes a file as torch before 1.6 would."""
    head = (MAGIC, 1001, MACHINE) if head is None else head
    begin = b"".join(pickle.dumps(item, 2) for item in head)
    path.write_bytes(begin + b"\x80\x02" + pickled + b"." + pickle.dumps(list(keys), 2) + data)
    return path
