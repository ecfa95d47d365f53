"""An audio folder as Hugging Face datasets reads it: metadata.csv or metadata.jsonl beside the recordings."""

from collections.abc import Mapping
from pathlib import Path

from data_tools.manifest import ManifestError, Utterance, split_in
from data_tools.manifests.tabular import read_rows, to_utterance
from data_tools.sources import find, folder_exists, join

_COLUMNS = {"path": "file_name", "transcript": "transcription"}
_TABLES = ("metadata.csv", "metadata.jsonl")


def read_audio_folder(folder: Path | str, columns: Mapping[str, str] | None = None) -> list[Utterance]:
    """Reads every metadata file at any depth; the paths in it are relative to its own folder.

    Args:
        folder: Such as data, with data/train/metadata.csv in it.
        columns: Our name -> the table's name, where it is not file_name or transcription.
    Returns:
        The utterances. Their split is the column `split`, else the folder's name where it is one of a split, else
        "train".
    Raises:
        ManifestError: There is no such folder, no metadata in it, or metadata that cannot be read.
    """
    if not folder_exists(folder):
        raise ManifestError(f"{folder}: no such folder. Check --audio_folder.")
    tables = [name for ending in _TABLES for name in find(folder, ending) if name.rpartition("/")[2] == ending]
    if not tables:
        raise ManifestError(
            f"{folder} holds no {' or '.join(_TABLES)}. Add one with the columns file_name and transcription, or use "
            "--manifest."
        )
    named = _COLUMNS | dict(columns or {})
    return [
        to_utterance(row, folder, table.rpartition("/")[0], split_in(table.rpartition("/")[0]))
        for table in tables
        for row in read_rows(join(folder, table), named)
    ]
