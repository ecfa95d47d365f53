"""Shows what is in a folder of shards, and checks it.

    python -m data_tools.inspect DIR [--verify] [--out FOLDER]

Prints hours, lengths, labels per second, characters, speakers and rejects, and writes inspection.html (the same with
samples to listen to, in one file) and inspection.png. Without --verify only the shards that hold the samples are read.
The exit status is 1 where anything is wrong.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# what imports TensorFlow is imported in `main`, after its flags

PAGE, PICTURE = "inspection.html", "inspection.png"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: Flags; those of the process if None.
    Returns:
        0; 1 if something is wrong with the shards, or after an error told on stderr; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported, which is below
    from data_tools.inspect_text import describe

    try:
        found = inspect(options.folder, options.verify, options.out)
    except (ValueError, OSError, ImportError) as error:
        print(f"inspect: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("inspect: interrupted; nothing was written", file=sys.stderr)
        return 130
    print(describe(found))
    return 1 if found.findings else 0


def inspect(folder: str, verify: bool = False, out: Path | None = None):
    """Looks into a folder of shards and writes the page and the picture.

    Args:
        folder: What make_tfrecords was given as --out.
        verify: Whether every record is read and checked.
        out: Where the page and the picture go; None puts them beside the shards.
    Returns:
        The `survey.Survey`.
    Raises:
        ValueError: There are no finished shards, or none with records; or they are in a bucket, and `out` is None.
        OSError: Something cannot be read or written.
    """
    from data_tools.index import load_index
    from data_tools.inspect_page import draw, page
    from data_tools.place import Place
    from data_tools.survey import survey
    from wav2vec2_tf.files import make_folder, write_text, write_whole

    if out is None and Place.of(folder).is_bucket:
        raise ValueError(f"The page and the picture go to a folder on this machine; {folder} is none. Name one: --out.")
    index = load_index(folder)
    if not index.splits or not all(len(index.lengths(split)) for split in index.splits):
        raise ValueError(f"{folder} has a split without records, or no split. Write the shards again.")
    target = make_folder(folder if out is None else out)
    found = survey(index, every_shard=verify)
    picture = draw(found)
    write_whole(target / PICTURE, lambda part: part.write_bytes(picture))
    write_text(target / PAGE, page(found, picture))
    print(f"{target / PAGE} and {PICTURE} written\n")
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m data_tools.inspect",
        description="Shows what is in a folder of shards: on the terminal, as inspection.png, and as inspection.html "
        "with samples to listen to. The exit status is 1 where anything is wrong.",
    )
    parser.add_argument("folder", metavar="DIR", help="what make_tfrecords was given as --out, also in a bucket")
    parser.add_argument("--verify", action="store_true", help="read every record: checksums, fields, lengths")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the page and the picture; default: DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
