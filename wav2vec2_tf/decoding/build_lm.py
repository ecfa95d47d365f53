"""An n-gram language model from text or from the transcripts of shards: `python -m wav2vec2_tf.decoding.build_lm`.

lmplz does the work where it is installed, since it also takes text that does not fit into memory; otherwise `ngram`
does, with the same figures. Using the model is `beam`'s part.
"""

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from wav2vec2_tf.decoding.arpa import words_of, write_arpa
from wav2vec2_tf.decoding.ngram import FALLBACK_DISCOUNTS, estimate
from wav2vec2_tf.files import write_whole

_ORDER = 4


def build(sentences: Iterable[list[str]], order: int, out: Path) -> str:
    """Writes a language model of sentences.

    Args:
        sentences: Words, or labels.
        order: Words of the longest n-grams.
        out: The file to write, .arpa or .arpa.gz.
    Returns:
        What estimated it: "lmplz" or "Python".
    Raises:
        ValueError: There is nothing to learn from.
        OSError: It cannot be written, or lmplz failed.
    """
    lmplz = shutil.which("lmplz")
    if lmplz is None:
        write_arpa(out, estimate(sentences, order))
        return "Python"
    write_whole(out, lambda part: _run(lmplz, sentences, order, part, out.suffix == ".gz"))
    return "lmplz"


def _run(lmplz: str, sentences: Iterable[list[str]], order: int, part: Path, compressed: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="wav2vec2_tf-") as folder:
        text, arpa = Path(folder) / "text", Path(folder) / "arpa"
        with text.open("w", encoding="utf-8") as file:
            file.writelines(" ".join(words) + "\n" for words in sentences)
        fallback = [str(discount) for discount in FALLBACK_DISCOUNTS]
        where = ["-T", folder, "--text", text, "--arpa", arpa]
        command = [lmplz, "-o", str(order), *where, "--discount_fallback", *fallback]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"lmplz failed (status {done.returncode}): {done.stderr.strip()[-500:]}")
        with arpa.open("rb") as source, (gzip.open if compressed else open)(part, "wb") as target:
            shutil.copyfileobj(source, target)


def lines_of(paths: Iterable[Path], rules: Iterable[str]) -> Iterator[str]:
    """Reads text, a sentence a line, by rules; what lines lose by them is lost, empty lines are left out.

    Args:
        paths: Text files in UTF-8, plain or .gz.
        rules: Names of text rules (`wav2vec2_tf.text.normalize`).
    Raises:
        OSError: A file cannot be read.
        ValueError: A rule is unknown, or a file is cut short or no text.
    """
    from wav2vec2_tf.text.normalize import normalize

    for path in paths:
        try:
            with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
                yield from filter(None, (normalize(line, rules).strip() for line in file))
        except (UnicodeDecodeError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is no whole text in UTF-8 ({error}). Save or fetch it again.") from error


def transcripts_of(data: str, split: str) -> Iterator[str]:
    """Reads the transcripts of a split of shards, as they are there: the rules have been applied to them.

    Args:
        data: Folder written by `data_tools.make_tfrecords`.
        split: Which part of the corpus.
    Raises:
        OSError, ValueError: There are no shards, or no such split.
    """
    import tensorflow as tf

    from data_tools.index import load_index
    from data_tools.schema import parse

    index = load_index(data)
    files = [str(index.folder / shard.file) for shard in index.shards(split)]
    for fields in tf.data.TFRecordDataset(files).map(parse).as_numpy_iterator():
        yield fields["text"].decode()


def as_labels(lines: Iterable[str], tokenizer) -> Iterator[list[str]]:
    """Turns text into labels, the one between words among them.

    Text that never parts words, such as Chinese, is followed by that label alone, once: by it `beam` tells a model of
    labels from one of words that are characters.

    Args:
        lines: Sentences.
        tokenizer: A `Wav2Vec2CTCTokenizer`; lines with characters that have no label are left out.
    """
    tokens = {label: token for token, label in tokenizer.vocab.items()}
    delimiter, has_labels, has_delimiter = tokenizer.word_delimiter_token, False, False
    for line in lines:
        try:
            labels = tokenizer.encode(line)
        except ValueError:  # there is no label for unknown characters
            continue
        if tokenizer.unk_token_id not in labels:
            units = [tokens[label] for label in labels]
            has_labels, has_delimiter = has_labels or bool(units), has_delimiter or delimiter in units
            yield units
    if delimiter is not None and has_labels and not has_delimiter:
        yield [delimiter]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        if (options.data is None) == (options.text is None):
            raise ValueError("Give --text FILE..., or --data FOLDER, whose transcripts are taken; one of them.")
        lines = lines_of(options.text, options.rules) if options.text else transcripts_of(options.data, options.split)
        by = build(_units(lines, options.tokenizer), options.order, options.out)
    except (OSError, ValueError, ImportError) as error:
        print(f"build_lm: {error}", file=sys.stderr)
        return 1
    units = f"{len(words_of(options.out))} {'labels' if options.tokenizer else 'words'}"
    print(f"{options.out}: {options.order}-gram of {units}, {options.out.stat().st_size} bytes, estimated by {by}")
    return 0


def _units(lines: Iterable[str], model: str | None) -> Iterable[list[str]]:
    if model is None:
        return (line.split() for line in lines)
    from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

    return as_labels(lines, Wav2Vec2CTCTokenizer.from_pretrained(model))


def _parser() -> argparse.ArgumentParser:
    from wav2vec2_tf.text.normalize import DEFAULT_RULES

    parser = argparse.ArgumentParser(
        prog="python -m wav2vec2_tf.decoding.build_lm",
        description="Makes an n-gram language model (ARPA) with modified Kneser-Ney smoothing. KenLM's lmplz does it "
        "where it is on the PATH; otherwise the same is computed in memory, which is enough for some million words.",
    )
    parser.add_argument("--text", nargs="+", type=Path, metavar="FILE", help="text, a sentence a line, plain or .gz")
    parser.add_argument("--rules", nargs="*", default=list(DEFAULT_RULES), metavar="RULE",
                        help="text rules for --text; those of the model's shards (default: %(default)s)")  # fmt: skip
    parser.add_argument("--data", metavar="FOLDER", help="shards, whose transcripts are taken in the place of --text")
    parser.add_argument("--split", default="train", help="split of --data (default: %(default)s)")
    parser.add_argument("--order", type=int, default=_ORDER, help="words of the longest n-grams (default: %(default)s)")
    parser.add_argument("--tokenizer", metavar="MODEL", help="make a model of this model's labels, not of words")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="what to write: .arpa or .arpa.gz")
    return parser


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())
