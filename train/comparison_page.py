"""A comparison as one HTML file with everything inside: figures, plots, tables, and what changed most, to listen to."""

from collections.abc import Iterator, Mapping
from html import escape

import numpy as np

from data_tools.pages import document
from train.comparison import Comparison, Pair
from train.comparison_text import GROUP_COLUMNS, counts, group_rows, points, verdict
from train.page_parts import FOOT, LEGEND, STYLE, clip, figure, groups_table, marked, picture
from train.report import Group
from train.report_plots import FIRST, SECOND, draw_groups
from train.report_text import percent, span

_TITLE = "Two systems on the same utterances"


def page(comparison: Comparison, audio: Mapping[str, np.ndarray]) -> str:
    """Makes the page.

    Args:
        comparison: What to tell.
        audio: Id -> int16 [S], of the utterances in `Comparison.shown`; those that are not there get no player.
    Returns:
        HTML.
    """
    systems = zip("AB", comparison.names, comparison.every, strict=True)
    change = points(comparison.words).partition(" points")[0]
    figures = [figure(f"{letter}, WER", percent(one.words.rate), *_below(one)) for letter, _, one in systems]
    figures.append(figure("B \N{MINUS SIGN} A", change.replace("-", "\N{MINUS SIGN}"), *_difference(comparison)))
    names = zip("AB", comparison.names, (FIRST, SECOND), strict=True)
    parts = [
        f"<h1>{_TITLE}</h1><p>{'<br>'.join(_legend(*name) for name in names)}</p>",
        f"<div class=figures>{''.join(figures)}</div>",
        f"<p>{escape(verdict(comparison))}<br>{escape(counts(comparison))}.</p>",
        *_groups(comparison, "speaker", comparison.speakers),
        *_groups(comparison, "length", comparison.lengths),
        *_changed(comparison, audio),
        FOOT,
    ]
    return document(_TITLE, parts, STYLE)


def _legend(letter: str, name: str, color: str) -> str:
    return f"<span style='color: {color}'>&#9679;</span> {letter} <span class=quiet>{escape(name)}</span>"


def _below(every: Group) -> tuple[str, ...]:
    within = f"{span(every.interval)} %" if every.interval else ""
    return within, f"{every.words.edits} edits in {every.words.length}", f"CER {percent(every.characters.rate)}"


def _difference(comparison: Comparison) -> tuple[str, ...]:
    within = points(comparison.words).partition("points ")[2]
    return tuple(
        line.replace("-", "\N{MINUS SIGN}") for line in (f"points {within}", f"CER {points(comparison.characters)}")
    )


def _groups(comparison: Comparison, name: str, pair: tuple[tuple[Group, ...], tuple[Group, ...]]) -> Iterator[str]:
    if not pair[0]:
        return
    overall = [one.words.rate for one in comparison.every]
    yield f"<h2>By {name}</h2>" + picture(
        9.4, 2.9, lambda axes: draw_groups(axes, pair, overall, name), f"WER by {name}"
    )
    yield groups_table((name, *GROUP_COLUMNS[1:]), group_rows(*pair))


def _changed(comparison: Comparison, audio: Mapping[str, np.ndarray]) -> Iterator[str]:
    for what, some in zip(("gains", "loses"), comparison.shown(), strict=True):
        if some:
            yield f"<h2>Where B {what} most</h2>{LEGEND}"
            yield from (_clip(pair, audio) for pair in some)


def _clip(pair: Pair, audio: Mapping[str, np.ndarray]) -> str:
    one, other = pair.first, pair.second
    detail = ", ".join([*[one.speaker] * bool(one.speaker), f"{one.words.edits} word edits, then {other.words.edits}"])
    lines = [(letter, marked(h.reference, h.text)) for letter, h in (("A", one), ("B", other))]
    return clip(one.id, detail, lines, audio.get(one.id))
