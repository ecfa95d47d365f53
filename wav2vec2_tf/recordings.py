"""What a command line calls recordings: files, folders, patterns, manifests, buckets and stdin, each with a name.

Nothing is decoded here. A manifest is one of `data_tools`, but needs no transcripts.
"""

import glob
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from data_tools.manifest import ManifestError
from data_tools.manifests.tables import read_lines
from data_tools.manifests.tabular import Row, to_utterance
from data_tools.sources import find, is_remote
from wav2vec2_tf.audio import Span
from wav2vec2_tf.intake import Recording

#: What is taken from a folder; a file that is named may be called anything.
AUDIO_ENDINGS = tuple(".wav .flac .mp3 .ogg .oga .opus .aiff .aif .aifc .au .snd .sph .caf .w64 .rf64 .wv".split())
MANIFEST_ENDINGS = (".tsv", ".csv", ".jsonl")

_COLUMNS = ("path", "id", "start", "duration", "channel")


@dataclass(frozen=True)
class Entry:
    """A recording to be transcribed.

    Args:
        recording: What to decode.
        place: What its transcript is to be called in a folder of transcripts, with "/" for folders in it.
    """

    recording: Recording
    place: str


def expand(arguments: Iterable[str]) -> list[Entry]:
    """Finds the recordings that a user names.

    Args:
        arguments: Each a file; a folder, all of whose recordings are meant, at any depth; a pattern ("*", "**", "?");
            a manifest (.tsv, .csv, .jsonl with a column `path`, relative to the manifest); any of them in a bucket;
            or "-", a recording on stdin.
    Returns:
        The recordings, in order; a file that is not there is one all the same.
    Raises:
        OSError: A folder or a bucket cannot be read.
        ValueError: A folder or a pattern holds no recording, or a manifest cannot be read.
    """
    return [entry for argument in arguments for entry in _expand(argument)]


def _expand(argument: str) -> Iterator[Entry]:
    ending = PurePosixPath(argument).suffix.lower()
    if argument == "-":
        yield Entry(Recording(_spooled(), name="-"), "stdin")
    elif ending in MANIFEST_ENDINGS:
        yield from _from_manifest(argument)
    elif os.path.isdir(argument) or (is_remote(argument) and ending not in AUDIO_ENDINGS):
        yield from _from_folder(argument.rstrip("/"))
    elif glob.has_magic(argument) and not os.path.exists(argument):
        yield from (_file(path) for path in _matching(argument))
    else:
        yield _file(argument)


def _file(path: str) -> Entry:
    return Entry(Recording(path), path.rstrip("/").rpartition("/")[2])


def _spooled():
    """Copies stdin to a file without a name: decoders jump in what they read."""
    file = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the recording
    shutil.copyfileobj(sys.stdin.buffer, file)
    return file


def _from_folder(folder: str) -> Iterator[Entry]:
    names = [name for name in find(folder, "") if name.lower().endswith(AUDIO_ENDINGS)]
    if not names:
        raise ValueError(f"{folder} holds no recordings ({' '.join(AUDIO_ENDINGS)}). Name files or another folder.")
    yield from (Entry(Recording(f"{folder}/{name}"), name) for name in names)


def _matching(pattern: str) -> list[str]:
    if is_remote(pattern):
        folder = pattern[: min(pattern.find(sign) for sign in "*?[" if sign in pattern)].rpartition("/")[0]
        paths = [path for name in find(folder, "") if fnmatch(path := f"{folder}/{name}", pattern)]
    else:
        paths = sorted(path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    if not paths:
        raise ValueError(f"No file is called {pattern}. Check the pattern, or name a folder.")
    return paths


def _from_manifest(table: str) -> Iterator[Entry]:
    root = table.rpartition("/")[0] or "."
    header, lines = read_lines(table)
    for number, line in lines:
        where = f"{table}, line {number}"
        if not line.get("path"):
            raise ManifestError(f"{where} has no path; it has {', '.join(line)}. The column of files is called path.")
        fields = {name: str(line[name]) for name in _COLUMNS if line.get(name) is not None}
        piece = to_utterance(Row(where, fields | {"transcript": ""}), root)
        span = Span(piece.start_seconds, piece.duration_seconds, channel=piece.channel)
        yield Entry(Recording(piece.audio, span, piece.id), piece.id)


def output_paths(entries: Sequence[Entry], folder: str | os.PathLike) -> list[Path]:
    """Gives each transcript a file in a folder, without its ending; a recording's own is dropped where it can be.

    Args:
        entries: From `expand`.
        folder: Where the transcripts go.
    Raises:
        ValueError: Two recordings have one name.
    """
    bare = [_bare(_inside(entry.place)) for entry in entries]
    often = {name for name, count in Counter(bare).items() if count > 1}
    names = [_inside(entry.place) if name in often else name for name, entry in zip(bare, entries, strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"Two recordings are called {twice[0]}, and their transcripts would be one file. Name the folder above "
            "them, or transcribe them in two runs."
        )
    return [Path(folder) / name for name in names]


def _bare(name: str) -> str:
    """Drops the ending of a recording; what follows a dot in an id is none."""
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.suffix.lower() in AUDIO_ENDINGS else name


def _inside(place: str) -> str:
    """Keeps a name within the folder of transcripts."""
    path = PurePosixPath(place.partition("://")[2] or place)
    return path.as_posix() if not path.is_absolute() and ".." not in path.parts else path.name
