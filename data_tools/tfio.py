"""s3:// and az:// by tensorflow-io, asked in the same words as `gcs` is; the one importer of tensorflow_io.

TensorFlow opens these addresses once `load` has been called. What the native code says is not always so: on s3:// a
bucket that cannot be reached is an absent folder, on az:// an absent file an empty folder; `_check_bucket` finds out.
Which address is whose is `storage`'s business, streaming of shards `reader`'s.
"""

import contextlib
import ctypes
import os
import re
import sys
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from wav2vec2_tf.waiting import within

_IN_FLIGHT = 16
_PIECE_BYTES = 16_000_000
# 26 buffers of each kind are kept, by default of 50 MB
_PART_BYTES = {"S3_MULTI_PART_DOWNLOAD_CHUNK_SIZE": "2000000", "S3_MULTI_PART_UPLOAD_CHUNK_SIZE": "8000000"}
_REACH_SECONDS = 60  # the native code tries for half a minute before it gives up
_INSTALL = "pip install 'wav2vec2-tf[tfio]' in an environment of its own (it brings TensorFlow 2.16)."
_DENIED = re.compile(r"Status: 40[13]|ExpiredToken|InvalidAccessKeyId")
_WAY_OUT = {
    "s3": "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "az": "Set TF_AZURE_STORAGE_KEY to a key of the storage account",
}


def files(folder: str) -> dict[str, int]:
    """Lists the objects that lie in a folder itself: name -> bytes; see `gcs.files`."""
    return {name: size for name, size in _entries(folder) if size is not None}


def files_below(folder: str) -> dict[str, int]:
    """Lists the objects of a folder and of all folders in it: name relative to the folder -> bytes."""
    found = {}
    for name, size in _entries(folder):
        below = files_below(f"{folder}/{name}") if size is None else {"": size}
        found |= {f"{name}/{rest}" if rest else name: size for rest, size in below.items()}
    return found


def open_read(url: str) -> BinaryIO:
    """Opens one object to read here and there in it; raises FileNotFoundError where there is none."""
    read_part(url, 0, 1)
    return _gfile(url, "rb")


def read(url: str) -> bytes:
    """Reads one object whole; raises FileNotFoundError where there is none."""
    return b"".join(pieces(url))


def pieces(url: str) -> Iterator[bytes]:
    """Reads one object from its begin to its end, some megabytes at a time; see `gcs.pieces`."""
    with _explained(url), _gfile(url, "rb") as file:
        while piece := file.read(_PIECE_BYTES):  # a size is given: without one, a request that fails yields nothing
            yield piece


def read_part(url: str, offset: int, size: int) -> bytes:
    """Reads a piece of one object, fewer bytes where it ends before; raises FileNotFoundError where there is none."""
    with _explained(url), _gfile(url, "rb") as file:
        file.seek(offset)
        return file.read(size)


def write(url: str, content: bytes) -> None:
    """Writes one object, which appears whole or not at all; one that is there is replaced."""
    _send(url, (content,))


def upload(local: Path, url: str) -> None:
    """Copies a finished file into a bucket and compares the size; its bytes are the transfer's affair.

    Raises:
        ConnectionError: The transfer failed, or what arrived is of another size; it has been removed then.
    """
    with local.open("rb") as file:
        _send(url, iter(lambda: file.read(_PIECE_BYTES), b""))
    sent, size = local.stat().st_size, _size(url)
    if size != sent:
        remove(url)
        raise ConnectionError(f"{url} arrived with {size} of {sent} bytes and was removed. Run it again.")


def _send(url: str, pieces: Iterable[bytes]) -> None:
    # Not gfile.copy: az:// takes a name that is new for a folder, and copies into that.
    with _explained(url, "written"):
        _check_container(url)
        with _gfile(url, "wb") as file:
            for piece in pieces:
                file.write(piece)


def remove(url: str) -> None:
    """Removes one object; one that is not there is no error."""
    with contextlib.suppress(FileNotFoundError), _explained(url, "written"):
        load().io.gfile.remove(url)


def probe(folder: str) -> None:
    """Writes, finds and removes a small object, or tells at once why that cannot be; see `gcs.probe`."""
    url = f"{folder}/.probe-{uuid.uuid4().hex}"
    write(url, b"probe")
    found = read(url)
    remove(url)
    if found != b"probe":
        raise ConnectionError(f"{url} was written and reads back as {found!r}. Is a proxy in between?")


