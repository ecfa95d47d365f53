"""What became of a corpus: hours, rejections and a histogram of lengths, as text and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_tools.clips import REASONS
from data_tools.index import Index

_BAR = 50
_SECONDS_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


@dataclass(frozen=True)
class Histogram:
    """Clips by length: bin i holds counts[i] clips from i * step_seconds up to the next."""

    step_seconds: float
    counts: np.ndarray


def histogram(seconds: np.ndarray, max_bins: int = 20) -> Histogram:
    """Counts clips by length in bins of a round width.

    >>> h = histogram(np.array([0.5, 1.2, 1.4, 3.9]), max_bins=4)
    >>> h.step_seconds, h.counts.tolist()
    (1, [1, 2, 0, 1])

    Args:
        seconds: Lengths.
        max_bins: Most bins to use.
    Returns:
        The histogram, from 0 to the longest clip.
    """
    longest = float(seconds.max(initial=0.0))
    step = next((step for step in _SECONDS_STEPS if longest / step < max_bins), longest / max_bins)
    return Histogram(step, np.bincount((seconds / step).astype(int)))


def describe(index: Index, seconds: float, num_read: int, seconds_written: float) -> str:
    """Tells a corpus in lines for a terminal.

    Args:
        index: What was written.
        seconds: How long that took.
        num_read: Utterances in the corpus.
        seconds_written: Audio written in that time; less than all where a run that was stopped went on.
    Returns:
        Lines of plain text.
    """
    every = all_seconds(index)
    rate = f"{seconds_written / 3600:.2f} hours in {seconds:.1f} s, {seconds_written / seconds:.0f} times real time"
    went_on = seconds_written < every.sum() - 1e-3
    rate += f"; the other {(every.sum() - seconds_written) / 3600:.2f} were there" if went_on else ""
    return "\n".join([*summary(index, num_read), "", rate]) + "\n"


def summary(index: Index, num_read: int) -> list[str]:
    """Tells in lines what is in the shards, or would be: splits, rejections, lengths.

    Args:
        index: What is in them.
        num_read: Utterances in the corpus.
    """
    rate_hz = index.sample_rate_hz
    lines = [f"{'split':<20} {'utterances':>10} {'hours':>8} {'shards':>6} {'MB':>8} {'mean s':>7} {'longest s':>9}"]
    for split, shards in index.splits.items():
        clips = index.lengths(split) / rate_hz
        megabytes = sum(shard.bytes for shard in shards) / 1e6
        lines.append(
            f"{split:<20} {len(clips):>10} {clips.sum() / 3600:>8.2f} {len(shards):>6} {megabytes:>8.1f} "
            f"{clips.mean():>7.2f} {clips.max():>9.2f}"
        )
    lines += ["", f"rejected: {sum(index.rejected.values())} of {num_read}"]
    lines += [f"  {reason:<20} {count:>6}  {REASONS[reason]}" for reason, count in index.rejected.items()]
    return [*lines, "", "lengths", *_bars(histogram(all_seconds(index)))]


def all_seconds(index: Index) -> np.ndarray:
    """Gives the lengths of all clips of all splits, in seconds."""
    return np.concatenate([index.lengths(split) for split in index.splits] or [np.zeros(0)]) / index.sample_rate_hz


def _bars(hist: Histogram) -> list[str]:
    scale = _BAR / max(hist.counts.max(initial=0), 1)
    return [
        f"  {i * hist.step_seconds:>7.1f} s {count:>8} {'#' * int(np.ceil(count * scale))}".rstrip()
        for i, count in enumerate(hist.counts)
    ]


def draw(index: Index, path: Path) -> None:
    """Draws the lengths of each split as a PNG.

    Args:
        index: What to draw.
        path: The picture to write.
    """
    import matplotlib  # used here only, and slow to import

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    longest = float(all_seconds(index).max(initial=1.0))
    for split in index.splits:
        clips = index.lengths(split) / index.sample_rate_hz
        label = f"{split}: {len(clips)} clips, {clips.sum() / 3600:.2f} h"
        axes.hist(clips, bins=np.linspace(0, longest, 41), histtype="step", linewidth=1.5, label=label)
        axes.legend()
    axes.set(xlabel="length of a clip in seconds", ylabel="clips", xlim=(0, longest), title=index.folder.name)
    figure.savefig(path, dpi=120, format="png")
    pyplot.close(figure)


def rejects_table(rejections: Sequence) -> str:
    """Lists rejections as tab separated lines: id, path, reason, detail."""
    rows = [("id", "path", "reason", "detail")]
    rows += [(r.utterance.id, r.utterance.source, r.reason, r.detail) for r in rejections]
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)
