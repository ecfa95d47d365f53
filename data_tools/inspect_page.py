"""A survey as one picture, and as one HTML file with everything inside: tables, the picture, and samples to listen to.

The page needs neither network nor scripts. The words it shares with the terminal are `inspect_text`'s.
"""

import io
from html import escape

import numpy as np

from data_tools.inspect_text import COLUMNS, reject_rows, speaker_lines, split_rows, verdict
from data_tools.pages import document, inline, player, shown, table
from data_tools.survey import Sample, Survey

_MOST_ROWS = 100  # of any table that grows with the corpus
_DRAWN_CHARACTERS = 40
_BINS = 50


def page(survey: Survey, picture: bytes) -> str:
    """Makes the page.

    Args:
        survey: What to show.
        picture: From `draw`.
    Returns:
        HTML.
    """
    index = survey.index
    about = f"{index.encoding}, {index.sample_rate_hz} Hz, text rules {', '.join(index.text_rules)}"
    told = escape("\n".join(verdict(survey)))
    listen = [
        f"<h2>{escape(split)}: samples</h2>" + table(("", "audio", "seconds", "labels/s", "text", "record"), rows)
        for split, samples in survey.samples.items()
        if (rows := [_sample_row(sample, index.sample_rate_hz) for sample in samples])
    ]
    parts = [
        f"<h1>{escape(str(index.folder))}</h1><p>{escape(about)}</p>",
        f"<pre class='{'wrong' if survey.findings else 'sound'}'>{told}</pre>",
        table(COLUMNS, [[escape(cell) for cell in row] for row in split_rows(survey)]),
        f"<p><img alt='lengths, rates, characters and speakers' src='{inline('image/png', picture)}'></p>",
        *listen,
        "<h2>Characters</h2>" + table(("character", "code", "count"), _character_rows(index.characters)),
        f"<h2>Speakers</h2><pre>{escape(chr(10).join(speaker_lines(survey)))}</pre>",
        f"<h2>Rejected: {sum(index.rejected.values())}</h2>" + _rejects(survey),
    ]
    return document(str(index.folder), parts)


def _sample_row(sample: Sample, rate_hz: int) -> list[str]:
    record = sample.record
    seconds = len(record.samples) / rate_hz
    sound = player(record.samples, rate_hz)
    text = f"<span dir=auto>{escape(record.text)}</span>"
    if record.transcript != record.text:
        text += f"<br><small dir=auto>{escape(record.transcript)}</small>"
    speaker = f", speaker {record.speaker}" if record.speaker else ""
    where = f"{escape(record.id)}<br><small>{escape(f'{sample.shard}, record {sample.place}{speaker}')}</small>"
    return [sample.why, sound, f"{seconds:.2f}", f"{len(record.text) / seconds:.1f}", text, where]


def _character_rows(counts: dict[str, int]) -> list[list[str]]:
    by_count = sorted(counts.items(), key=lambda item: -item[1])
    rows = [[escape(shown(char)), f"U+{ord(char):04X}", str(count)] for char, count in by_count]
    half, rest = _MOST_ROWS // 2, len(rows) - _MOST_ROWS
    return rows if rest <= 0 else [*rows[:half], ["...", "", f"{rest} more"], *rows[-half:]]  # the rare ones tell most


def _rejects(survey: Survey) -> str:
    if not survey.index.rejected:
        return "<p>none</p>"
    reasons = table(("reason", "clips", "left out because"), [map(escape, row) for row in reject_rows(survey)])
    clips = [[escape(cell) for cell in row] for row in survey.rejects[:_MOST_ROWS]]
    more = len(survey.rejects) - len(clips)
    rest = f"<p>... and {more} more in rejects.tsv</p>" if more > 0 else ""
    return reasons + (f"<p></p>{table(('id', 'path', 'reason', 'detail'), clips)}{rest}" if clips else "")


def draw(survey: Survey) -> bytes:
    """Draws lengths, rates, characters and speakers.

    Args:
        survey: What to draw.
    Returns:
        A PNG.
    """
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(12, 8), layout="constrained")
    (lengths, rates), (characters, speakers) = figure.subplots(2, 2)
    splits = survey.index.splits
    _shares(lengths, {split: survey.seconds(split) for split in splits}, "length of a clip in seconds")
    _shares(rates, {split: survey.rates(split) for split in splits}, "labels per second")
    _draw_characters(characters, survey.index.characters)
    for split, counts in survey.speakers.items():
        minutes = np.array(sorted(counts.values(), reverse=True)) / survey.index.sample_rate_hz / 60
        rank = np.arange(1, len(minutes) + 1)
        speakers.step(rank, minutes, where="mid", marker=".", label=f"{split}: {len(minutes)}")
    part = "" if survey.is_whole else ", in the records looked at"
    speakers.set(xlabel=f"speakers, by minutes{part}", ylabel="minutes of a speaker", ylim=(0, None))
    speakers.legend()
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()


def _shares(axes, values: dict[str, np.ndarray], label: str) -> None:
    """Draws shares rather than counts, so that a small split is seen beside a large one."""
    every = np.concatenate(list(values.values()))
    last = max(float(np.quantile(every, 0.999)), 1e-3)  # one wild clip shall not squeeze the others together
    note = "; the last bin takes what lies beyond" if every.max() > last else ""
    for split, some in values.items():
        bins, weights = np.linspace(0, last, _BINS + 1), np.full(len(some), 100 / max(len(some), 1))
        axes.hist(np.minimum(some, last), bins, weights=weights, histtype="step", linewidth=1.5, label=split)
    axes.set(xlabel=label + note, ylabel="% of the split's clips", xlim=(0, last))
    axes.legend()


def _draw_characters(axes, counts: dict[str, int]) -> None:
    from matplotlib.font_manager import findfont, get_font

    drawable = get_font(findfont("DejaVu Sans")).get_charmap()
    most = sorted(counts.items(), key=lambda item: -item[1])[:_DRAWN_CHARACTERS]
    names = [shown(char) if ord(char) in drawable else f"U+{ord(char):04X}" for char, _ in most]
    axes.bar(range(len(most)), [count for _, count in most])
    axes.set_xticks(range(len(most)), names, parse_math=False)
    for label in axes.get_xticklabels():
        label.set_rotation(90 if label.get_text().startswith("U+") else 0)
    axes.set(xlabel=f"characters: {len(counts)}", ylabel="occurrences", yscale="log", ylim=(0.7, None))
