"""Cuts of Lhotse: pieces of recordings with what is said in them, one JSON object per line.

Read without Lhotse. What it would change while reading (mixes, speed, ...) is refused; `batches` augments instead.
"""

import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from data_tools.manifest import ManifestError, Utterance, split_in
from data_tools.sources import find, folder_exists, is_remote, join, read_lines

_ENDINGS = (".jsonl", ".jsonl.gz")
_HARMLESS = ("Resample",)  # a transform that leaves the times as they are; shards have one rate anyway
_WHOLE_SECONDS = 0.001  # Lhotse rounds times: a cut this close to its recording's length is all of it


def read_lhotse(cuts: Path | str, audio_root: Path | str) -> list[Utterance]:
    """Reads cuts whose recordings are files; each supervision is an utterance, as `trim_to_supervisions` makes them.

    Args:
        cuts: A .jsonl or .jsonl.gz file, or a folder of such files.
        audio_root: Folder that relative paths of recordings are relative to.
    Returns:
        The utterances. Their split is the one that the file's name speaks of, such as cuts_dev.jsonl.gz, or "train".
    Raises:
        ManifestError: There is no such file, a line is no cut, or a cut is more than a piece of a file.
    """
    names = [""] if str(cuts).endswith(_ENDINGS) else [name for ending in _ENDINGS for name in find(cuts, ending)]
    if not names or not (names == [""] or folder_exists(cuts)):
        raise ManifestError(f"{cuts} is no {' or '.join(_ENDINGS)} file, and no folder of such files. Check --lhotse.")
    files = [join(cuts, name) if name else cuts for name in names]
    return [utterance for file in files for utterance in _read_file(file, audio_root)]


def _read_file(file: Path | str, audio_root: Path | str) -> Iterator[Utterance]:
    split = split_in(str(file).rpartition("/")[2])
    try:
        for number, line in enumerate(read_lines(file), start=1):
            if line.strip():
                yield from _read_line(line, f"{file}, line {number}", audio_root, split)
    except FileNotFoundError:
        raise ManifestError(f"{file}: no such file. Check --lhotse.") from None
    except UnicodeDecodeError as error:
        raise ManifestError(f"{file} is not UTF-8. Write it again with Lhotse.") from error
    except (EOFError, OSError, zlib.error) as error:
        raise ManifestError(f"{file} cannot be read to its end ({error}). Fetch it again.") from error


def _read_line(line: str, where: str, audio_root: Path | str, split: str) -> list[Utterance]:
    try:
        return list(_utterances(json.loads(line), audio_root, split))
    except ManifestError as error:
        raise ManifestError(f"{where}: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ManifestError(f"{where} is no cut ({error!r}). Write it again with Lhotse.") from error


def _utterances(cut: dict, audio_root: Path | str, split: str) -> Iterator[Utterance]:
    if cut.get("type", "MonoCut") not in ("MonoCut", "MultiCut") or "recording" not in cut:
        what = cut.get("type") if "recording" in cut or "tracks" in cut else "cut without a recording"
        raise ManifestError(f"{cut.get('id')} is a {what}. Take cuts that are pieces of recordings only.")
    _check_as_recorded(cut)
    for supervision in cut["supervisions"]:
        source, channel = _source(cut, supervision)
        start = max(0.0, cut["start"] + supervision["start"])
        whole = start == 0 and abs(cut["recording"]["duration"] - supervision["duration"]) <= _WHOLE_SECONDS
        yield Utterance(
            id=cut["id"] if len(cut["supervisions"]) == 1 else supervision["id"],
            audio=join(audio_root, source),
            text=supervision.get("text") or "",
            speaker=sys.intern(supervision.get("speaker") or ""),
            split=split,
            source=source,
            start_seconds=0.0 if whole else round(start, 6),
            duration_seconds=None if whole else float(supervision["duration"]),
            channel=channel,
        )


def _check_as_recorded(cut: dict) -> None:
    changes = [transform["name"] for transform in cut["recording"].get("transforms") or []]
    if any(change not in _HARMLESS for change in changes):
        raise ManifestError(f"{cut['id']} asks for {', '.join(changes)}. Take the cuts as recorded, and augment later.")


def _source(cut: dict, supervision: dict) -> tuple[str, int | None]:
    """Finds the file with the channels that are spoken on, and which of its channels that is; None for all of them."""
    recording, wanted = cut["recording"], cut["channel"]
    if isinstance(wanted, list):  # a MultiCut, whose supervisions say which of its channels they are on
        wanted = supervision.get("channel", wanted)
    wanted = wanted if isinstance(wanted, list) else [wanted]
    have = [source["channels"] for source in recording["sources"]]
    found = [source for source in recording["sources"] if source["channels"] == wanted]
    found += [source for source in recording["sources"] if [c for c in source["channels"] if [c] == wanted]]
    if not found:
        raise ManifestError(
            f"{cut['id']} is channel {wanted} of {recording['id']}, whose files have the channels "
            f"{', '.join(map(str, have))}. Take one of these, or all of a file."
        )
    if found[0]["type"] != "file" and not is_remote(str(found[0]["source"])):
        raise ManifestError(
            f"{recording['id']} is of type {found[0]['type']!r}; only files are read. Save its audio first."
        )
    channels = found[0]["channels"]
    return found[0]["source"], None if channels == wanted else channels.index(wanted[0])
