"""Words grouped into subtitles a reader can follow: two lines of 42 characters for at most seven seconds.

Writing them as srt or vtt is `formats`' business.
"""

import textwrap
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from operator import attrgetter

from wav2vec2_tf.decoding.transcript import Span, Transcript

LINE_CHARACTERS = 42
LINES = 2
LONGEST_SECONDS = 7.0
SHORTEST_SECONDS = 1.0  # a cue stays that long, unless another follows or the recording ends
PAUSE_SECONDS = 1.0  # a silence as long begins a new cue
_SENTENCE_ENDS = tuple(".!?…。！？")
_CLAUSE_ENDS = (*_SENTENCE_ENDS, *",;:—–、，；：")
_AFTER_AN_END = "\"'»“”’)]」"


@dataclass(frozen=True)
class Cue:
    """What stands on the screen at one time.

    Args:
        lines: One or two lines of text.
        start_seconds, end_seconds: From the beginning of the recording.
    """

    lines: tuple[str, ...]
    start_seconds: float
    end_seconds: float


def cues(transcript: Transcript) -> list[Cue]:
    """Groups words into cues.

    A cue ends where a line of the text ends, before a pause, and after a sentence once it fills a line. One that would
    be longer than two lines or seven seconds ends at a comma, or where it must.

    >>> words = (Span("ONE", 0.5, 0.9, 1.0), Span("TWO", 1.1, 1.5, 1.0), Span("THREE", 4.0, 4.4, 1.0))
    >>> for cue in cues(Transcript("ONE TWO THREE", 6.0, words)):
    ...     print(cue)
    Cue(lines=('ONE TWO',), start_seconds=0.5, end_seconds=1.5)
    Cue(lines=('THREE',), start_seconds=4.0, end_seconds=5.0)

    Args:
        transcript: Text and words. Without words, the text makes one cue for the whole recording.
    Returns:
        Cues in order, none over another; none where nothing was heard.
    """
    if not transcript.words:
        text = " ".join(transcript.text.split())
        return [Cue(_wrapped(text), 0.0, transcript.duration_seconds)] if text else []
    groups = list(_groups(_units(transcript)))
    nexts = [group[0].start_seconds for group in groups[1:]]
    latest = [*nexts, max(transcript.duration_seconds, groups[-1][-1].end_seconds)]
    return [_cue(group, limit) for group, limit in zip(groups, latest, strict=True)]


def _cue(group: list[Span], latest_end: float) -> Cue:
    start = group[0].start_seconds
    end = min(max(group[-1].end_seconds, start + SHORTEST_SECONDS), max(latest_end, start))
    return Cue(_wrapped(_text(group)), start, end)


def _units(transcript: Transcript) -> Iterator[Span]:
    """Yields the words with the space or line break that follows each in the text.

    A word longer than a line, as in scripts without spaces, comes character by character.
    """
    line_ends = _line_ends(transcript)
    for number, word in enumerate(transcript.words):
        *pieces, last = _characters_of(word, transcript) if len(word.text) > LINE_CHARACTERS else [word]
        yield from pieces
        yield replace(last, text=last.text + ("\n" if number in line_ends else " "))


def _characters_of(word: Span, transcript: Transcript) -> list[Span]:
    """Gives the characters of a word, or the word itself where they are not told."""
    inside = slice(
        bisect_left(transcript.characters, word.start_seconds, key=attrgetter("start_seconds")),
        bisect_right(transcript.characters, word.end_seconds, key=attrgetter("end_seconds")),
    )
    characters = list(transcript.characters[inside])
    return characters if "".join(span.text for span in characters) == word.text else [word]


def _line_ends(transcript: Transcript) -> set[int]:
    """Finds the words that end a line of the text; none where the words are not the text's."""
    lines = [line.split() for line in transcript.text.splitlines()]
    if [word.text for word in transcript.words] != [word for line in lines for word in line]:
        return set()
    return {count - 1 for count in accumulate(map(len, lines))}


def _groups(units: Iterable[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for unit in units:
        if group and _parts(group, unit):
            yield group
            group = []
        elif group and _fills([*group, unit]):
            length = _clause(group)
            yield group[:length]
            group = group[length:]
        group.append(unit)
    if group:
        yield group


def _parts(group: list[Span], unit: Span) -> bool:
    """Tells whether a cue ends well before a unit."""
    last = group[-1]
    return (
        last.text.endswith("\n")
        or unit.start_seconds - last.end_seconds >= PAUSE_SECONDS
        or (_ends(last, _SENTENCE_ENDS) and len(_text(group)) > LINE_CHARACTERS)
    )


def _fills(group: list[Span]) -> bool:
    """Tells whether these are too many for a cue."""
    return group[-1].end_seconds - group[0].start_seconds > LONGEST_SECONDS or len(_wrapped(_text(group))) > LINES


def _clause(group: list[Span]) -> int:
    """Finds how many words of a full cue to show: up to the last comma, unless that is few of them; or all."""
    ends = (length for length in range(len(group), len(group) // 3, -1) if _ends(group[length - 1], _CLAUSE_ENDS))
    return next(ends, len(group))


def _ends(unit: Span, signs: tuple[str, ...]) -> bool:
    return unit.text.strip().rstrip(_AFTER_AN_END).endswith(signs)


def _text(group: list[Span]) -> str:
    return "".join(unit.text for unit in group).strip()


def _wrapped(text: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(text, LINE_CHARACTERS, break_on_hyphens=False))
