"""The three forms of a table: tab separated, CSV, and one JSON object per line; all UTF-8.

What the columns mean is left to `tabular`.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from data_tools.manifest import ManifestError
from data_tools.sources import read_text

Lines = Iterator[tuple[int, dict]]  # number in the file, column -> value
_Table = tuple[list[str] | None, Lines]


def read_lines(table: Path | str) -> _Table:
    """Reads a table: .csv, .jsonl, else tab separated without quoting (`"` is a character like any other).

    Args:
        table: The file.
    Returns:
        The header, None in a .jsonl; and the lines, each with its number, that are not empty.
    Raises:
        ManifestError: No such file, nothing in it, or not UTF-8; while the lines are taken: one that cannot be read.
    """
    return _READERS.get(Path(str(table)).suffix.lower(), _read_tsv)(_text(table), table)


def _text(table: Path | str) -> str:
    try:
        text = read_text(table)
    except FileNotFoundError:
        raise ManifestError(f"{table}: no such manifest. Check --manifest.") from None
    except ValueError as error:
        raise ManifestError(str(error)) from error
    if not text.strip():
        raise ManifestError(f"{table} is empty. It needs a header and one line per recording.")
    return text


def _lines(text: str) -> Iterator[tuple[int, str]]:
    lines = text.replace("\r\n", "\n").split("\n")  # not splitlines: U+2028 is a character like any other
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _read_tsv(text: str, table: Path | str) -> _Table:
    lines = _lines(text)
    header = next(lines)[1].split("\t")
    rows = ((number, line.split("\t")) for number, line in lines)
    return header, _zipped(table, header, rows, "a tab inside the transcript")


def _read_csv(text: str, table: Path | str) -> _Table:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)

    def lines() -> Iterator[tuple[int, list[str]]]:
        try:
            yield from ((reader.line_num, line) for line in reader if line)
        except csv.Error as error:
            where = f"{table}, line {reader.line_num}"
            raise ManifestError(f"{where}: {error}. Look for a quote that is not closed or not doubled.") from error

    rows = lines()
    header = next(rows)[1]
    return header, _zipped(table, header, rows, "a comma without quotes around the field")


def _zipped(table: Path | str, header: list[str], rows: Iterator[tuple[int, list[str]]], cause: str) -> Lines:
    for number, fields in rows:
        if len(fields) != len(header):
            raise ManifestError(
                f"{table}, line {number}: {len(fields)} columns, the header names {len(header)}. "
                f"Look for {cause}, or a missing one."
            )
        yield number, dict(zip(header, fields, strict=True))


def _read_jsonl(text: str, table: Path | str) -> _Table:
    return None, _objects(text, table)


def _objects(text: str, table: Path | str) -> Lines:
    for number, line in _lines(text):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ManifestError(f"{table}, line {number} is not JSON ({error}). Write one object per line.") from error
        if not isinstance(row, dict):
            raise ManifestError(f"{table}, line {number} is no object but {line[:40]!r}. Write one object per line.")
        yield number, row


_READERS: dict[str, Callable[[str, Path | str], _Table]] = {".csv": _read_csv, ".jsonl": _read_jsonl}
