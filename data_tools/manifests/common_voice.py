"""One language of a Common Voice release: train.tsv, dev.tsv, test.tsv and clips."""

from dataclasses import replace
from pathlib import Path

from data_tools.manifest import ManifestError, Utterance
from data_tools.manifests.tabular import read_rows, to_utterance
from data_tools.sources import file_exists, join

_SPLITS = ("train", "dev", "test")
_COLUMNS = {"path": "path", "transcript": "sentence", "speaker": "client_id"}


def read_common_voice(folder: Path | str) -> list[Utterance]:
    """Reads the three splits of the release, those that are there.

    Args:
        folder: The language's folder as unpacked, such as cv-corpus-17.0-2024-03-15/cy.
    Returns:
        The utterances of train, dev and test; the clip's name is the id, client_id the speaker.
    Raises:
        ManifestError: None of the tables is there, or one cannot be read.
    """
    tables = {split: join(folder, f"{split}.tsv") for split in _SPLITS}
    tables = {split: table for split, table in tables.items() if file_exists(table)}
    if not tables:
        raise ManifestError(
            f"{folder} holds no train.tsv, dev.tsv or test.tsv. Name the folder of one language, the one with clips in "
            "it."
        )
    return [
        replace(utterance, text=utterance.text.replace('""', '"'))  # the release doubles quotes and quotes nothing
        for split, table in tables.items()
        for utterance in (to_utterance(row, folder, "clips", split) for row in read_rows(table, _COLUMNS))
    ]
