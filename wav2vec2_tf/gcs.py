"""gs://: a way into the storage that fails early, and folders whose chosen files are copied to this machine.

The one importer of gcsfs. What a source is, and which files of it are wanted, is `remote`'s and the callers' business;
single objects and uploads are `data_tools.gcs`'s.
"""

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from wav2vec2_tf.waiting import within

REACH_SECONDS = 4
_LIST_SECONDS = 30  # the search for credentials asks Google's metadata server, which takes 15 where there is none
_METADATA_SECONDS = 1
_REQUEST_SECONDS = 300


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
        raise explained(error, url) from error
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
            raise explained(error, url) from error
        raise
    return folder, names


def connect(access: str):
    """Finds the storage and credentials for it; both are asked for at once, so that nothing waits for them in vain.

    Args:
        access: "read_only" or "read_write".
    Returns:
        A gcsfs file system, safe to use from several threads.
    Raises:
        OSError: The storage cannot be reached.
        Exception: What gcsfs says where credentials are expired or revoked; `explained` puts it into words.
    """
    _reach()
    return within(_LIST_SECONDS, lambda: _storage(access))


def _reach() -> None:
    """Raises OSError where there is no network, which gcsfs takes a minute to notice."""
    universe = os.environ.get("GOOGLE_CLOUD_UNIVERSE_DOMAIN") or "googleapis.com"
    host = os.environ.get("STORAGE_EMULATOR_HOST") or getproxies().get("https") or f"https://storage.{universe}"
    address = urlsplit(host if "://" in host else f"http://{host}")
    port = address.port or {"http": 80, "https": 443}[address.scheme]
    within(REACH_SECONDS, lambda: socket.create_connection((address.hostname, port), REACH_SECONDS).close())


def skip_absent_metadata() -> None:
    """Sets NO_GCE_CHECK where Google's metadata server does not answer, which costs TensorFlow and gcsfs minutes."""
    if os.environ.get("NO_GCE_CHECK"):
        return
    host, _, port = (os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal").partition(":")
    try:
        address = (host, int(port or 80))
        within(_METADATA_SECONDS, lambda: socket.create_connection(address, _METADATA_SECONDS).close())
    except OSError:
        os.environ["NO_GCE_CHECK"] = "true"


def _storage(access: str):
    skip_absent_metadata()
    storage = _gcsfs().core.GCSFileSystem(
        access=access, use_listings_cache=False, skip_instance_cache=True, requests_timeout=_REQUEST_SECONDS,
        session_kwargs={"trust_env": True},  # a proxy named in https_proxy is used, as TensorFlow does
    )  # fmt: skip
    storage.credentials.maybe_refresh()  # an expired token is told now; a request would try it for half a minute
    return storage


def _list(place: str):
    storage = _storage("read_only")
    listed = storage.ls(place, detail=True) if place else []
    if not listed:
        raise FileNotFoundError(place)
    return storage, listed


def _copy(storage, source: str, target: Path, num_bytes: int) -> None:
    storage.get_file(source, str(target))
    if target.stat().st_size != num_bytes:
        raise ConnectionError(f"{source} came with {target.stat().st_size} of {num_bytes} bytes")


def explained(error: Exception, url: str, verb: str = "read") -> Exception:
    """Puts what gcsfs raised into words.

    Args:
        error: What it raised.
        url: What was asked for.
        verb: "read" or "written": what was to be done with it.
    Returns:
        The error to raise: FileNotFoundError, PermissionError or ConnectionError, or `error` where it says enough.
    """
    if isinstance(error, ImportError):
        return error
    if isinstance(error, FileNotFoundError) and not os.path.isabs(error.filename or ""):
        return FileNotFoundError(f"There is no bucket, folder or file {url}. `gcloud storage ls` lists what there is.")
    if getattr(error, "code", None) in (401, 403) or str(error).startswith("Forbidden"):
        return PermissionError(
            f"{url} may not be {verb} with these credentials, or without any ({_first_line(error)}). Run `gcloud auth "
            f"application-default login`, or name a key file in GOOGLE_APPLICATION_CREDENTIALS."
        )
    if isinstance(error, OSError) and error.filename:  # a full disk, say
        return error
    done = {"read": "fetched", "written": "written"}[verb]
    return ConnectionError(
        f"{url} could not be {done} ({_first_line(error)}). Nothing of it was kept. Check the network; run it again."
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _gcsfs():
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # costs minutes on the first upload
    try:
        import gcsfs.core
    except ImportError as error:
        raise ImportError("Reading gs:// needs gcsfs: pip install 'wav2vec2-tf[gcs]'.") from error
    logging.getLogger("gcsfs").addHandler(logging.NullHandler())  # it prints the traceback of every error it raises
    return gcsfs
