"""Manifests: which recordings there are and what was said in them.

Decoding is left to `clips`; what the text becomes is left to `wav2vec2_tf.text`.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from data_tools.sources import Audio

REQUIRED_COLUMNS = ("path", "transcript")
OPTIONAL_COLUMNS = ("speaker", "split", "id")
DEFAULT_SPLIT = "train"


class ManifestError(ValueError):
    """A manifest that cannot be used; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording, or a piece of one, and its transcript.

    Args:
        id: Unique in a corpus.
        audio: Where the recording lies; `sources.open_audio` opens it.
        text: The transcript as written in the corpus.
        speaker: "" where unknown.
        split: Such as "train" or "test".
        source: The recording as the manifest names it.
        start_seconds: Where the utterance begins in the recording.
        duration_seconds: How long it is; None: to the end of the recording.
    """

    id: str
    audio: Audio
    text: str
    speaker: str
    split: str
    source: str
    start_seconds: float = 0.0
    duration_seconds: float | None = None

    @property
    def is_segment(self) -> bool:
        """Whether it is a piece of its recording rather than all of it."""
        return self.start_seconds > 0 or self.duration_seconds is not None


def read_tsv(path: Path, audio_root: Path) -> list[Utterance]:
    """Reads a table of tab separated columns with a header, UTF-8, no quoting (`"` is a character like any other).

    Args:
        path: The table; columns `path` and `transcript`, optionally `speaker`, `split` and `id`; others are ignored.
        audio_root: Folder that the paths are relative to.
    Returns:
        One utterance per line, in order. Without an `id` column the path is the id; an empty split is "train".
    Raises:
        ManifestError: No such file or folder, no line, not UTF-8, a column missing, or a line of another width.
    """
    lines = _lines(path)
    if not audio_root.is_dir():
        raise ManifestError(f"--audio_root {audio_root} is not a folder. Name the folder the paths are relative to.")
    header = lines[0][1].split("\t")
    missing = [column for column in REQUIRED_COLUMNS if column not in header]
    if missing:
        raise ManifestError(
            f"{path} has no column {' and no column '.join(missing)}; its header reads {', '.join(header)}. "
            "Name the columns on the first line, separated by tabs."
        )
    if len(lines) == 1:
        raise ManifestError(f"{path} has a header and no utterance. Add one line per recording.")
    return [_utterance(path, number, header, line, audio_root) for number, line in lines[1:]]


def _lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such manifest. Check --manifest.") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if not lines:
        raise ManifestError(f"{path} is empty. It needs a header and one line per recording.")
    return lines


def _utterance(path: Path, number: int, header: list[str], line: str, audio_root: Path) -> Utterance:
    fields = line.split("\t")
    if len(fields) != len(header):
        raise ManifestError(
            f"{path}, line {number}: {len(fields)} columns, the header names {len(header)}. "
            "Look for a tab inside the transcript, or a missing one."
        )
    row = dict(zip(header, fields, strict=True))
    split = row.get("split") or DEFAULT_SPLIT
    if not re.fullmatch(r"[\w.-]+", split):
        raise ManifestError(f"{path}, line {number}: the split {split!r} names files; use letters, digits, . _ and -.")
    return Utterance(
        id=row.get("id") or row["path"],
        audio=audio_root / row["path"],
        text=row["transcript"],
        speaker=row.get("speaker", ""),
        split=split,
        source=row["path"],
    )


def read_librispeech(folder: Path) -> list[Utterance]:
    """Finds the `*.trans.txt` files of LibriSpeech's layout: subset/speaker/chapter/speaker-chapter.trans.txt.

    Args:
        folder: LibriSpeech as unpacked, or one of its subsets.
    Returns:
        The utterances in order of their ids per subset; the split is the subset's name, such as "train-clean-100".
    Raises:
        ManifestError: No such folder, or nothing of that layout in it.
    """
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such folder. Check --librispeech.")
    root = folder.resolve()
    utterances = []
    for trans in sorted(root.glob("**/*.trans.txt")):
        chapter = trans.parent
        for line in trans.read_text(encoding="utf-8").splitlines():
            name, _, text = line.partition(" ")
            audio = chapter / f"{name}.flac"
            source = str(audio.relative_to(root))
            utterances.append(Utterance(name, audio, text, chapter.parent.name, chapter.parent.parent.name, source))
    if not utterances:
        raise ManifestError(
            f"{folder} holds no subset/speaker/chapter/*.trans.txt. Name the folder that LibriSpeech was unpacked to."
        )
    return utterances
