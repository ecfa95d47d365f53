"""The small JSON files that travel with a checkpoint: read with a clear error, written in one form."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


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


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON object in UTF-8, in the order of its keys; the file appears whole or not at all.

    Raises:
        OSError: The file cannot be written, as when the disk is full.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
