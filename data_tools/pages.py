"""Pieces of what is shown to people: tables for a terminal and for a page, and pages with everything inside.

A page needs neither network nor scripts. What it says is its maker's.
"""

import base64
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from html import escape

import numpy as np
import soundfile

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1.5rem; color: #222;
  background: #fff }
h1 { font-size: 1.4rem; margin-bottom: .3rem } h2 { font-size: 1.1rem; margin: 2.5rem 0 .6rem }
table { border-collapse: collapse } th, td { padding: .2rem .7rem; text-align: left; vertical-align: top }
th { border-bottom: 1px solid #888; font-weight: 600 } tr:nth-child(even) td { background: #f6f6f6 }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 100% } audio { height: 2rem } pre { white-space: pre-wrap } pre.wrong { color: #a00 }
small, .quiet { color: #666 }
"""


def document(title: str, parts: Iterable[str], style: str = "") -> str:
    """Makes a page.

    Args:
        title: Plain text.
        parts: HTML, in order.
        style: CSS besides that of every page.
    """
    head = f"<meta charset='utf-8'><title>{escape(title)}</title><style>{_STYLE}{style}</style>"
    return f"<!DOCTYPE html>\n<html lang='en'><head>{head}</head><body>\n" + "\n".join(parts) + "\n</body></html>\n"


def inline(kind: str, data: bytes) -> str:
    """Gives a URL that holds the data itself.

    >>> inline("text/plain", b"hi")
    'data:text/plain;base64,aGk='
    """
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Makes a table of cells that are HTML already; columns of numbers are set to the right."""
    rows = [list(row) for row in rows]
    numbers = _of_numbers(rows) or [False] * len(header)

    def line(tag, cells):
        return "".join(f"<{tag}{' class=n' * right}>{cell}</{tag}>" for cell, right in zip(cells, numbers, strict=True))

    return f"<table><tr>{line('th', header)}</tr>" + "".join(f"<tr>{line('td', row)}</tr>" for row in rows) + "</table>"


def _of_numbers(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Tells for each column whether there are numbers only, apart from empty cells."""
    return [any(cells) and all(_is_number(cell) for cell in cells if cell) for cells in zip(*rows, strict=True)]


def _is_number(cell: str) -> bool:
    return cell.removeprefix("&gt;= ").removeprefix(">= ").lstrip("+-\N{MINUS SIGN}")[:1].isdigit()


def player(samples: np.ndarray, rate_hz: int) -> str:
    """Makes a player of int16 samples [S]. Every browser plays MP3; it takes about 6 kB per second."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3")
    return f"<audio controls preload=none src='{inline('audio/mpeg', file.getvalue())}'></audio>"


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Sets columns for a terminal, below a header: words to the left, numbers to the right.

    >>> list(aligned([("split", "hours"), ("train", "0.25")]))
    ['split  hours', 'train   0.25']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = _of_numbers(rows[1:]) or [False] * len(widths)
    for row in rows:
        cells = zip(row, widths, [False, *numbers[1:]], strict=True)
        yield "  ".join(f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in cells).rstrip()


def shown(character: str) -> str:
    """Spells a character so that one sees it.

    >>> shown("A"), shown(" "), shown("\\u0301")
    ('A', "' '", 'U+0301')
    """
    if character == " ":
        return "' '"
    return f"U+{ord(character):04X}" if unicodedata.category(character)[0] in "CMZ" else character
