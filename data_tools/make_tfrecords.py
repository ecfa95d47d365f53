"""Writes a corpus as TFRecord shards.

    python -m data_tools.make_tfrecords --manifest FILE.tsv --audio_root DIR --out OUT
    python -m data_tools.make_tfrecords --librispeech DIR --out OUT

OUT gets the shards, vocab.json, rejects.tsv (clips left out and why), report.txt, lengths.png and, last, index.json.
The shards do not depend on the number of workers.
"""

import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
from tqdm import tqdm

from data_tools import report
from data_tools.clips import Clip, Job, Limits, Rejection, prepare_all
from data_tools.index import INDEX_FILE, Index, disk_error, save_index
from data_tools.manifest import Utterance
from data_tools.manifests.librispeech import read_librispeech
from data_tools.manifests.tabular import read_table
from data_tools.texts import read_vocabulary, settle_texts
from wav2vec2_tf.audio import duration_seconds
from wav2vec2_tf.files import write_json, write_text
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ
from wav2vec2_tf.text.normalize import DEFAULT_RULES, check_rules
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.text.vocabulary import build_vocabulary

# data_tools.writer imports TensorFlow; worker processes import this module, so it is imported where it is used

COMPANIONS = ("vocab.json", "rejects.tsv", "report.txt", "lengths.png")

_ABOUT = (
    "Writes a corpus as TFRecord shards, from a table (--manifest, --audio_root) or from LibriSpeech (--librispeech)."
)
_PROBED = 200  # headers read to estimate the size of a corpus
_SHOWN_LINES = 60  # of the vocabulary's account


@dataclass(frozen=True)
class Options:
    """What to write, and how.

    Args:
        out: Folder for the shards; it must not hold any yet.
        manifest: Table of recordings: UTF-8, tab separated, no quoting, a header; columns path and transcript,
            optionally speaker, split and id.
        audio_root: Folder that the manifest's paths are relative to.
        librispeech: LibriSpeech as unpacked, instead of a manifest.
        text_rules: What makes labels out of transcripts, in order, such as [nfc,lower]; the names are those of
            wav2vec2_tf.text.normalize.
        vocab: A vocab.json; a text with other characters is rejected. Without it, one is built from the transcripts.
        shard_megabytes: Size of a shard.
        min_seconds: Shorter clips are rejected.
        max_seconds: Longer clips are rejected.
        workers: Processes that decode; 0 is one per core.
    """

    out: Path
    manifest: Path | None = None
    audio_root: Path | None = None
    librispeech: Path | None = None
    text_rules: tuple[str, ...] = DEFAULT_RULES
    vocab: Path | None = None
    shard_megabytes: float = 100.0
    min_seconds: float = 0.1
    max_seconds: float = 40.0
    workers: int = 0


def make_tfrecords(options: Options) -> Index:
    """Writes a corpus and tells about it on the terminal.

    Args:
        options: See `Options`.
    Returns:
        What was written.
    Raises:
        ValueError: An option or the manifest is wrong; nothing was written.
        OSError: `out` holds shards already, or the disk is full.
    """
    started = time.monotonic()
    rules = check_rules(options.text_rules)
    utterances = read_utterances(options)
    _check_folder(options.out)
    if options.vocab is None:
        tokenizer, vocabulary = build_vocabulary((utterance.text for utterance in utterances), rules)
    else:
        tokenizer = read_vocabulary(options.vocab)
        vocabulary = f"{len(tokenizer)} tokens from {options.vocab}"
    print(_shortened(str(vocabulary)), flush=True)
    jobs, rejections = settle_texts(utterances, rules, tokenizer if options.vocab else None)
    _check_space(options.out, [job.utterance for job in jobs])
    index = _write_shards(jobs, options, rules, rejections)
    told = report.describe(index, time.monotonic() - started, len(utterances))
    try:
        _write_companions(index, tokenizer, rejections, f"{told}\n{vocabulary}\n")
        if not index.splits:
            raise ValueError(f"All {len(utterances)} utterances were rejected; {options.out}/rejects.tsv says why.")
        save_index(index)
    except OSError as error:
        raise disk_error(options.out, error, "Remove that folder: its shards have no index.") from error
    print(f"{told}\n{options.out}: shards, {', '.join(COMPANIONS)}, {INDEX_FILE}")
    return index


