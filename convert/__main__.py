"""`python -m convert SRC DST [--verify]`: any checkpoint to config.json, model.safetensors and processor files."""

import argparse
import os
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Converts, prints the report and writes it; returns 0 if there was no finding, else 1."""
    options = _parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # fewer of TensorFlow's notes on stderr
    from convert.conversion import convert  # TensorFlow takes seconds: not for --help

    try:
        report = convert(options.source, options.folder, options.verify, options.revision)
    except (OSError, ValueError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"convert: interrupted; {options.folder} holds nothing that loads.", file=sys.stderr)
        return 130
    print(report)
    return 1 if report.findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert",
        description="Writes any wav2vec 2.0, HuBERT, data2vec-audio or WavLM checkpoint as config.json, "
        "model.safetensors (float32) and processor files, prints what became of every tensor, and exits with 1 if "
        "anything does not fit.",
    )
    parser.add_argument("source", metavar="SRC", help="folder, weight file, hub id (org/name), gs:// folder")
    parser.add_argument("folder", metavar="DST", type=Path, help="folder to write; empty or absent")
    parser.add_argument("--verify", action="store_true", help="load the result and compare every weight, bit by bit")
    parser.add_argument("--revision", help="branch, tag or commit on the hub")
    return parser


if __name__ == "__main__":
    sys.exit(main())
