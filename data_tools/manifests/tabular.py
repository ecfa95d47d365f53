"""Tables of recordings (TSV, CSV, JSONL), with the columns under our names or under others.

    path  transcript  [speaker]  [split]  [id]  [start]  [duration]  [channel]

Other columns are ignored. The forms of a table are left to `tables`, folders with tables in them to `audio_folder` and
`common_voice`.
"""

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from data_tools.manifest import DEFAULT_SPLIT, ManifestError, Utterance, check_split
from data_tools.manifests.tables import read_lines
from data_tools.sources import folder_exists, join

REQUIRED_COLUMNS = ("path", "transcript")
COLUMNS = (*REQUIRED_COLUMNS, "speaker", "split", "id", "start", "duration", "channel")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Args:
        where: The table and the line, for messages.
        fields: Column (one of COLUMNS) -> what the line has there.
    """

    where: str
    fields: dict[str, str]


def read_table(table: Path | str, audio_root: Path | str, columns: Mapping[str, str] | None = None) -> list[Utterance]:
    """Reads a table, UTF-8: .csv, .jsonl, else tab separated without quoting (`"` is a character like any other).

    Args:
        table: The file.
        audio_root: Folder that the paths are relative to.
        columns: Our name -> the table's name, where they differ.
    Returns:
        One utterance per line, in order. Without an `id` column the path is the id, with start, duration and channel
        where the line has them; an empty split is "train".
    Raises:
        ManifestError: No such file or folder, no line, not UTF-8, a column missing, or a line that cannot be read.
    """
    rows = read_rows(table, columns or {})
    first = next(rows, None)  # complaints about the table come before those about the folder
    if first is None:
        raise ManifestError(f"{table} has a header and no utterance. Add one line per recording.")
    if not folder_exists(audio_root):
        raise ManifestError(f"--audio_root {audio_root} is not a folder. Name the folder the paths are relative to.")
    return [to_utterance(row, audio_root) for row in chain((first,), rows)]


def read_rows(table: Path | str, columns: Mapping[str, str]) -> Iterator[Row]:
    """Reads the lines of a table, with our names for the columns.

    Args:
        table: The file.
        columns: Our name -> the table's name, where they differ.
    Returns:
        The lines in order.
    Raises:
        ManifestError: See `read_table`.
    """
    unknown = [name for name in columns if name not in COLUMNS]
    if unknown:
        raise ManifestError(f"--columns names {unknown[0]!r}; it may name {', '.join(COLUMNS)}.")
    names = {name: columns.get(name, name) for name in COLUMNS}
    header, lines = read_lines(table)
    if header is not None:
        _check_header(table, header, [names[name] for name in COLUMNS if name in REQUIRED_COLUMNS or name in columns])
    for number, line in lines:
        yield _row(f"{table}, line {number}", line, names)


def to_utterance(row: Row, audio_root: Path | str, folder: str = "", split: str = DEFAULT_SPLIT) -> Utterance:
    """Makes an utterance of a line.

    Args:
        row: The line.
        audio_root: Folder that `folder` is relative to.
        folder: Folder that the line's path is relative to.
        split: For lines that name none.
    Raises:
        ManifestError: The split is no name, a time no number, or a channel no count.
    """
    fields = row.fields
    path = f"{folder}/{fields['path']}" if folder else fields["path"]
    start, duration = (_seconds(fields.get(name, ""), name, row.where) for name in ("start", "duration"))
    channel = _channel(fields.get("channel", ""), row.where)
    return Utterance(
        id=fields.get("id") or path + _piece(start, duration, channel),
        audio=join(audio_root, path),
        text=fields["transcript"],
        speaker=sys.intern(fields.get("speaker", "")),  # one string for all of a speaker's utterances
        split=sys.intern(check_split(fields.get("split") or split, row.where)),
        source=path,
        start_seconds=start or 0.0,
        duration_seconds=duration,
        channel=channel,
    )


def _piece(start: float | None, duration: float | None, channel: int | None) -> str:
    since = "" if start is None and duration is None else f"@{start or 0:.10g}"
    return since + ("" if duration is None else f"+{duration:.10g}") + ("" if channel is None else f"#{channel}")


def _check_header(table: Path | str, header: list[str], wanted: list[str]) -> None:
    missing = [name for name in wanted if name not in header]
    if missing:
        raise ManifestError(
            f"{table} has no column {' and no column '.join(missing)}; its header reads {', '.join(header)}. "
            "Name the columns on the first line, or say with --columns what they are called."
        )


def _row(where: str, line: dict, names: dict[str, str]) -> Row:
    for name in REQUIRED_COLUMNS:
        if line.get(names[name]) is None:
            raise ManifestError(
                f"{where} has no {names[name]!r}; it has {', '.join(line)}. "
                f"Add it, or say with --columns {{{name}: ...}} what it is called."
            )
    return Row(where, {name: _as_text(line[key], key, where) for name, key in names.items() if key in line})


def _as_text(value: object, key: str, where: str) -> str:
    if isinstance(value, dict | list):
        raise ManifestError(f"{where}: {key!r} is a text or a number, not {str(value)[:40]}. Name another column.")
    return "" if value is None else str(value)


def _channel(text: str, where: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ManifestError(f"{where}: channel {text!r} is no channel. Count them from 0, or rename that column.")
    return int(text)


def _seconds(text: str, column: str, where: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (0 <= seconds < math.inf) or (column == "duration" and not seconds):
        raise ManifestError(f"{where}: {column} {text!r} is no length in seconds. Write it as in 12.5.")
    return seconds
