"""Objects in a bucket: listed, read with their checksums, written whole, and tried out before hours of work.

gcsfs keeps its connections and reads many objects at once; it retries what passes by itself (408, 429, 5xx, resets,
bodies cut short). Streaming of shards is TensorFlow's (`reader`), the way into the storage `wav2vec2_tf.gcs`'s.
"""

import base64
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from wav2vec2_tf import gcs
from wav2vec2_tf.waiting import within

_TRIES = 3  # of a transfer whose checksum is wrong; gcsfs itself does not look at it, or not again
_PROBE_SECONDS = 30
_PIECE_BYTES = 5_000_000  # as many as gcsfs asks for at a time


def files(folder: str) -> dict[str, int]:
    """Lists the objects that lie in a folder itself; a folder that is not there is an empty one.

    Args:
        folder: "gs://bucket/folder".
    Returns:
        Name -> bytes.
    Raises:
        PermissionError, ConnectionError: See `wav2vec2_tf.gcs.explained`; so in all functions here.
    """
    place = _bare(folder)
    try:
        listed = _asked(folder, lambda storage: storage.ls(place, detail=True))
    except FileNotFoundError:
        return {}
    inside = [item for item in listed if item["type"] == "file" and item["name"].rpartition("/")[0] == place]
    return {name: item["size"] for item in inside if (name := item["name"].rpartition("/")[2])}


def files_below(folder: str) -> dict[str, int]:
    """Lists the objects of a folder and of all folders in it.

    Args:
        folder: "gs://bucket/folder".
    Returns:
        Name relative to the folder -> bytes.
    """
    place = _bare(folder)
    listed = _asked(folder, lambda storage: storage.find(place, detail=True))
    return {name.removeprefix(f"{place}/"): item["size"] for name, item in listed.items() if item["type"] == "file"}


def open_read(url: str) -> BinaryIO:
    """Opens one object to read here and there in it, a few megabytes at a time.

    Raises:
        FileNotFoundError: There is no such object.
    """
    return _asked(url, lambda storage: storage.open(_bare(url), "rb"))


def read(url: str) -> bytes:
    """Reads one object whole.

    Args:
        url: "gs://bucket/folder/name".
    Returns:
        Its bytes, as many and with the MD5 sum that the storage states.
    Raises:
        FileNotFoundError: There is no such object.
        ConnectionError: The transfer failed, or came with another checksum three times.
    """
    for _ in range(_TRIES):
        headers, content = _asked(url, lambda storage: storage.call("GET", storage.url(_bare(url))))
        if _is_sound(headers, content):
            return content
    raise ConnectionError(
        f"{url} came {_TRIES} times with another checksum than the storage states. Something on the way changes bytes: "
        "try another machine or network."
    )


def _is_sound(headers, content: bytes) -> bool:
    if headers.get("X-Goog-Stored-Content-Encoding", "identity") != "identity":
        return True  # decompressed on the way; gzip has a checksum of its own
    hashes = ",".join(headers.getall("X-Goog-Hash", [])).split(",")  # "crc32c=...,md5=..."
    stated = dict(item.strip().partition("=")[::2] for item in hashes)
    # an object that was put together from parts has no MD5 sum
    return stated.get("md5", _md5(content)) == _md5(content)


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def read_part(url: str, offset: int, size: int) -> bytes:
    """Reads a piece of one object, fewer bytes where it ends before; there is no checksum of a piece.

    Args:
        url: "gs://bucket/folder/name".
        offset: The piece's first byte.
        size: Its bytes.
    Raises:
        FileNotFoundError: There is no such object.
        ConnectionError: The transfer failed.
    """
    return _asked(url, lambda storage: storage.cat_file(_bare(url), start=offset, end=offset + size))


def pieces(url: str) -> Iterator[bytes]:
    """Reads one object from its begin to its end, some megabytes at a time; there is no checksum of a piece.

    Args:
        url: "gs://bucket/folder/name".
    Raises:
        FileNotFoundError: There is no such object.
        ConnectionError: The transfer failed.
    """
    with open_read(url) as file:
        if file.details.get("contentEncoding", "identity") != "identity":
            yield read(url)  # decompressed on the way; of such an object there are no pieces
            return
        while piece := _asked(url, lambda _: file.read(_PIECE_BYTES)):
            yield piece


def write(url: str, content: bytes) -> None:
    """Writes one object, which appears whole or not at all.

    Args:
        url: "gs://bucket/folder/name"; an object that is there is replaced.
        content: Its bytes.
    Raises:
        FileNotFoundError: There is no such bucket.
        ConnectionError: The transfer failed.
    """
    _asked(url, lambda storage: storage.pipe_file(_bare(url), content, consistency="md5"), "written")


def upload(local: Path, url: str) -> None:
    """Copies a finished file into a bucket and compares size and checksum with what the storage says it has.

    Args:
        local: The file.
        url: "gs://bucket/folder/name"; an object that is there is replaced.
    Raises:
        FileNotFoundError: There is no such bucket.
        ConnectionError: The transfer failed, or what arrived is not what was sent; it has been removed then.
    """
    for _ in range(_TRIES):
        if _upload(local, url):
            return
        remove(url)
    raise ConnectionError(
        f"{url} arrived {_TRIES} times with another checksum than {local} has, and was removed. Something on the way "
        "changes bytes: try another machine or network."
    )


def _upload(local: Path, url: str) -> bool:
    def put(storage):
        storage.put_file(str(local), _bare(url))
        return storage.info(_bare(url))

    stored = _asked(url, put, "written")
    with local.open("rb") as file:
        md5 = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
    return stored["size"] == local.stat().st_size and stored.get("md5Hash", md5) == md5


def remove(url: str) -> None:
    """Removes one object; one that is not there is no error."""

    def delete(storage):
        try:
            storage.rm_file(_bare(url))
        except FileNotFoundError:
            return

    _asked(url, delete, "written")


def probe(folder: str) -> None:
    """Writes, finds and removes a small object: what hours of work will need is there, or the error comes now.

    Args:
        folder: "gs://bucket/folder".
    Raises:
        FileNotFoundError: There is no such bucket.
        PermissionError: The credentials do not let one write there, or there are none.
        ConnectionError: The storage does not answer within half a minute.
    """
    url = f"{folder}/.probe-{uuid.uuid4().hex}"

    def try_out(storage):
        storage.pipe_file(_bare(url), b"probe")
        found = storage.cat_file(_bare(url))
        storage.rm_file(_bare(url))
        return found

    found = _asked(folder, lambda storage: within(_PROBE_SECONDS, lambda: try_out(storage)), "written")
    if found != b"probe":
        raise ConnectionError(f"{url} was written and reads back as {found!r}. Is a proxy in between?")


def _asked(url: str, ask: Callable[[Any], Any], verb: str = "read") -> Any:
    try:
        return ask(_storage(os.getpid()))
    except Exception as error:
        raise gcs.explained(error, url, verb) from error


@cache
def _storage(pid: int):
    """Connects once per process: a connection does not survive a fork."""
    return gcs.connect("read_write")


def _bare(url: str) -> str:
    return url.removeprefix("gs://").strip("/")
