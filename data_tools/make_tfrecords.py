"""Writes a corpus as TFRecord shards.

    python -m data_tools.make_tfrecords --manifest FILE.tsv --audio_root DIR --out OUT
    python -m data_tools.make_tfrecords --librispeech DIR --out OUT

OUT gets the shards, vocab.json (with --subwords: tokenizer.model), rejects.tsv (clips left out and why), report.txt,
lengths.png and, last, index.json.
The shards do not depend on the number of workers. A run that was stopped goes on when it is asked for again.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import jsonargparse

from data_tools import report
from data_tools.assembly import Cutting, check_space, planned, put_together, settings, write_all, write_all_by_beam
from data_tools.clips import Limits, Rejection
from data_tools.index import INDEX_FILE, Index, disk_error, load_index, save_index
from data_tools.manifests import CorpusOptions, read_corpus
from data_tools.place import Place
from data_tools.plan_report import describe_plan
from data_tools.progress import Progress, refuse_others
from data_tools.splits import describe_leaks, find_leaks
from data_tools.texts import Texts, settle_corpus
from data_tools.vocabulary import save_vocabulary, vocabulary_file
from data_tools.workers import Workers
from data_tools.writer import Recipe
from wav2vec2_tf.text.normalize import DEFAULT_RULES, check_rules

COMPANIONS = ("rejects.tsv", "report.txt", "lengths.png")

_ABOUT = "Writes a corpus as TFRecord shards; a run that was stopped goes on when it is asked for again."
_SHOWN_LINES = 60  # of the vocabulary's account


@dataclass(frozen=True, kw_only=True)
class Options(CorpusOptions):
    """What to write, and how; the corpus is named as `CorpusOptions` says.

    Args:
        out: Folder for the shards, local or gs://; it must not hold any but those of the same run, stopped.
        text_rules: What makes labels out of transcripts, in order, such as [nfc,lower]; the names are those of
            wav2vec2_tf.text.normalize.
        vocab: A vocab.json; a text with other characters is rejected. Without it, one is built from the transcripts.
            Or a tokenizer.model of subwords.
        subwords: Build a vocabulary of so many pieces of words instead of characters, such as 500 (extra: subwords).
        subword_kind: How the pieces are found: the most frequent pairs joined, or the likeliest kept.
        encoding: Form of the audio in the records: samples as they are, or FLAC, which takes about half the room.
        shard_megabytes: Size of a shard.
        shuffle_seed: Shuffles the utterances of a split over its shards; without it they keep the corpus' order.
        min_seconds: Shorter clips are rejected.
        max_seconds: Longer clips are rejected.
        workers: Processes that decode and write; 0 is one per core.
        runner: Who writes: processes of this machine, or Apache Beam (extra: beam).
        beam_options: Beam's own, such as [--runner=DataflowRunner,--project=NAME]; without any, this machine works.
        plan: Tell what would become of the corpus, and write nothing.
    """

    out: Path
    text_rules: tuple[str, ...] = DEFAULT_RULES
    vocab: Path | None = None
    subwords: int | None = None
    subword_kind: Literal["bpe", "unigram"] = "bpe"
    encoding: Literal["pcm", "flac"] = "pcm"
    shard_megabytes: float = 100.0
    shuffle_seed: int | None = None
    min_seconds: float = 0.1
    max_seconds: float = 40.0
    workers: int = 0
    runner: Literal["local", "beam"] = "local"
    beam_options: tuple[str, ...] = ()
    plan: bool = False


def make_tfrecords(options: Options) -> Index:
    """Writes a corpus and tells about it on the terminal.

    Args:
        options: See `Options`.
    Returns:
        What was written.
    Raises:
        ValueError: An option or the corpus is wrong; nothing was written.
        OSError: `out` holds other shards already, the disk is full, or a bucket cannot be used.
        RuntimeError: A worker process died.
    """
    started = time.monotonic()
    rules = check_rules(options.text_rules)
    place = Place.of(options.out)
    refuse_others(place)
    utterances = read_corpus(options)
    texts = settle_corpus(utterances, rules, options.vocab, options.subwords, options.subword_kind)
    leakage = "\n".join(describe_leaks(find_leaks(utterances)))
    print(f"{_shortened(texts.account)}\n{leakage}", flush=True)
    recipe = Recipe(place, Limits(options.min_seconds, options.max_seconds), options.encoding)
    cutting = Cutting(int(options.shard_megabytes * 1e6), options.shuffle_seed)
    progress = Progress(place, settings(texts, cutting, recipe))
    if progress.begun() and progress.is_complete():
        progress.forget()
        print(f"{place} was finished already")
        return load_index(place)
    (index, rejections), seconds_written = _write(texts, recipe, cutting, progress, options)
    told = report.describe(index, time.monotonic() - started, len(utterances), seconds_written)
    try:
        save_vocabulary(texts.tokenizer, place)
        _write_companions(index, rejections, f"{told}\n{leakage}\n\n{texts.account}\n")
        if index.splits:
            save_index(index)
        progress.forget()
    except OSError as error:
        raise disk_error(options.out, error, "The shards are finished, their index is not.") from error
    if not index.splits:
        raise ValueError(f"All {len(utterances)} utterances were rejected; {options.out}/rejects.tsv says why.")
    print(f"{told}\n{place}: shards, {vocabulary_file(texts.tokenizer)}, {', '.join(COMPANIONS)}, {INDEX_FILE}")
    return index


def tell_plan(options: Options) -> str:
    """Tells what would become of a corpus: characters, what is left out, lengths, size, shards; writes nothing.

    Args:
        options: See `Options`.
    Raises:
        ValueError: An option or the corpus is wrong.
    """
    utterances = read_corpus(options)
    rules = check_rules(options.text_rules)
    texts = settle_corpus(utterances, rules, options.vocab, options.subwords, options.subword_kind)
    cutting = Cutting(int(options.shard_megabytes * 1e6), options.shuffle_seed)
    limits = Limits(options.min_seconds, options.max_seconds)
    return describe_plan(utterances, texts, limits, cutting, options.encoding, options.workers)


def _write(texts: Texts, recipe: Recipe, cutting: Cutting, progress: Progress, options: Options):
    """Writes the shards; those that a run that was stopped has finished stay."""
    if recipe.place.is_bucket:
        recipe.place.check_writable()  # before hours of work
    with Workers(options.workers) as workers:
        plan = planned(progress, texts.jobs, cutting, recipe.encoding, workers)
        accounts = progress.finished()
        if accounts:
            print(f"{recipe.place}: {len(accounts)} of {plan.num_shards} shards are there already", flush=True)
        check_space(progress, plan, accounts, texts.jobs)
        progress.begin(plan.cuts)
        if options.runner == "beam":
            seconds_written = write_all_by_beam(plan, texts.jobs, recipe, accounts, progress, options.beam_options)
        else:
            seconds_written = write_all(plan, texts.jobs, recipe, accounts, workers)
    return put_together(plan, texts, recipe, accounts), seconds_written


def _shortened(text: str) -> str:
    lines = text.split("\n")
    if len(lines) <= _SHOWN_LINES:
        return text
    return "\n".join([*lines[:_SHOWN_LINES], f"... {len(lines) - _SHOWN_LINES} more lines in report.txt"])


def _write_companions(index: Index, rejections: Sequence[Rejection], told: str) -> None:
    place = Place.of(index.folder)
    place.write_text("rejects.tsv", report.rejects_table(rejections))
    place.write_text("report.txt", told)
    with place.workshop() as folder:
        picture = folder / "lengths.png.part"
        report.draw(index, picture)
        place.upload(picture, "lengths.png")


def _underscored(arguments: Sequence[str]) -> list[str]:
    """Lets flags be spelled --audio-root as well as --audio_root, and --plan for --plan=true."""
    flags = (("--plan=true" if argument == "--plan" else argument).partition("=") for argument in arguments)
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
        options = jsonargparse.auto_cli(Options, args=arguments, as_positional=False, description=_ABOUT)
        if options.plan:
            print(tell_plan(options))
        else:
            make_tfrecords(options)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        print(f"make_tfrecords: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("make_tfrecords: interrupted; ask for the same again and it goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
