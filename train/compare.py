"""Compares two systems on the same utterances: `python -m train.compare A B`.

A and B are folders in which `train.evaluate` left its results, or such tables themselves. Prints which system makes
fewer errors and whether chance alone explains the difference; with --out also writes compare.json and a page. The work
is `train.comparison`'s.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from train.comparison import Comparison, compare
from train.comparison_page import page
from train.comparison_text import describe
from wav2vec2_tf.files import make_folder, write_json, write_text

NUMBERS, PAGE = "compare.json", "compare.html"


def main(argv: Sequence[str] | None = None) -> int:
    """Compares, prints and writes; returns the exit status."""
    options = _parser().parse_args(argv)
    try:
        if options.data and not options.out:
            raise ValueError("--data is for the page, which has players. Name a folder for it with --out.")
        tables = [_table(place, options.split) for place in (options.first, options.second)]
        comparison = compare(*tables, (options.first, options.second))
        print(describe(comparison))
        if options.out:
            print(f"\n{_save(comparison, make_folder(options.out), options.data, options.split)} written")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _table(place: str, split: str) -> Path:
    path = Path(place) / f"eval-{split}.tsv" if Path(place).is_dir() else Path(place)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there. Run train.evaluate first, or name another split with --split, or the file itself."
        )
    return path


def _save(comparison: Comparison, folder: Path, data: str | None, split: str) -> Path:
    ids = [pair.first.id for some in comparison.shown() for pair in some]
    audio = _audio(data, split, ids) if data else {}
    write_json(folder / NUMBERS, comparison.numbers())
    write_text(folder / PAGE, page(comparison, audio))
    return folder / PAGE


def _audio(data: str, split: str, ids: Sequence[str]):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported, which is below
    from data_tools.find import find_audio
    from data_tools.index import load_index

    return find_audio(load_index(data), split, ids)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.compare",
        description="Compares the word errors of two systems on the same utterances, by paired bootstrap.",
    )
    what = "folder with the eval-SPLIT.tsv that train.evaluate writes, or such a file, of any program: columns id, "
    parser.add_argument("first", metavar="A", help=what + "reference, hypothesis, separated by tabs")
    parser.add_argument("second", metavar="B", help="the other one")
    parser.add_argument("--split", default="test", help="split to compare; default: test")
    parser.add_argument("--out", metavar="FOLDER", help=f"for {NUMBERS} and {PAGE}; default: nothing is written")
    parser.add_argument("--data", metavar="DIR", help="the split's shards: the page then lets one listen")
    return parser


if __name__ == "__main__":
    sys.exit(main())
