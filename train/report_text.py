"""A report in lines for a terminal, and the words that the page shows too."""

from collections.abc import Iterator, Sequence

from data_tools.pages import aligned, shown
from train.edits import Confusion, Errors, align_words
from train.evaluation import Hypothesis
from train.report import Group, Report, frequent

GROUP_COLUMNS = ("", "WER %", "95 % interval", "CER %", "utterances", "words")
CONFUSION_COLUMNS = ("said", "heard", "times", "of")
NOTHING = "(nothing)"
_MOST_ROWS = 8
_MOST_WORST = 3
_WIDTH = 100


def describe(report: Report) -> str:
    """Tells a report.

    Args:
        report: What to tell.
    Returns:
        Lines of plain text.
    """
    lines = [*headlines(report), counts(report)]
    for name, some in (("words", report.words), ("characters", report.characters)):
        rows = confusion_rows(frequent(some)[:_MOST_ROWS])
        lines += ["", f"{name} mistaken most often", *_table(CONFUSION_COLUMNS, rows, len(some))]
    for name, groups in (("speaker", report.speakers), ("length", report.lengths)):
        header, rows = (f"by {name}", *GROUP_COLUMNS[1:]), group_rows(groups[:_MOST_ROWS])
        lines += ["", *_table(header, rows, len(groups))] if groups else []
    lines += ["", "the utterances that cost most"] if report.worst else []
    return "\n".join([*lines, *(line for h in report.worst[:_MOST_WORST] for line in _side_by_side(h))])


def headlines(report: Report) -> tuple[str, str]:
    """Gives the two rates, with their intervals and what they are made of."""
    every = report.every
    return (
        f"WER {_rate(every.words, every.interval)} words: {kinds(every.words)}",
        f"CER {_rate(every.characters, report.characters_interval)} characters: {kinds(every.characters)}",
    )


def _rate(errors: Errors, interval) -> str:
    within = f" ({span(interval)} %)" if interval else ""
    return f"{percent(errors.rate)}{within}, {errors.edits} edits in {errors.length}"


def percent(rate: float) -> str:
    """Writes a rate.

    >>> percent(0.15842)
    '15.84 %'
    """
    return f"{100 * rate:.2f} %"


def kinds(errors: Errors) -> str:
    """Names the kinds of edits, with their counts."""
    return f"{errors.substitutions} substituted, {errors.deletions} deleted, {errors.insertions} inserted"


def span(interval: tuple[float, float] | None) -> str:
    """Writes an interval of rates, in percent; "" for none.

    >>> span((0.051, 0.08)), span(None)
    ('5.1 to 8.0', '')
    """
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}" if interval else ""


def counts(report: Report) -> str:
    """Says how many utterances there are, and of which kinds."""
    seconds = report.every.seconds
    parts = [f"{report.every.utterances} utterances", *([f"{seconds / 60:.1f} min"] if seconds else [])]
    parts += [f"{report.right} without an error", f"nothing heard in {report.empty_hypotheses}"]
    return ", ".join([*parts, f"nothing said in {report.empty_references}"])


def group_rows(groups: Sequence[Group]) -> list[tuple[str, ...]]:
    """Gives the cells of `GROUP_COLUMNS`."""
    return [
        (
            one.name or "(unknown)", f"{100 * one.words.rate:.1f}", span(one.interval),
            f"{100 * one.characters.rate:.1f}", str(one.utterances), str(one.words.length),
        )
        for one in groups
    ]  # fmt: skip


def confusion_rows(some: Sequence[Confusion]) -> list[tuple[str, ...]]:
    """Gives the cells of `CONFUSION_COLUMNS`; `of` is how often the word or character was said in all."""
    return [(_name(one.said), _name(one.heard), str(one.count), str(one.occurrences or "")) for one in some]


def _name(unit: str) -> str:
    return (shown(unit) if len(unit) == 1 else unit) or NOTHING


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], count: int) -> Iterator[str]:
    yield from aligned([header, *rows]) if rows else ["none"]
    if count > len(rows):
        yield f"... and {count - len(rows)} more"


def _side_by_side(h: Hypothesis) -> Iterator[str]:
    """Shows what was said above what was heard, word above word, in lines of `_WIDTH`."""
    yield f"  {h.id}: {h.words.edits} edits in {h.words.length} words"
    said, heard = "", ""
    for step in align_words(h.reference, h.text):
        width = max(map(len, step))
        if said and len(said) + width > _WIDTH:
            yield from (f"    said   {said}".rstrip(), f"    heard  {heard}".rstrip())
            said, heard = "", ""
        said, heard = said + f"{step.said:<{width}} ", heard + f"{step.heard:<{width}} "
    yield from (f"    said   {said}".rstrip(), f"    heard  {heard}".rstrip())
