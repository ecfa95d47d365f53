"""gs:// folders: the chosen files are copied into a temporary folder. The one importer of gcsfs."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def fetch(url: str, choose: Callable[[list[str]], Iterable[str]]) -> tuple[Path, tuple[str, ...]]:
    """Copies the chosen files of a folder in a bucket to this machine.

    Args:
        url: "gs://bucket/folder".
        choose: Picks from the names of the files that lie in the folder itself.
    Returns:
        A new temporary folder, which is the caller's to remove, and the names of the files in it.
    Raises:
        FileNotFoundError: There is no such bucket or folder.
        PermissionError: There are no credentials, or they do not let one read it.
        ConnectionError: The storage cannot be reached, or a download broke off.
    """
    files, place = _filesystem(url), url.removeprefix("gs://").rstrip("/")
    try:
        listed = files.ls(place, detail=True)
    except Exception as error:
        raise _explained(error, url) from error
    names = tuple(choose(sorted(os.path.basename(item["name"]) for item in listed if item["type"] == "file")))
    folder = Path(tempfile.mkdtemp(prefix="wav2vec2_tf-"))
    try:
        for name in names:
            files.get_file(f"{place}/{name}", str(folder / name), consistency="md5")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(error, Exception):
            raise
        raise _explained(error, url) from error
    return folder, names


def _explained(error: Exception, url: str) -> OSError:
    return ConnectionError(f"{url} cannot be read ({error}). Check the address, the network and the credentials.")


def _filesystem(url: str):
    try:
        import gcsfs
    except ImportError as error:
        raise ImportError(f"{url}: reading gs:// needs gcsfs: pip install 'wav2vec2-tf[gcs]'.") from error
    return gcsfs.GCSFileSystem(use_listings_cache=False)
