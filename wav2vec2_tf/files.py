"""Single files that appear whole or not at all, and JSON read with a clear error.

Whole folders (checkpoints) are `train.checkpoints`' business, shards `data_tools.writer`'s.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def make_folder(folder: str | Path) -> Path:
    """Makes a local folder, if it is not there.

    Raises:
        ValueError: It is a URL.
        OSError: It cannot be made.
    """
    if re.match(r"\w\w+:/", str(folder)):
        raise ValueError(f"{folder} is no local folder. Write to one, and copy it from there (gcloud storage cp -r).")
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes a file beside its place, and moves it there once it is safely on disk.

    Args:
        path: Where the file shall appear; one that is there is replaced.
        write: Writes the content to the path it is given.
    Raises:
        OSError: It cannot be written, as when the disk is full; what was at `path` is still there.
    """
    write_together({path: write})


def write_together(writers: Mapping[Path, Callable[[Path], Any]]) -> None:
    """Writes files that belong together: all of them appear, or what was there before stays.

    Args:
        writers: Place of each file -> what writes its content to the path it is given. Put the file without which
            nobody reads the others last: it is away while they are replaced.
    Raises:
        OSError: One cannot be written; what was there is still there.
    """
    parts = {path: path.with_name(path.name + ".part") for path in writers}
    try:
        for path, write in writers.items():
            _write_part(path, parts[path], write)
        if len(parts) > 1:
            next(reversed(parts)).unlink(missing_ok=True)  # an end between two moves leaves nothing that loads
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _write_part(path: Path, part: Path, write: Callable[[Path], Any]) -> None:
    try:
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno and not error.filename:
            error.filename = str(path)  # a full disk does not say where
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file in UTF-8, whole or not at all; raises OSError as `write_whole`."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON object in UTF-8, in the order of its keys, whole or not at all; raises as `write_whole`."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Reads a JSON object; an absent file reads as an empty one.

    Raises:
        ValueError: The file is not JSON, or holds something else than an object.
    """
    if not path.is_file():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not valid JSON ({error}). Fetch or write the file again.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a JSON {type(values).__name__}; an object {{...}} belongs there.")
    return values
