"""A folder on this machine or in a bucket, asked and filled in the same way.

What goes into it is `writer`'s and `index`' business; how a bucket is spoken to, `storage`'s. Needs no TensorFlow,
except for s3:// and az://.
"""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from data_tools.storage import EXAMPLES, SCHEMES, in_storage, storage_of
from wav2vec2_tf.files import write_whole


@dataclass(frozen=True)
class Place:
    """A folder; `str(place)` is its path or URL, `place / name` that of a file in it, as TensorFlow opens it.

    Args:
        url: A path, or the address of a folder in a bucket (gs://, s3://, az://).
    """

    url: str

    @classmethod
    def of(cls, folder: "str | os.PathLike | Place") -> "Place":
        """Takes a folder as users write it.

        >>> str(Place.of("gs://bucket/shards/")), str(Place.of(Path("gs://bucket/shards")))
        ('gs://bucket/shards', 'gs://bucket/shards')

        Args:
            folder: A path, a URL (one that went through `pathlib` and lost a slash, too), or a place.
        Returns:
            The place.
        Raises:
            ValueError: It is a URL of another kind of storage, or names no bucket.
        """
        if isinstance(folder, Place):
            return folder
        text = os.fspath(folder)
        url = re.fullmatch(r"(\w\w+):/+(.*?)/*", text)
        if not url:
            return cls(text)
        if url[1] not in SCHEMES or not url[2]:
            raise ValueError(f"{text} is neither a local folder nor {EXAMPLES}. Name one of these.")
        return cls(f"{url[1]}://{url[2]}")

    def __str__(self) -> str:
        return self.url

    def __truediv__(self, name: str) -> str:
        return f"{self.url}/{name}" if self.is_bucket else os.path.join(self.url, name)

    @property
    def is_bucket(self) -> bool:
        """Says whether it is in a bucket."""
        return in_storage(self.url)

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.url).name if self.is_bucket else Path(self.url).name

    def list(self) -> dict[str, int]:
        """Lists the files that lie in the folder itself, name -> bytes; none if there is no such folder.

        Raises:
            OSError: It may not be read, or the storage cannot be reached.
        """
        if self.is_bucket:
            return storage_of(self.url).files(self.url)
        try:
            with os.scandir(self.url) as entries:
                return {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
        except FileNotFoundError:
            return {}

    def exists(self, name: str) -> bool:
        """Says whether there is a file of this name."""
        return name in self.list() if self.is_bucket else os.path.isfile(self / name)

    def read_text(self, name: str) -> str:
        """Reads a text file in UTF-8.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: It may not be read, or the storage cannot be reached.
        """
        return self.read_bytes(name).decode()

    def read_bytes(self, name: str) -> bytes:
        """Reads a file; raises as `read_text`."""
        return storage_of(self.url).read(self / name) if self.is_bucket else Path(self / name).read_bytes()

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file in UTF-8, whole or not at all; raises OSError where that fails."""
        self.write_bytes(name, text.encode())

    def write_bytes(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all; raises OSError where that fails."""
        if self.is_bucket:
            storage_of(self.url).write(self / name, content)
        else:
            write_whole(Path(self / name), lambda part: part.write_bytes(content))

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """Gives a local folder to finish files in before `upload`: the folder itself, or a temporary one for a bucket.

        Files for a bucket that are still in it at the end are removed.
        """
        if not self.is_bucket:
            os.makedirs(self.url, exist_ok=True)
            yield Path(self.url)
            return
        with tempfile.TemporaryDirectory(prefix="wav2vec2_tf-") as folder:
            yield Path(folder)

    def upload(self, local: Path, name: str) -> None:
        """Moves a finished local file here; it appears whole, with the bytes it had, or not at all.

        Args:
            local: The file; it is gone afterwards. For a local place it must be on the same disk (see `workshop`).
            name: Its name here; a file of this name is replaced.
        Raises:
            OSError: It could not be moved, or another file arrived than was sent.
        """
        if not self.is_bucket:
            with local.open("rb") as file:
                os.fsync(file.fileno())
            local.replace(self / name)
            return
        storage_of(self.url).upload(local, self / name)
        local.unlink()

    def remove(self, name: str) -> None:
        """Removes a file; one that is not there is no error."""
        if self.is_bucket:
            storage_of(self.url).remove(self / name)
        else:
            Path(self / name).unlink(missing_ok=True)

    def free_space(self) -> int | None:
        """Counts the bytes that are free; None for a bucket, which has room for all."""
        if self.is_bucket:
            return None
        folder = Path(self.url).absolute()
        return shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.is_dir())).free

    def check_writable(self) -> None:
        """Tries out writing here before hours of work; makes the folder where it is local.

        Raises:
            OSError: One cannot write here: the bucket is absent, credentials are missing, the disk is read-only ...
        """
        if self.is_bucket:
            storage_of(self.url).probe(self.url)
            return
        os.makedirs(self.url, exist_ok=True)
        tempfile.TemporaryFile(dir=self.url).close()
