"""Where a corpus lies: files, objects in a bucket, members of tar files; and how they are found and opened.

Decoding is left to `wav2vec2_tf.audio`, what the files mean to `manifests`, talking to the bucket to `storage`.
"""

import contextlib
import gzip
import io
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from data_tools.storage import SCHEMES, in_storage, storage_of
from wav2vec2_tf.audio import AudioError

Result = TypeVar("Result")
_IN_FLIGHT = 16  # a bucket answers slowly, but to as many as ask


@dataclass(frozen=True, slots=True)
class TarMember:
    """A recording inside an uncompressed tar file.

    Args:
        path: The tar file, or its address where it lies in a bucket.
        offset: Where the recording's first byte stands in it.
        size: Bytes of the recording.
    """

    path: str
    offset: int
    size: int


Audio = str | TarMember
"""What `Utterance.audio` may be: a path, or an address in a bucket. (A `Path` takes four times a string's memory.)"""


def is_remote(place: object) -> bool:
    """Tells what lies in a bucket from what lies on this machine.

    >>> is_remote("gs://bucket/a.flac"), is_remote(Path("a.flac")), is_remote(TarMember("gs://bucket/a.tar", 512, 9))
    (True, False, True)
    """
    place = place.path if isinstance(place, TarMember) else place
    return in_storage(place)


def is_file(audio: Audio) -> bool:
    """Tells a file of its own on this machine from what lies in a bucket or in a tar file."""
    return not isinstance(audio, TarMember) and not is_remote(audio)


def place(given: Path | str) -> Path | str:
    """Takes a path as users write it.

    >>> place("gs://bucket/corpus/"), place(Path("s3://bucket/corpus")), place("corpus/")
    ('gs://bucket/corpus', 's3://bucket/corpus', PosixPath('corpus'))

    Args:
        given: A local path, or an address; one that went through `pathlib` and lost a slash, too.
    Returns:
        A local path as a Path, else the address.
    """
    text = re.sub(f"^({'|'.join(SCHEMES)}):/+", r"\1://", str(given))
    return text.rstrip("/") if is_remote(text) else Path(text)


def join(root: Path | str, name: str) -> str:
    """Finds a recording that a manifest names.

    >>> join("gs://bucket/corpus/", "a/b.flac"), join(Path("corpus"), "gs://bucket/b.flac")
    ('gs://bucket/corpus/a/b.flac', 'gs://bucket/b.flac')

    Args:
        root: Folder that names are relative to.
        name: Relative to `root`, an absolute path, or a whole address.
    Returns:
        A path, or the address of an object in a bucket.
    """
    if is_remote(name):
        return name
    if is_remote(root) and not name.startswith("/"):
        return f"{str(root).rstrip('/')}/{name}"
    return str(Path(name if is_remote(root) else root) / name)


def read_text(place: Path | str) -> str:
    """Reads a text file, UTF-8 with or without a byte order mark.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not UTF-8.
        OSError: It cannot be read.
    """
    return _decoded(storage_of(place).read(place) if is_remote(place) else Path(place).read_bytes(), place)


def _decoded(content: bytes, place: Path | str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{place} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error


def read_texts(places: Sequence[Path | str]) -> Iterator[str]:
    """Reads text files in order, in a bucket many at once; see `read_text`."""
    return each(read_text, places)


def each(ask: Callable[[Path | str], Result], places: Sequence[Path | str]) -> Iterator[Result]:
    """Asks something of files or objects, in a bucket of many at once.

    Args:
        ask: What to do with one; in a bucket by several threads.
        places: The files or objects.
    Yields:
        What came of each, in their order.
    Raises:
        Exception: What `ask` raised for the first of them that failed.
    """
    if not (places and all(map(is_remote, places))):
        yield from map(ask, places)
        return
    with ThreadPoolExecutor(_IN_FLIGHT, "sources.each") as pool:
        yield from pool.map(ask, places)


def read_lines(place: Path | str) -> Iterator[str]:
    """Reads a text file line by line, few in memory at a time; `.gz` is unpacked.

    Raises:
        FileNotFoundError: There is no such file.
        UnicodeDecodeError: It is not UTF-8.
        OSError, EOFError: It cannot be read, is no gzip file, or ends too early for one.
    """
    remote = io.BufferedReader(_Pieces(storage_of(place).pieces(place))) if is_remote(place) else None
    with remote or open(place, "rb") as raw:
        unpacked = gzip.GzipFile(fileobj=raw) if str(place).endswith(".gz") else raw
        yield from io.TextIOWrapper(unpacked, encoding="utf-8-sig", newline="\n")


class _Pieces(io.RawIOBase):
    """Makes a file to read from pieces of bytes."""

    def __init__(self, pieces: Iterator[bytes]):
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


@contextlib.contextmanager
def open_binary(place: Path | str) -> Iterator[BinaryIO]:
    """Opens a file or an object to read here and there in it."""
    with storage_of(place).open_read(place) if is_remote(place) else open(place, "rb") as file:
        yield file


def folder_exists(folder: Path | str) -> bool:
    """Tells whether there is such a folder; one in a bucket is taken to exist, as its objects are asked for later."""
    return is_remote(folder) or Path(folder).is_dir()


def file_exists(place: Path | str) -> bool:
    """Tells whether there is such a file or object."""
    if not is_remote(place):
        return Path(place).is_file()
    folder, _, name = place.rpartition("/")
    return name in storage_of(folder).files(folder)


def find(folder: Path | str, ending: str) -> list[str]:
    """Lists the files below a folder whose names end so.

    Args:
        folder: Where to look, at any depth.
        ending: Such as ".trans.txt".
    Returns:
        Paths relative to the folder, "/" between the parts, sorted part by part.
    """
    if is_remote(folder):
        names = [name for name in storage_of(folder).files_below(folder) if name.endswith(ending)]
    else:
        names = [path.relative_to(folder).as_posix() for path in Path(folder).rglob(f"*{ending}") if path.is_file()]
    return sorted(names, key=lambda name: name.split("/"))


def open_audio(audio: Audio) -> str | bytes:
    """Gives what `wav2vec2_tf.audio.load` takes: a local file's path, or the bytes of a recording that is no file.

    Args:
        audio: See `Utterance.audio`.
    Returns:
        The path, unread, or the whole encoded recording.
    Raises:
        AudioError: There is no such object or tar file, or it ends before the recording does.
        OSError: The bucket cannot be read, whichever the recording.
    """
    if isinstance(audio, TarMember):
        return _read_member(audio)
    if not is_remote(audio):
        return audio
    try:
        return storage_of(audio).read(audio)
    except FileNotFoundError as error:
        raise AudioError(str(error), "missing_file") from error


def _read_member(member: TarMember) -> bytes:
    try:
        if is_remote(member):
            data = storage_of(member.path).read_part(member.path, member.offset, member.size)
        else:
            with open(member.path, "rb") as file:
                file.seek(member.offset)
                data = file.read(member.size)
    except FileNotFoundError as error:
        raise AudioError(f"{member.path}: no such tar file any more. Fetch it again.", "missing_file") from error
    if len(data) < member.size:
        message = (
            f"{member.path} ends {member.size - len(data)} bytes before the recording at byte {member.offset} does. "
            "Fetch the tar file again."
        )
        raise AudioError(message, "truncated")
    return data
