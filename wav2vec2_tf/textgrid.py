"""Praat's TextGrid in its long text form: tiers of intervals, without gaps and without overlap."""

from collections.abc import Iterable, Mapping, Sequence

from wav2vec2_tf.decoding.transcript import Span

_SHORTEST_SECONDS = 0.001  # of an interval: there is nothing between two, not even a point


def textgrid(tiers: Mapping[str, Sequence[Span]], duration_seconds: float) -> str:
    """Gives the text of a file.

    Args:
        tiers: Title -> spans in order. Gaps become empty intervals; what overlaps or lasts no time is moved.
        duration_seconds: Length of the recording.
    Source: Praat's manual, "TextGrid file formats".
    """
    filled = {title: _filled(spans, duration_seconds) for title, spans in tiers.items()}
    end = max(intervals[-1].end_seconds for intervals in filled.values())
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.3f}"]
    lines += ["tiers? <exists>", f"size = {len(filled)}", "item []:"]
    for number, (title, intervals) in enumerate(filled.items(), 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{title}"']
        lines += ["        xmin = 0", f"        xmax = {end:.3f}", f"        intervals: size = {len(intervals)}"]
        lines += _interval_lines(intervals, end)
    return "\n".join(lines) + "\n"


def _interval_lines(intervals: Sequence[Span], end: float) -> Iterable[str]:
    for number, span in enumerate(intervals, 1):
        last = end if number == len(intervals) else span.end_seconds
        text = span.text.replace('"', '""')
        yield f"        intervals [{number}]:"
        yield f"            xmin = {span.start_seconds:.3f}"
        yield f"            xmax = {last:.3f}"
        yield f'            text = "{text}"'


def _filled(spans: Sequence[Span], duration_seconds: float) -> list[Span]:
    """Puts empty intervals between spans, and moves what overlaps."""
    filled, now = [], 0.0
    for span in spans:
        start = max(round(span.start_seconds, 3), now)
        end = round(max(span.end_seconds, start + _SHORTEST_SECONDS), 3)
        if start > now:
            filled.append(Span("", now, start, 0.0))
        filled.append(Span(span.text, start, end, span.confidence))
        now = end
    if now < round(duration_seconds, 3) or not filled:
        filled.append(Span("", now, max(duration_seconds, _SHORTEST_SECONDS), 0.0))
    return filled
