"""LibriSpeech and Multilingual LibriSpeech (MLS), as their archives unpack."""

import sys
from collections.abc import Iterator
from pathlib import Path

from data_tools.manifest import ManifestError, Utterance
from data_tools.sources import file_exists, find, folder_exists, is_remote, join, read_text, read_texts

_MLS_SPLITS = ("train", "dev", "test")


def read_librispeech(folder: Path | str) -> list[Utterance]:
    """Finds the `*.trans.txt` files of LibriSpeech's layout: subset/speaker/chapter/speaker-chapter.trans.txt.

    Args:
        folder: LibriSpeech as unpacked, or one of its subsets.
    Returns:
        The utterances in order of their ids per subset; the split is the subset's name, such as "train-clean-100".
    Raises:
        ManifestError: No such folder, or nothing of that layout in it.
    """
    if not folder_exists(folder):
        raise ManifestError(f"{folder}: no such folder. Check --librispeech.")
    root = folder if is_remote(folder) else Path(folder).resolve()  # a subset's own name counts, "." included
    utterances = []
    tables = find(root, ".trans.txt")
    for trans, lines in zip(tables, read_texts([join(root, trans) for trans in tables]), strict=True):
        chapter = trans.rpartition("/")[0]
        subset, speaker, _ = str(join(root, chapter)).split("/")[-3:]
        for line in lines.splitlines():
            name, _, text = line.partition(" ")
            source = f"{chapter}/{name}.flac" if chapter else f"{name}.flac"
            utterances.append(Utterance(name, join(root, source), text, speaker, subset, source))
    if not utterances:
        raise ManifestError(
            f"{folder} holds no subset/speaker/chapter/*.trans.txt. Name the folder that LibriSpeech was unpacked to."
        )
    return utterances


def read_mls(folder: Path | str) -> list[Utterance]:
    """Reads one language of MLS: split/transcripts.txt and split/audio/speaker/book/speaker_book_number.flac or .opus.

    Args:
        folder: Such as mls_german as unpacked.
    Returns:
        The utterances of train, dev and test, those that are there.
    Raises:
        ManifestError: There is no transcripts.txt, or a line of one is no id, tab and text.
    """
    tables = {split: join(folder, f"{split}/transcripts.txt") for split in _MLS_SPLITS}
    tables = {split: table for split, table in tables.items() if file_exists(table)}
    if not tables:
        raise ManifestError(
            f"{folder} holds no train/transcripts.txt, dev/transcripts.txt or test/transcripts.txt. Name the folder "
            "of one language as unpacked, such as --mls mls_german."
        )
    return [utterance for split, table in tables.items() for utterance in _mls_split(folder, split, table)]


def _mls_split(folder: Path | str, split: str, table: Path | str) -> Iterator[Utterance]:
    ending = ""
    for number, line in enumerate(read_text(table).splitlines(), start=1):
        name, tab, text = line.partition("\t")
        ids = name.split("_")
        if len(ids) != 3 or not tab:
            raise ManifestError(f"{table}, line {number} is not speaker_book_number, tab, text: {line[:60]!r}.")
        below = f"{split}/audio/{ids[0]}/{ids[1]}"
        ending = ending or (".opus" if file_exists(join(folder, f"{below}/{name}.opus")) else ".flac")  # of all alike
        source = f"{below}/{name}{ending}"
        yield Utterance(name, join(folder, source), text, sys.intern(ids[0]), split, source)
