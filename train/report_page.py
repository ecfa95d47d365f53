"""A report as one HTML file with everything inside: figures, plots, tables, and the worst utterances to listen to."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from data_tools.pages import document, table
from train.edits import Confusion, Errors
from train.evaluation import Hypothesis
from train.page_parts import FOOT, LEGEND, STYLE, clip, figure, groups_table, marked, picture
from train.report import Report, frequent
from train.report_plots import draw_edits, draw_groups
from train.report_text import CONFUSION_COLUMNS, GROUP_COLUMNS, confusion_rows, counts, group_rows, kinds, percent, span

_MOST_CONFUSIONS = 20


def page(report: Report, title: str, about: Sequence[str], audio: Mapping[str, np.ndarray]) -> str:
    """Makes the page.

    Args:
        report: What to tell.
        title: What was evaluated.
        about: Lines about how.
        audio: Id -> int16 [S], of the worst utterances; those that are not there get no player.
    Returns:
        HTML.
    """
    every = report.every
    rates = (("WER", every.words, every.interval), ("CER", every.characters, report.characters_interval))
    confused = (("Words", report.words), ("Characters", report.characters))
    parts = [
        f"<h1>{escape(title)}</h1><p class=quiet>{'<br>'.join(map(escape, about))}</p>",
        f"<div class=figures>{''.join(_rate(*rate) for rate in rates)}</div><p>{escape(counts(report))}</p>",
        *_plots(report),
        *_groups(report),
        f"<div class=side>{''.join(_confusions(*some) for some in confused)}</div>",
        *(["<h2>Utterances that cost most</h2>", LEGEND] if report.worst else []),
        *(_worst(h, audio) for h in report.worst),
        FOOT,
    ]
    return document(title, parts, STYLE)


def _rate(name: str, errors: Errors, interval) -> str:
    within = f"{span(interval)} %" if interval else ""
    return figure(name, percent(errors.rate), within, f"{errors.edits} edits in {errors.length}", kinds(errors))


def _plots(report: Report) -> Iterator[str]:
    overall, small = [report.every.words.rate], (4.4, 2.6)
    plots = [picture(*small, lambda axes: draw_edits(axes, report.evaluation.hypotheses), "utterances by word edits")]
    if report.lengths:
        fill = lambda axes: draw_groups(axes, [report.lengths], overall, "length of the utterance")  # noqa: E731
        plots.append(picture(*small, fill, "WER by length"))
    yield f"<div class=side>{''.join(plots)}</div>"
    if report.speakers:
        yield picture(9.4, 2.9, lambda axes: draw_groups(axes, [report.speakers], overall, "speaker"), "WER by speaker")


def _groups(report: Report) -> Iterator[str]:
    for name, groups in (("speaker", report.speakers), ("length", report.lengths)):
        if groups:
            yield f"<h2>By {name}</h2>{groups_table((name, *GROUP_COLUMNS[1:]), group_rows(groups))}"


def _confusions(name: str, some: Sequence[Confusion]) -> str:
    rows = [[escape(cell) for cell in row] for row in confusion_rows(frequent(some)[:_MOST_CONFUSIONS])]
    more = f"<p class=quiet>... and {len(some) - len(rows)} more</p>" if len(some) > len(rows) else ""
    shown = table(CONFUSION_COLUMNS, rows) + more if rows else "<p>none</p>"
    return f"<div><h2>{name} mistaken most often</h2>{shown}</div>"


def _worst(h: Hypothesis, audio: Mapping[str, np.ndarray]) -> str:
    speaker, seconds = [h.speaker] * bool(h.speaker), [] if h.seconds is None else [f"{h.seconds:.1f} s"]
    detail = ", ".join([*speaker, *seconds, f"{h.words.edits} edits in {h.words.length} words"])
    return clip(h.id, detail, [("", marked(h.reference, h.text))], audio.get(h.id))
