"""A survey in lines for a terminal, and the rows that the page shows too."""

import textwrap

import numpy as np

from data_tools.clips import REASONS
from data_tools.pages import aligned, shown
from data_tools.report import Histogram, histogram
from data_tools.survey import Survey

COLUMNS = (
    "split", "records", "hours", "shards", "MB", "shortest s", "median s", "longest s", "labels/s", "speakers",
)  # fmt: skip
_BAR = 50
_WIDTH = 110
_GLUE = "\0"  # keeps a character and its count on one line
_MOST_LINES = 20
_MOST_CHARACTERS = 100


def describe(survey: Survey) -> str:
    """Tells a survey.

    Args:
        survey: What to tell.
    Returns:
        Lines of plain text, the findings last.
    """
    index = survey.index
    seconds = np.concatenate([survey.seconds(split) for split in index.splits])
    rates = np.concatenate([survey.rates(split) for split in index.splits])
    lines = [f"{index.folder}: {index.encoding}, {index.sample_rate_hz} Hz, text rules {', '.join(index.text_rules)}"]
    lines += ["", *aligned([COLUMNS, *split_rows(survey)])]
    lines += ["", "length in seconds", *_bars(histogram(seconds))]
    lines += ["", "labels per second", *_bars(histogram(rates))]
    lines += ["", f"characters: {len(index.characters)}, by count", *_characters(index.characters)]
    lines += ["", *speaker_lines(survey)]
    lines += ["", f"rejected: {sum(index.rejected.values())}", *aligned(reject_rows(survey))]
    return "\n".join([*lines, "", *verdict(survey)])


def split_rows(survey: Survey) -> list[tuple[str, ...]]:
    """Gives one row per split: the cells of `COLUMNS`."""
    return [_split_row(survey, split) for split in survey.index.splits]


def _split_row(survey: Survey, split: str) -> tuple[str, ...]:
    shards, seconds = survey.index.shards(split), survey.seconds(split)
    megabytes = sum(shard.bytes for shard in shards) / 1e6
    known = len([speaker for speaker in survey.speakers[split] if speaker])
    at_least = "" if survey.looked_at[split] == len(seconds) else ">= "
    spread = f"{seconds.min():.2f}", f"{np.median(seconds):.2f}", f"{seconds.max():.2f}"
    rate = f"{survey.index.label_counts(split).sum() / seconds.sum():.1f}"
    sizes = f"{len(seconds)}", f"{seconds.sum() / 3600:.2f}", f"{len(shards)}", f"{megabytes:.1f}"
    return split, *sizes, *spread, rate, f"{at_least}{known}"


def speaker_lines(survey: Survey) -> list[str]:
    """Tells who speaks most, and who is in several splits."""
    rate_hz, lines = survey.index.sample_rate_hz, []
    for split, speakers in survey.speakers.items():
        most = ", ".join(f"{name or '(unknown)'} {n / rate_hz / 60:.1f}" for name, n in speakers.most_common(8))
        lines.append(f"speakers of {split}, with minutes: {most}{', ...' if len(speakers) > 8 else ''}")
    shared = survey.shared_speakers()
    if shared:
        some = ", ".join(f"{name} ({' and '.join(splits)})" for name, splits in list(shared.items())[:8])
        lines.append(f"in several splits: {len(shared)} speakers, such as {some}")
    if not survey.is_whole:
        looked_at = sum(survey.looked_at.values())
        lines.append(f"speakers were counted in {looked_at} of {survey.num_records} records; --verify reads all")
    return lines


def reject_rows(survey: Survey) -> list[tuple[str, ...]]:
    """Gives reason, count and meaning of what was left out."""
    return [(reason, str(count), REASONS.get(reason, "")) for reason, count in survey.index.rejected.items()]


def verdict(survey: Survey) -> list[str]:
    """Says what is wrong, or that nothing is, in how many records."""
    looked_at, findings = sum(survey.looked_at.values()), survey.findings
    if not findings:
        more = "" if survey.is_whole else "; --verify reads all"
        return [f"checked: {looked_at} of {survey.num_records} records, nothing wrong{more}"]
    rest = len(findings) - _MOST_LINES
    lines = [f"WRONG: {len(findings)} findings in {looked_at} of {survey.num_records} records"]
    lines += [f"  {finding}" for finding in findings[:_MOST_LINES]] + [f"  ... and {rest} more"] * (rest > 0)
    return [*lines, "Copy these shards again, or write them again with make_tfrecords. Records count from 0."]


def _characters(counts: dict[str, int]) -> list[str]:
    pairs = [f"{shown(char)}{_GLUE}{count}" for char, count in sorted(counts.items(), key=lambda item: -item[1])]
    half = _MOST_CHARACTERS // 2
    if len(pairs) > _MOST_CHARACTERS:
        pairs = [*pairs[:half], f"... {len(pairs) - 2 * half} more ...", *pairs[-half:]]
    lines = textwrap.wrap("   ".join(pairs), _WIDTH, initial_indent="  ", subsequent_indent="  ")
    return [line.replace(_GLUE, " ") for line in lines]


def _bars(hist: Histogram) -> list[str]:
    scale = _BAR / max(hist.counts.max(initial=0), 1)
    return [
        f"  {i * hist.step_seconds:>7.1f} {count:>8} {'#' * int(np.ceil(count * scale))}".rstrip()
        for i, count in enumerate(hist.counts)
    ]
