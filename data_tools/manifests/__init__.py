"""Corpora as they are published -> `Utterance`s: which corpus is meant, and who reads it.

Each layout has a module of its own. Splitting anew is left to `splits`, the texts to `texts`, decoding to `clips`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from data_tools.manifest import ManifestError, Utterance
from data_tools.manifests.audio_folder import read_audio_folder
from data_tools.manifests.common_voice import read_common_voice
from data_tools.manifests.lhotse import read_lhotse
from data_tools.manifests.librispeech import read_librispeech, read_mls
from data_tools.manifests.tabular import read_table
from data_tools.manifests.webdataset import read_webdataset
from data_tools.sources import place
from data_tools.splits import split_anew

__all__ = ["CorpusOptions", "read_corpus"]


@dataclass(frozen=True, kw_only=True)
class CorpusOptions:
    """Which recordings, and how they are split. Name one corpus; every path may be gs://.

    Args:
        manifest: Table of recordings: .tsv (no quoting), .csv or .jsonl, UTF-8; columns path and transcript,
            optionally speaker, split, id, start and duration (seconds), channel (from 0; else their mean).
        audio_root: Folder that paths in the manifest, or in the cuts, are relative to.
        columns: What those columns are called in the manifest, the audio folder's metadata or the .json of a
            WebDataset, where they differ, such as {path: wav, transcript: sentence}.
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
    name = _named(options)
    if name == "manifest" and options.audio_root is None:
        raise ValueError("--manifest needs --audio_root, the folder that its paths are relative to.")
    utterances = _READERS[name](place(getattr(options, name)), options)
    if not utterances:
        raise ManifestError(f"--{name} {getattr(options, name)} lists no utterance.")
    if options.split_by is None:
        return utterances
    return split_anew(utterances, options.split_by, options.split_shares, options.split_seed)


def _named(options: CorpusOptions) -> str:
    named = [name for name in _READERS if getattr(options, name) is not None]
    if len(named) == 1:
        return named[0]
    raise ValueError(
        f"Name one corpus, not {len(named)}: --manifest FILE.tsv with --audio_root DIR, or one of "
        f"{', '.join(f'--{name}' for name in _READERS if name != 'manifest')}."
    )


_READERS: dict[str, Callable[[Path | str, CorpusOptions], list[Utterance]]] = {
    "manifest":     lambda table, options: read_table(table, place(options.audio_root), options.columns),
    "librispeech":  lambda folder, options: read_librispeech(folder),
    "mls":          lambda folder, options: read_mls(folder),
    "common_voice": lambda folder, options: read_common_voice(folder),
    "audio_folder": lambda folder, options: read_audio_folder(folder, options.columns),
    "lhotse":       lambda cuts, options: read_lhotse(cuts, place(options.audio_root or ".")),
    "webdataset":   lambda tars, options: read_webdataset(tars, options.columns),
}  # fmt: skip
