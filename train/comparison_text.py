"""A comparison in lines for a terminal, and the words that the page shows too."""

from collections.abc import Iterator, Sequence

from data_tools.pages import aligned
from train.comparison import Comparison, Pair
from train.intervals import Difference
from train.report import Group
from train.report_text import percent, span

GROUP_COLUMNS = ("", "A WER %", "B WER %", "B - A", "utterances", "words")
_MOST_ROWS = 8
_MOST_CHANGED = 3


def describe(comparison: Comparison) -> str:
    """Tells a comparison.

    Args:
        comparison: What to tell.
    Returns:
        Lines of plain text, the verdict first.
    """
    lines = [verdict(comparison), "", *aligned(_systems(comparison))]
    lines += [f"WER: B - A = {points(comparison.words)}", f"CER: B - A = {points(comparison.characters)}"]
    lines.append(counts(comparison))
    for name, pair in (("speaker", comparison.speakers), ("length", comparison.lengths)):
        rows = group_rows(*pair)
        lines += ["", *aligned([(f"by {name}", *GROUP_COLUMNS[1:]), *rows[:_MOST_ROWS]])] if rows else []
        lines += [f"... and {len(rows) - _MOST_ROWS} more"] if len(rows) > _MOST_ROWS else []
    for what, some in zip(("B gains most", "B loses most"), comparison.shown(), strict=True):
        lines += ["", what, *(line for pair in some[:_MOST_CHANGED] for line in _texts(pair))] if some else []
    return "\n".join(lines)


def verdict(comparison: Comparison) -> str:
    """Says in a sentence which system is better, or that the utterances do not tell.

    The word error rate is judged, over all utterances; among many speakers or lengths some differ by chance.
    """
    words, some = comparison.words, len(comparison.pairs)
    if words.p is None:
        return f"{some} utterances are too few to tell the systems apart."
    if not words.is_significant:
        blurred = 100 * (words.high - words.low) / 2
        return (
            f"No difference that these {some} utterances could show (p = {words.p:.2g}); "
            f"differences below about {blurred:.1f} points drown in chance here."
        )
    kind = "fewer" if words.rate < 0 else "more"
    return f"B makes {kind} word errors than A, and chance is an unlikely reason (p = {words.p:.2g})."


def points(difference: Difference) -> str:
    """Writes a difference of rates in points of percent, with its interval and p.

    >>> points(Difference(-0.021, -0.034, -0.008, 0.0016))
    '-2.10 points (-3.4 to -0.8), p = 0.0016'
    """
    within = "" if difference.low is None else f" ({span((difference.low, difference.high))}), p = {difference.p:.2g}"
    return f"{100 * difference.rate:+.2f} points{within}"


def counts(comparison: Comparison) -> str:
    """Says in how many utterances B is better and worse."""
    better, worse = len(comparison.better), len(comparison.worse)
    same = len(comparison.pairs) - better - worse
    return f"{len(comparison.pairs)} utterances: B is better in {better}, worse in {worse}, as good in {same}"


def _systems(comparison: Comparison) -> list[tuple[str, ...]]:
    rows = []
    for letter, name, every in zip("AB", comparison.names, comparison.every, strict=True):
        within = f"({span(every.interval)} %)" if every.interval else ""
        rows.append(
            (letter, name, f"WER {percent(every.words.rate)} {within}", f"CER {percent(every.characters.rate)}")
        )
    return rows


def group_rows(first: Sequence[Group], second: Sequence[Group]) -> list[tuple[str, ...]]:
    """Gives the cells of `GROUP_COLUMNS`."""
    return [
        (
            one.name or "(unknown)", f"{100 * one.words.rate:.1f}", f"{100 * other.words.rate:.1f}",
            f"{100 * (other.words.rate - one.words.rate):+.1f}", str(one.utterances), str(one.words.length),
        )
        for one, other in zip(first, second, strict=True)
    ]  # fmt: skip


def _texts(pair: Pair) -> Iterator[str]:
    yield f"  {pair.first.id}: {pair.first.words.edits} word edits, then {pair.second.words.edits}"
    yield f"    said  {pair.first.reference}"
    yield from (f"    {letter}     {h.text}".rstrip() for letter, h in (("A", pair.first), ("B", pair.second)))