def _write_shards(jobs: Sequence[Job], options: Options, rules: tuple[str, ...], rejections: list[Rejection]) -> Index:
    options.out.mkdir(parents=True, exist_ok=True)
    characters: Counter[str] = Counter()
    clips = _accepted(jobs, options, rejections, characters)
    from data_tools.writer import write_shards

    splits = write_shards(clips, options.out, int(options.shard_megabytes * 1e6))
    rejected = dict(Counter(rejection.reason for rejection in rejections).most_common())
    return Index(options.out, SAMPLE_RATE_HZ, rules, dict(characters.most_common()), rejected, splits)


def _shortened(text: str) -> str:
    lines = text.split("\n")
    if len(lines) <= _SHOWN_LINES:
        return text
    return "\n".join([*lines[:_SHOWN_LINES], f"... {len(lines) - _SHOWN_LINES} more lines in report.txt"])


def read_utterances(options: Options) -> list[Utterance]:
    """Reads the manifest that the options name.

    Raises:
        ValueError: They name none or two, or it cannot be used.
    """
    if (options.manifest is None) == (options.librispeech is None):
        raise ValueError("Name one corpus: --manifest FILE.tsv with --audio_root DIR, or --librispeech DIR.")
    if options.librispeech is not None:
        return read_librispeech(options.librispeech)
    if options.audio_root is None:
        raise ValueError("--manifest needs --audio_root, the folder that its paths are relative to.")
    return read_table(options.manifest, options.audio_root)


def _check_folder(out: Path) -> None:
    found = sorted(path.name for path in out.glob("*") if path.name == INDEX_FILE or ".tfrecord" in path.name)
    if found:
        raise FileExistsError(
            f"--out {out} already holds {found[0]} and {len(found) - 1} more files of shards. "
            "Remove that folder, or name another one."
        )


def _check_space(out: Path, utterances: Sequence[Utterance]) -> None:
    probed = utterances[:: max(1, len(utterances) // _PROBED)]
    seconds = [duration_seconds(utterance.audio) or 0.0 for utterance in probed]
    need = int(sum(seconds) / max(len(probed), 1) * len(utterances) * SAMPLE_RATE_HZ * 2)
    existing = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free
    if need > free:
        raise OSError(
            f"The shards will take about {need} bytes, {existing} has {free} free. Make room, or name an --out on "
            "another disk."
        )


def _accepted(
    jobs: Sequence[Job], options: Options, rejections: list[Rejection], characters: Counter[str]
) -> Iterator[Clip]:
    """Yields the clips to write; notes the others in `rejections`, and what the texts are made of in `characters`."""
    limits = Limits(options.min_seconds, options.max_seconds)
    prepared = prepare_all(jobs, limits, options.workers or os.cpu_count() or 1)
    for result in tqdm(prepared, total=len(jobs), unit="clip", desc="shards", smoothing=0.05):
        if isinstance(result, Rejection):
            rejections.append(result)
        else:
            characters.update(result.job.text)
            yield result


def _write_companions(
    index: Index, tokenizer: Wav2Vec2CTCTokenizer, rejections: Sequence[Rejection], told: str
) -> None:
    write_json(index.folder / "vocab.json", tokenizer.vocab)
    write_text(index.folder / "rejects.tsv", report.rejects_table(rejections))
    write_text(index.folder / "report.txt", told)
    report.draw(index, index.folder / "lengths.png")


def _underscored(arguments: Sequence[str]) -> list[str]:
    """Lets flags be spelled --audio-root as well as --audio_root."""
    flags = (argument.partition("=") for argument in arguments)
    return [
        ("--" + flag[2:].replace("-", "_") if flag.startswith("--") else flag) + equals + value
        for flag, equals, value in flags
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Flags; those of the process if None.
    Returns:
        0; 1 after an error told on stderr; 130 after Ctrl-C.
    """
    arguments = _underscored(sys.argv[1:] if arguments is None else arguments)
    try:
        make_tfrecords(jsonargparse.auto_cli(Options, args=arguments, as_positional=False, description=_ABOUT))
    except (ValueError, OSError, RuntimeError) as error:
        print(f"make_tfrecords: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make_tfrecords: interrupted; --out has no index.json and so does not count as shards", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
