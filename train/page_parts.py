"""Parts that pages about error rates share: large figures, plots, tables of groups, texts with their edits marked."""

from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from data_tools.pages import inline, player, table
from train.edits import Step, align_characters, align_words
from train.intervals import LEVEL, RESAMPLES
from train.report_plots import svg
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

STYLE = """
body { max-width: 62rem }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 4rem; margin: 1.8rem 0 1.4rem }
.figures b { display: block; font-size: 2.2rem; font-weight: 600; line-height: 1.25 }
.side { display: flex; flex-wrap: wrap; gap: 0 4rem; align-items: flex-start }
img { margin: .6rem 0 } summary { cursor: pointer; color: #555 }
.clip { border-top: 1px solid #ddd; padding: .7rem 0 } .clip p { margin: .25rem 0; font-size: 1.05rem }
.clip audio { display: block; margin-top: .5rem } .clip i { color: #666; font-style: normal; margin-right: .6rem }
del, ins { text-decoration-thickness: 1px; text-underline-offset: 3px; padding: 0 .15em; border-radius: 2px }
del { color: #9c3a16; background: #fbeee8 } ins { color: #1f5c2e; background: #e9f4ec }
"""
"""CSS besides that of every page."""

LEGEND = "<p class=quiet><del>said, not heard</del> <ins>heard, not said</ins></p>"
_MOST_OPEN, _MOST_ROWS = 12, 1000
FOOT = (
    f"<p class=quiet><small>Intervals: {100 * LEVEL:.0f} %, bootstrap over utterances ({RESAMPLES:,} draws, always the "
    "same). A rate is edits / units said, over all utterances. Where nothing was said, all that is heard is inserted; "
    "a rate over nothing said is 0 without an insertion, else 100 %.</small></p>"
)


def figure(name: str, value: str, *lines: str) -> str:
    """Makes a large figure with lines below it, all plain text."""
    below = "<br>".join(escape(line) for line in lines if line)
    return f"<div><span class=quiet>{escape(name)}</span><b>{escape(value)}</b><span class=quiet>{below}</span></div>"


def picture(width: float, height: float, fill: Callable, says: str) -> str:
    """Draws a plot (`report_plots.svg`), with words for those who cannot see it."""
    return f"<img alt='{escape(says)}' src='{inline('image/svg+xml', svg(width, height, fill))}'>"


def groups_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Makes a table of plain text; a long one waits to be opened, and a very long one is cut off."""
    made = table(header, [[escape(cell) for cell in row] for row in rows[:_MOST_ROWS]])
    more = f"<p class=quiet>... and {len(rows) - _MOST_ROWS} more</p>" if len(rows) > _MOST_ROWS else ""
    if len(rows) <= _MOST_OPEN:
        return made
    return f"<details><summary>{len(rows)} rows</summary>{made}{more}</details>"


def marked(reference: str, hypothesis: str) -> str:
    """Writes what was said and heard as one line: words where there are any, characters in writing without spaces.

    >>> marked("GO ON", "GO IN")
    'GO <del>ON</del> <ins>IN</ins>'
    """
    spaced = " " in reference.strip() or " " in hypothesis.strip()
    steps = (align_words if spaced or not reference else align_characters)(reference, hypothesis)
    return (" " if spaced else "").join(map(_marked, steps))


def _marked(step: Step) -> str:
    if step.said == step.heard:
        return escape(step.said)
    said, heard = (
        f"<{tag}>{escape(unit)}</{tag}>" if unit else "" for tag, unit in (("del", step.said), ("ins", step.heard))
    )
    return f"{said} {heard}" if said and heard and len(step.said) > 1 else said + heard


def clip(name: str, detail: str, lines: Sequence[tuple[str, str]], samples: np.ndarray | None) -> str:
    """Shows one utterance.

    Args:
        name: Its id.
        detail: What there is to say about it.
        lines: Whose text, and that as HTML.
        samples: int16 [S]; None: there is nothing to listen to.
    """
    sound = "" if samples is None else player(samples, SAMPLE_RATE_HZ)
    texts = "".join(f"<p>{_whose(whose)}<span dir=auto>{text}</span></p>" for whose, text in lines)
    return f"<div class=clip><small>{escape(name)} &middot; {escape(detail)}</small>{texts}{sound}</div>"


def _whose(name: str) -> str:
    return f"<i>{escape(name)}</i>" if name else ""
