"""Plots of error rates as SVG, whose letters are the reader's own: any script is shown that the browser can show."""

import io
from collections.abc import Callable, Sequence

import numpy as np

from train.evaluation import Hypothesis
from train.report import Group

INK, QUIET, FIRST, SECOND = "#333333", "#b5b5b5", "#2f6690", "#b5532a"
"""Colours: text, what stays behind, and one for each of two systems."""

_MOST_NAMES = 60
_MOST_EDITS = 6
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",  # the same report is the same file
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # to measure with; the page names its own
    "font.size": 9,
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def svg(width: float, height: float, fill: Callable) -> bytes:
    """Draws a picture.

    Args:
        width, height: In inches of 72 points.
        fill: Draws into the axes it is given.
    Returns:
        SVG.
    """
    from matplotlib import rc_context  # slow to import
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure, file = Figure(figsize=(width, height), layout="constrained"), io.BytesIO()
        fill(figure.subplots())
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return file.getvalue().replace(b"'DejaVu Sans'", b"system-ui, sans-serif")


def draw_groups(axes, systems: Sequence[Sequence[Group]], overall: Sequence[float], label: str) -> None:
    """Draws the word error rate of groups, with intervals, and a line for that of all.

    Args:
        axes: Where to.
        systems: The groups in the order of the axis; those of a second system are the same, in the same order.
        overall: Word error rate over all groups, for each system.
        label: What the groups are.
    """
    names = [one.name or "(unknown)" for one in systems[0]]
    places = np.arange(len(names))
    for number, (groups, rate, color) in enumerate(zip(systems, overall, (FIRST, SECOND), strict=False)):
        at = places + (number - (len(systems) - 1) / 2) * 0.25
        axes.axhline(100 * rate, color=color, linewidth=0.8, linestyle=(0, (4, 4)), alpha=0.7, zorder=1)
        ends = [[100 * end for end in one.interval or (one.words.rate,) * 2] for one in groups]
        axes.vlines(at, *zip(*ends, strict=True), color=color, linewidth=1.2, alpha=0.5)
        axes.plot(at, [100 * one.words.rate for one in groups], "o", color=color, markersize=4)
    named = len(names) <= _MOST_NAMES
    axes.set_xticks(places if named else [], names if named else [], rotation=90 if len(names) > 12 else 0)
    more = "" if named else f": {len(names)}, in this order"
    axes.set(xlabel=label + more, ylabel="WER %", ylim=(0, None), xlim=(-0.7, len(names) - 0.3))


def draw_edits(axes, some: Sequence[Hypothesis]) -> None:
    """Draws how many utterances have no word wrong, one, two, and so on."""
    counts = np.bincount([min(h.words.edits, _MOST_EDITS) for h in some], minlength=_MOST_EDITS + 1)
    shares = 100 * counts / max(len(some), 1)
    bars = axes.bar(range(_MOST_EDITS + 1), shares, color=[QUIET] + [FIRST] * _MOST_EDITS, width=0.75)
    axes.bar_label(bars, [str(count) for count in counts], padding=2, fontsize=8)
    names = [*map(str, range(_MOST_EDITS)), f"{_MOST_EDITS}+"]
    axes.set_xticks(range(_MOST_EDITS + 1), names)
    axes.set(xlabel="word edits in an utterance", ylabel="% of the utterances")
