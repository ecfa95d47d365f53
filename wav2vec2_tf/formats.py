"""Transcripts as files: txt, json, srt, vtt, tsv, ctm and TextGrid, rendered from a `Transcript` and written whole.

Which recordings, which formats and which folder is the command lines' business; what is heard when, the decoders'.
What stands in a subtitle is `subtitles`' part, Praat's form `textgrid`'s.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wav2vec2_tf.decoding.transcript import Span, Transcript
from wav2vec2_tf.files import write_text
from wav2vec2_tf.subtitles import Cue, cues
from wav2vec2_tf.textgrid import textgrid


def render(transcript: Transcript, format: str, name: str = "audio") -> str:
    r"""Gives the text of a file.

    >>> heard = Transcript("NO", 1.0, (Span("NO", 0.3, 0.5, 0.9),))
    >>> render(heard, "ctm", name="clip_7")
    'clip_7 1 0.300 0.200 NO 0.9000\n'

    Args:
        transcript: What was heard.
        format: One of `FORMATS`.
        name: What the recording is called inside the file, where the format says so (ctm).
    Raises:
        ValueError: There is no such format.
    """
    return find_format(format).render(transcript, name)


def write(transcript: Transcript, path: str | Path, format: str) -> None:
    """Writes a file, whole or not at all; in it, the recording is called like the file.

    Args:
        transcript: What was heard.
        path: Where; a file that is there is replaced. Its folder exists.
        format: One of `FORMATS`.
    Raises:
        ValueError: There is no such format.
        OSError: It cannot be written.
    """
    write_text(Path(path), render(transcript, format, Path(path).stem))


def find_format(format: str) -> "Format":
    """Gives a format by name.

    >>> find_format("textgrid").suffix
    '.TextGrid'

    Raises:
        ValueError: There is no such format; the message lists those there are.
    """
    if format not in FORMATS:
        raise ValueError(f"There is no format {format!r}. Choose from: {', '.join(FORMATS)}.")
    return FORMATS[format]


def format_names(names: str) -> list[str]:
    """Reads what `--format` takes: names with commas between them, so that files may follow.

    >>> format_names("srt,json")
    ['srt', 'json']

    Raises:
        ValueError: There is no such format.
    """
    chosen = names.split(",")
    for name in chosen:
        find_format(name)
    return chosen


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Args:
        suffix: Ends the file's name, as the programs that read it expect.
        render: Transcript and name of the recording -> the file's text.
    """

    suffix: str
    render: Callable[[Transcript, str], str]


def _txt(transcript: Transcript, name: str) -> str:
    return transcript.text + "\n"


def _json(transcript: Transcript, name: str) -> str:
    values = {
        "text": transcript.text,
        "duration_seconds": round(transcript.duration_seconds, 3),
        "confidence": round(transcript.confidence, 4),
        "words": [_record(word) for word in transcript.words],
        "characters": [_record(character) for character in transcript.characters],
    }
    text = json.dumps(values, ensure_ascii=False, indent=1)
    return re.sub(r"\n {3,}|\n  (?=\})", " ", text) + "\n"  # one word a line


def _record(span: Span) -> dict:
    return {
        "text": span.text,
        "start_seconds": round(span.start_seconds, 3),
        "end_seconds": round(span.end_seconds, 3),
        "confidence": round(span.confidence, 4),
    }


def _srt(transcript: Transcript, name: str) -> str:
    return "".join(
        f"{number}\n{_clock(cue.start_seconds, ',')} --> {_clock(cue.end_seconds, ',')}\n{_lines(cue)}\n\n"
        for number, cue in enumerate(cues(transcript), 1)
    )


def _vtt(transcript: Transcript, name: str) -> str:
    blocks = (
        f"{_clock(cue.start_seconds, '.')} --> {_clock(cue.end_seconds, '.')}\n{_escaped(_lines(cue))}\n"
        for cue in cues(transcript)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _lines(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    """Writes a time of day.

    >>> _clock(3661.5, ",")
    '01:01:01,500'
    """
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"


def _tsv(transcript: Transcript, name: str) -> str:
    rows = (
        f"{word.start_seconds:.3f}\t{word.end_seconds:.3f}\t{word.confidence:.4f}\t{word.text}\n"
        for word in _timed(transcript)
    )
    return "".join(["start_seconds\tend_seconds\tconfidence\tword\n", *rows])


def _ctm(transcript: Transcript, name: str) -> str:
    """NIST's conversation time marks: recording, channel, begin, duration, word, confidence."""
    return "".join(
        f"{_unspaced(name)} 1 {word.start_seconds:.3f} {word.end_seconds - word.start_seconds:.3f} "
        f"{_unspaced(word.text)} {word.confidence:.4f}\n"
        for word in _timed(transcript)
    )


def _unspaced(text: str) -> str:
    return "_".join(text.split()) or "_"


def _timed(transcript: Transcript) -> Sequence[Span]:
    """Gives the words; where the decoder tells no times, the whole text as one."""
    if transcript.words or not transcript.text.strip():
        return transcript.words
    text = " ".join(transcript.text.split())
    return (Span(text, 0.0, transcript.duration_seconds, transcript.confidence),)


def _textgrid(transcript: Transcript, name: str) -> str:
    tiers = {"words": _timed(transcript), "characters": transcript.characters}
    return textgrid(tiers, transcript.duration_seconds)


FORMATS = {
    "txt":      Format(".txt",      _txt),       # the text alone
    "json":     Format(".json",     _json),      # everything
    "srt":      Format(".srt",      _srt),       # subtitles
    "vtt":      Format(".vtt",      _vtt),       # subtitles of the web
    "tsv":      Format(".tsv",      _tsv),       # a word a row
    "ctm":      Format(".ctm",      _ctm),       # NIST: sclite, Kaldi
    "textgrid": Format(".TextGrid", _textgrid),  # Praat, MFA
}  # fmt: skip