@cache
def load() -> ModuleType:
    """Lets TensorFlow open s3:// and az:// in this process; gives TensorFlow.

    Raises:
        ImportError: tensorflow-io is missing, or is not for this TensorFlow.
    """
    for name, size in _PART_BYTES.items():  # read at the first use
        os.environ.setdefault(name, size)
    try:
        import tensorflow as tf
        import tensorflow_io
    except ImportError as error:
        raise ImportError(f"s3:// and az:// need tensorflow-io: {_INSTALL}") from error
    if not {"s3", "az"} <= set(tf.io.gfile.get_registered_schemes()):
        versions = f"tensorflow-io {tensorflow_io.__version__} does not work with TensorFlow {tf.__version__}"
        raise ImportError(f"{versions}: s3:// and az:// need {_INSTALL}")
    if sys.platform == "linux":
        # What the native code does when a process ends normally aborts it. Python is done by then; leave at once, with
        # the status that was asked for.
        libc = ctypes.CDLL(None)
        libc.on_exit(libc._exit, None)
    return tf


def _gfile(url: str, mode: str) -> Any:
    return load().io.gfile.GFile(url, mode)


def _entries(folder: str) -> list[tuple[str, int | None]]:
    """Lists what lies in a folder: name, bytes (None for a folder)."""
    root = folder.rstrip("/") + "/"
    try:
        with _explained(folder):
            names = [name.rstrip("/") for name in load().io.gfile.listdir(root)]
    except FileNotFoundError:
        return []
    with ThreadPoolExecutor(_IN_FLIGHT) as pool:
        return list(zip(names, pool.map(lambda name: _size(root + name), names), strict=True))


def _size(url: str) -> int | None:
    with _explained(url):
        found = load().io.gfile.stat(url)
    return None if found.is_directory else found.length


@contextlib.contextmanager
def _explained(url: str, verb: str = "read") -> Iterator[None]:
    """Puts what the native code raises into words, as `wav2vec2_tf.gcs.explained` does for gs://."""
    try:
        load()
        _reach(_bucket(url))
        yield
    except (ImportError, FileNotFoundError, PermissionError, ConnectionError):
        raise
    except Exception as error:
        raise _in_words(error, url, verb) from error


def _in_words(error: Exception, url: str, verb: str) -> Exception:
    if _is_absence(error):
        try:  # said of all that cannot be asked, too: is the bucket there to be asked?
            _check_bucket(_bucket(url))
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is the answer
            error = reason
        else:
            return FileNotFoundError(f"There is no bucket, folder or file {url}.")
    told = str(error).strip().partition("\n")[0] or type(error).__name__
    if isinstance(error, _tf_errors("PermissionDeniedError", "UnauthenticatedError")) or _DENIED.search(told):
        way_out = _WAY_OUT[url.partition("://")[0]]
        return PermissionError(f"{url} may not be {verb} with these credentials, or without any ({told}). {way_out}.")
    return ConnectionError(
        f"{url} could not be {verb} ({told}). Nothing of it was kept. Check the network; run it again."
    )


def _is_absence(error: Exception) -> bool:
    return isinstance(error, _tf_errors("NotFoundError")) or "Status: 404" in str(error)


def _tf_errors(*names: str) -> tuple[type, ...]:
    return tuple(getattr(load().errors, name) for name in names)


@cache
def _reach(bucket: str) -> None:
    """Asks once per process whether the storage answers; a silent one would be waited for at length each time."""
    within(_REACH_SECONDS, lambda: _check_bucket(bucket))


def _check_bucket(bucket: str) -> None:
    """Raises what keeps one from reading a bucket; these two questions are answered as the storage means it."""
    try:
        if bucket.startswith("s3://"):
            load().io.gfile.stat(f"{bucket}/")
        else:
            _gfile(f"{bucket}/.none", "rb").read(1)
    except Exception as error:
        if not _is_absence(error):
            raise


def _check_container(url: str) -> None:
    """Raises FileNotFoundError where an az:// container is absent: to write into one would end the process."""
    if url.startswith("az://") and not load().io.gfile.isdir(_bucket(url)):
        raise FileNotFoundError(f"There is no container {_bucket(url)}. Make it first.")


def _bucket(url: str) -> str:
    """Cuts an address after its bucket.

    >>> _bucket("s3://bucket/folder/name"), _bucket("az://account/container/name")
    ('s3://bucket', 'az://account/container')
    """
    return "/".join(url.split("/")[: 4 if url.startswith("az://") else 3])
