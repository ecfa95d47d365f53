"""Corpora as they are published -> `Utterance`s: which corpus is meant, and who reads it.

Each layout has a module of its own. Splitting is left to `splits`, the texts to `texts`, decoding to `clips`.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data_tools.manifest import Utterance, read_librispeech, read_tsv

__all__ = ["CorpusOptions", "read_corpus"]


@dataclass(frozen=True, kw_only=True)
class CorpusOptions:
    """Which recordings, and how they are split. Name one corpus; every path may be gs://.

    Args:
        manifest: Table of recordings: .tsv (no quoting), .csv or .jsonl, UTF-8; columns path and transcript,
            optionally speaker, split, id, start and duration (seconds).
        audio_root: Folder that the manifest's paths are relative to.
        columns: Names of those columns in the table where they differ, such as {path: wav, transcript: sentence}.
        librispeech: LibriSpeech as unpacked.
        mls: One language of Multilingual LibriSpeech as unpacked.
        common_voice: One language of a Common Voice release: the folder of train.tsv and clips.
        audio_folder: Folder in the layout of Hugging Face datasets: metadata.csv or metadata.jsonl beside the audio.
        lhotse: Cuts of Lhotse, .jsonl or .jsonl.gz, or a folder of such files.
        webdataset: Folder of WebDataset .tar files, or one of them.
        split_by: Split anew, whatever the corpus says: no speaker, or no recording, is in two splits.
        split_shares: Share of the speakers or recordings that each split gets; the rest is train.
        split_seed: Another seed, another split.
    """

    manifest: str | Path | None = None
    audio_root: str | Path | None = None
    columns: dict[str, str] = field(default_factory=dict)
    librispeech: str | Path | None = None
    mls: str | Path | None = None
    common_voice: str | Path | None = None
    audio_folder: str | Path | None = None
    lhotse: str | Path | None = None
    webdataset: str | Path | None = None
    split_by: Literal["speaker", "recording"] | None = None
    split_shares: dict[str, float] = field(default_factory=lambda: {"dev": 0.05, "test": 0.05})
    split_seed: int = 0


def read_corpus(options: CorpusOptions) -> list[Utterance]:
    """Reads the corpus that the options name, and splits it where they say so.

    Args:
        options: See `CorpusOptions`.
    Returns:
        The utterances in the order of the corpus. Ids may repeat: `texts` rejects the later ones.
    Raises:
        ValueError: The options name no corpus or two, or it cannot be used.
    """
    if (options.manifest is None) == (options.librispeech is None):
        raise ValueError("Name one corpus: --manifest FILE.tsv with --audio_root DIR, or --librispeech DIR.")
    if options.librispeech is not None:
        return read_librispeech(Path(options.librispeech))
    if options.audio_root is None:
        raise ValueError("--manifest needs --audio_root, the folder that its paths are relative to.")
    return read_tsv(Path(options.manifest), Path(options.audio_root))
