"""WebDataset tar files: members of one name before the first dot are one sample, such as 0001.flac and 0001.txt.

Only the members' places are noted here; the recordings are read where they lie.
"""

import json
import sys
import tarfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from data_tools.manifest import ManifestError, Utterance, check_split, split_in
from data_tools.sources import TarMember, each, find, join, open_binary

_AUDIO = ("flac", "wav", "mp3", "ogg", "opus", "aiff", "m4a", "webm")  # the decoder says which of them it cannot read
_KEYS = {"transcript": "text", "speaker": "speaker", "split": "split"}


def read_webdataset(tars: Path | str, columns: Mapping[str, str] | None = None) -> list[Utterance]:
    """Lists the samples of tar files: a recording, and its transcript in a .txt or under a key of a .json.

    Args:
        tars: A .tar file, or a folder with .tar files at any depth.
        columns: Our name -> key in the .json, where it is not text, speaker or split.
    Returns:
        The utterances in order; ids are tar/key. Without a key `split` it is the one that the tar's name speaks of,
        such as dev-00001.tar, or "train".
    Raises:
        ManifestError: There is no tar file, it is compressed or breaks off, or a .json in it cannot be read.
    """
    single = str(tars).endswith(".tar")
    names = [str(tars).rpartition("/")[2]] if single else find(tars, ".tar")
    if not names:
        raise ManifestError(
            f"{tars} is no .tar file and no folder with some. Check --webdataset; unpack .tar.gz first."
        )
    keys = _KEYS | dict(columns or {})
    named = {tars if single else join(tars, name): name for name in names}
    listed = each(lambda place: list(_read_tar(place, named[place], keys)), list(named))
    return [utterance for utterances in listed for utterance in utterances]


def _read_tar(place: Path | str, name: str, keys: Mapping[str, str]) -> Iterator[Utterance]:
    try:
        with open_binary(place) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            members = (member for member in tar if member.isfile())
            for key, sample in groupby(members, lambda member: _split_name(member.name)[0]):
                yield _utterance(tar, place, name, key, list(sample), keys)
    except FileNotFoundError:
        raise ManifestError(f"{place}: no such file. Check --webdataset.") from None
    except tarfile.ReadError as error:
        raise ManifestError(
            f"{place} is compressed, broken off or no tar file ({error}). Fetch or unpack it."
        ) from error


def _split_name(name: str) -> tuple[str, str]:
    """Splits at the first dot after the last slash, as WebDataset does."""
    folder, slash, base = name.rpartition("/")
    stem, _, ending = base.partition(".")
    return folder + slash + stem, ending.lower()


def _utterance(tar: tarfile.TarFile, place, name: str, key: str, sample: list, keys: Mapping[str, str]) -> Utterance:
    members = {_split_name(member.name)[1]: member for member in sample}
    fields = _fields(tar, place, members["json"]) if "json" in members else {}
    text = fields.get(keys["transcript"])
    if text is None and "txt" in members:
        text = _read(tar, place, members["txt"])
    found = [ending for ending in members if ending.rpartition(".")[2] in _AUDIO]
    recording = members[found[0]] if found else None
    absent = str(Path(f"{place}/{key}"))  # no such file here, even where the tar file lies in a bucket
    return Utterance(
        id=f"{name}/{key}",
        audio=TarMember(str(place), recording.offset_data, recording.size) if found else absent,
        text=str(text or "").strip(),
        speaker=sys.intern(str(fields.get(keys["speaker"]) or "")),
        split=sys.intern(check_split(str(fields.get(keys["split"]) or split_in(name)), f"{place}, {key}")),
        source=f"{name}/{recording.name if found else key}",
    )


def _fields(tar: tarfile.TarFile, place, member: tarfile.TarInfo) -> dict:
    try:
        fields = json.loads(_read(tar, place, member))
        if isinstance(fields, dict):
            return fields
        why = "no object"
    except ValueError as error:
        why = str(error)
    raise ManifestError(f"{place}: {member.name} is not JSON as WebDataset has it ({why}). Write the tar file again.")


def _read(tar: tarfile.TarFile, place, member: tarfile.TarInfo) -> str:
    try:
        return tar.extractfile(member).read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{place}: {member.name} is not UTF-8 (byte {error.start}). Write it as UTF-8.") from error
