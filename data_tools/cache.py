"""Shards of a bucket kept on a local disk, for epochs after the first: up to a cap, shared by processes, never half.

A shard is fetched by TensorFlow's own client, beside its place, and moved there whole; its name says which version of
which object it is. Whether it holds what it should is found by `reader`, which asks for it again.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

_IN_USE_SECONDS = 600  # what was opened since then may be about to be read
_PART = ".part"


@dataclass(frozen=True)
class ShardCache:
    """A folder on this machine that keeps shards of buckets.

    A full folder makes room by removing what was opened longest ago, yet never what was opened in the last ten minutes,
    nor shards of the corpus that is being read: each of those comes once per epoch, so that one is worth as much as
    another. What finds no room is streamed from the bucket as if there were no cache.

    Args:
        folder: Where; made if it is not there. It may be shared by runs, corpora and processes of this machine.
        gigabytes: Most bytes of shards in it, in units of 10^9.
    Raises:
        ValueError: `gigabytes` is not positive.
    """

    folder: Path
    gigabytes: float

    def __post_init__(self):
        if self.gigabytes <= 0:
            raise ValueError(f"A cache of {self.gigabytes} GB holds nothing. Give it room, or leave it out.")

    def open(self, url: str, again: bool = False) -> str:
        """Gives the path at which a shard can be read at once; fetches it if it is not there.

        Args:
            url: The shard, "gs://bucket/folder/name".
            again: Fetch it even if it is there: it turned out to be damaged.
        Returns:
            A path in the folder; `url` itself where there is no room.
        Raises:
            OSError: The folder cannot be written to.
            tf.errors.OpError: The bucket cannot be read.
        """
        about = tf.io.gfile.stat(url)
        path = self.folder / _name(url, about.length, about.mtime_nsec)
        with self._locked(path.name):
            if again:
                path.unlink(missing_ok=True)
            if not path.exists():
                if not self._make_room(path):
                    return url
                self._fetch(url, path)
            os.utime(path)  # opened now
        return str(path)

    def _fetch(self, url: str, path: Path) -> None:
        part = path.with_name(path.name + _PART)
        try:
            tf.io.gfile.copy(url, str(part), overwrite=True)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
        except (OSError, tf.errors.OpError) as error:
            part.unlink(missing_ok=True)
            if str(part) not in str(error):  # it is about the bucket
                raise
            raise OSError(
                f"{url} could not be kept in {self.folder} ({error}). Make room there, or give the cache fewer "
                "gigabytes or another folder."
            ) from error

    def _make_room(self, path: Path) -> bool:
        """Reserves room for a file by an empty part of it; says whether there is any."""
        with self._locked("room"):
            opened = {file: file.stat().st_mtime for file in self.folder.iterdir() if _is_another(file, path)}
            used = sum(map(_bytes_of, opened)) + _bytes_of(path)
            for file in sorted(opened, key=opened.get):
                if used > self.gigabytes * 1e9 and _may_go(file, opened[file], path):
                    file.unlink(missing_ok=True)
                    used -= _bytes_of(file)
            if used > self.gigabytes * 1e9:
                return False
            path.with_name(path.name + _PART).touch()
            return True

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """Lets one thread of one process at a time pass; a process that dies lets go."""
        locks = self.folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / name).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _name(url: str, size: int, changed_nanoseconds: int) -> str:
    """Names corpus, shard, version and size: a shard written anew is another file."""
    folder, _, name = url.rpartition("/")
    corpus = hashlib.sha256(folder.encode()).hexdigest()[:16]
    return f"{corpus}-{name}-{changed_nanoseconds:x}-{size}"


def _is_another(file: Path, wanted: Path) -> bool:
    """Tells shards, whole or not, other than the wanted one from whatever else lies in the folder."""
    is_shard = re.fullmatch(rf"[0-9a-f]{{16}}-.+-[0-9a-f]+-\d+({_PART})?", file.name)
    return bool(is_shard) and file.name.removesuffix(_PART) != wanted.name


def _bytes_of(file: Path) -> int:
    return int(file.name.removesuffix(_PART).rpartition("-")[2])


def _may_go(file: Path, opened: float, wanted: Path) -> bool:
    if opened > time.time() - _IN_USE_SECONDS:
        return False
    corpus, shard = wanted.name.split("-", 1)[0], wanted.name.rsplit("-", 2)[0]
    is_stale = file.suffix == _PART or file.name.startswith(f"{shard}-")  # left by a killed run; an older version
    return is_stale or not file.name.startswith(f"{corpus}-")
