"""Single files that appear whole or not at all, and JSON read with a clear error.

Whole folders (checkpoints) are `train.checkpoints`' business, shards `data_tools.writer`'s.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes a file beside its place, and moves it there once it is safely on disk.

    Args:
        path: Where the file shall appear; one that is there is replaced.
        write: Writes the content to the path it is given.
    Raises:
        OSError: It cannot be written, as when the disk is full; what was at `path` is still there.
    """
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
