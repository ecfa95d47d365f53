"""gs:// folders: the chosen files are copied to this machine. The one importer of gcsfs.

What a source is, and which files of it are wanted, is `remote`'s and the callers' business.
"""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from wav2vec2_tf.waiting import within

REACH_SECONDS = 4
_LIST_SECONDS = 30  # the search for credentials asks Google's metadata server, which takes 15 where there is none


def fetch(url: str, choose: Callable[[list[str]], Iterable[str]]) -> tuple[Path, tuple[str, ...]]:
    """Copies the chosen files of a folder in a bucket into a new temporary folder.

    Args:
        url: "gs://bucket/folder", or one file, which is its own choice.
        choose: Picks from the names of the files that lie in the folder itself.
    Returns:
        The temporary folder, which is the caller's to remove, and the names of the files in it.
    Raises:
        FileNotFoundError: There is no such bucket or folder.
        PermissionError: There are no credentials, or they do not let one read it.
        ConnectionError: The storage cannot be reached, or a download broke off.
        OSError: The temporary folder cannot be written.
    """
    place = url.removeprefix("gs://").strip("/")
    try:
        _reach()
        storage, listed = within(_LIST_SECONDS, lambda: _list(place))
    except Exception as error:
        raise _explained(error, url) from error
    sizes = {item["name"].rpartition("/")[2]: item["size"] for item in listed if item["type"] == "file"}
    if [item["name"] for item in listed] == [place]:
        place, names = place.rpartition("/")[0], tuple(sizes)
    else:
        names = tuple(choose(sorted(sizes)))
    folder = Path(tempfile.mkdtemp(prefix="wav2vec2_tf-"))
    try:
        for name in names:
            _copy(storage, f"{place}/{name}", folder / name, sizes[name])
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, Exception):
            raise _explained(error, url) from error
        raise
    return folder, names


def _reach() -> None:
    """Raises OSError where there is no network, which gcsfs takes a minute to notice."""
    universe = os.environ.get("GOOGLE_CLOUD_UNIVERSE_DOMAIN") or "googleapis.com"
    host = os.environ.get("STORAGE_EMULATOR_HOST") or f"https://storage.{universe}"
    address = urlsplit(host if "://" in host else f"http://{host}")
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    within(REACH_SECONDS, lambda: socket.create_connection((address.hostname, port), REACH_SECONDS).close())


def _list(place: str):
    storage = _gcsfs().core.GCSFileSystem(access="read_only", use_listings_cache=False, skip_instance_cache=True)
    listed = storage.ls(place, detail=True) if place else []
    if not listed:
        raise FileNotFoundError(place)
    return storage, listed


def _copy(storage, source: str, target: Path, num_bytes: int) -> None:
    storage.get_file(source, str(target))
    if target.stat().st_size != num_bytes:
        raise ConnectionError(f"{source} came with {target.stat().st_size} of {num_bytes} bytes")


def _explained(error: Exception, url: str) -> Exception:
    if isinstance(error, ImportError):
        return error
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"There is no bucket or folder {url}. `gcloud storage ls` lists those you may read.")
    if getattr(error, "code", None) in (401, 403) or str(error).startswith("Forbidden"):
        return PermissionError(
            f"{url} may not be read with these credentials, or without any ({_first_line(error)}). Run `gcloud auth "
            f"application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS."
        )
    if isinstance(error, OSError) and error.filename:  # a full disk, say
        return error
    return ConnectionError(
        f"{url} could not be fetched ({_first_line(error)}). Nothing of it was kept. Check the network; run it again."
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _gcsfs():
    try:
        import gcsfs.core
    except ImportError as error:
        raise ImportError("Reading gs:// needs gcsfs: pip install 'wav2vec2-tf[gcs]'.") from error
    logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it prints the traceback of every error it raises
    return gcsfs
