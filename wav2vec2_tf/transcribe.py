"""`python -m wav2vec2_tf.transcribe --model SOURCE FILE...`: recordings of any kind to text, subtitles or JSON.

Finding the recordings is `recordings`', transcribing them `transcriber`'s, what files look like `formats`'.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from wav2vec2_tf.decoding.beam import BeamDecoder
from wav2vec2_tf.decoding.presets import PRESETS
from wav2vec2_tf.decoding.transcript import Transcript
from wav2vec2_tf.files import make_folder
from wav2vec2_tf.formats import FORMATS, format_names, render, write
from wav2vec2_tf.recordings import Entry, expand, output_paths
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.transcriber import Transcriber

_PRESET = PRESETS["base_960h"]
__all__ = ["Transcriber", "Transcript", "main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 when every recording was transcribed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # fewer of TensorFlow's notes on stderr
    try:
        options.format = format_names(options.format)
        entries = expand(options.files)
        if options.out is None and options.format != ["txt"] and (len(entries) > 1 or len(options.format) > 1):
            raise ValueError("Only the text of several recordings fits on stdout. Say where files go: --out FOLDER.")
        paths = None if options.out is None else output_paths(entries, make_folder(options.out))
        transcriber = Transcriber.from_pretrained(
            options.model, target_lang=options.target_lang, window_seconds=options.window_seconds
        )
        if options.lm or options.hot_word:
            transcriber.decoder = _decoder(transcriber.processor.tokenizer, options)
    except (OSError, ValueError, ImportError) as error:
        return _fail(error)
    with tqdm(unit=" s of audio", unit_scale=True, disable=None) as bar:
        results = transcriber.transcribe_all([entry.recording for entry in entries], bar.update)
        try:
            if paths is None:
                return _print(entries, results, options.format[0])
            return _write(paths, results, options.format)
        except MemoryError as error:
            return _fail(error)


def _decoder(tokenizer: Wav2Vec2CTCTokenizer, options: argparse.Namespace) -> BeamDecoder:
    pairs = [hot.rpartition("=") for hot in options.hot_word]
    try:
        hot_words = {words: float(nats) for words, _, nats in pairs}
    except ValueError:
        raise ValueError(f"--hot_word {' '.join(options.hot_word)}: write WORDS=NATS, such as PITTSBURGH=10.") from None
    weights = dict(lm_weight=options.lm_weight, word_score=options.word_score)
    return BeamDecoder(tokenizer, options.lm, hot_words=hot_words, **weights)


def _print(entries: Sequence[Entry], results: Iterable[Transcript | Exception], form: str) -> int:
    status = 0
    for entry, result in zip(entries, results, strict=True):
        if isinstance(result, Exception):
            status = _fail(result)
            continue
        text = render(result, form, entry.place).removesuffix("\n")
        tqdm.write(f"{entry.recording}\t{text}" if len(entries) > 1 else text)
        sys.stdout.flush()
    return status


def _write(paths: Sequence[Path], results: Iterable[Transcript | Exception], forms: Sequence[str]) -> int:
    written = 0
    for path, result in zip(paths, results, strict=True):
        try:
            if isinstance(result, Exception):
                raise result
            path.parent.mkdir(parents=True, exist_ok=True)
            for form in forms:
                write(result, path.with_name(path.name + FORMATS[form].suffix), form)
            written += 1
        except (OSError, ValueError, ImportError) as error:
            _fail(error)
    tqdm.write(f"{written} of {len(paths)} recordings were transcribed", file=sys.stderr)
    return int(written < len(paths))


def _fail(error: Exception) -> int:
    tqdm.write(f"transcribe: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wav2vec2_tf.transcribe",
        description="Transcribes recordings of any length. Without --out the text goes to stdout: one line per "
        "recording, with several as PATH<tab>TEXT. A recording that fails is reported on stderr, the rest go on, and "
        "the exit status is 1.",
    )
    source = "model folder such as RUN/best, hub id such as facebook/wav2vec2-base-960h, gs:// folder, or fairseq's .pt"
    parser.add_argument("--model", required=True, metavar="SOURCE", help=source)
    parser.add_argument("--target_lang", metavar="LANG", help="language of a multilingual model (MMS), such as swe")
    form = f"what to write, with commas between: {', '.join(FORMATS)}; txt by default"
    parser.add_argument("--format", default="txt", metavar="FORMAT[,FORMAT]", help=form)
    parser.add_argument("--out", metavar="FOLDER", help="where to write a file per recording and format")
    parser.add_argument(
        "--window_seconds", type=float, default=30.0, metavar="S", help="longer recordings are heard in windows; 30"
    )
    lm = "n-gram language model to search with: .arpa, .arpa.gz or KenLM binary; greedy decoding without"
    parser.add_argument("--lm", metavar="FILE", help=lm)
    weight = f"weight of the language model ({_PRESET.lm_weight:g}), and what each word adds ({_PRESET.word_score:g})"
    parser.add_argument("--lm_weight", type=float, default=_PRESET.lm_weight, metavar="W", help=weight)
    parser.add_argument("--word_score", type=float, default=_PRESET.word_score, metavar="W", help="see --lm_weight")
    hot = "words to be expected, and what each occurrence adds: 5 is little, 15 is much; may be given several times"
    parser.add_argument("--hot_word", action="append", default=[], metavar="WORDS=NATS", help=hot)
    files = "recordings, folders, patterns, manifests (.tsv, .csv, .jsonl with a column path), gs://, or - for stdin"
    parser.add_argument("files", nargs="+", metavar="FILE", help=files)
    return parser


if __name__ == "__main__":
    sys.exit(main())
