"""When the words of a known text are said: `align_text`, and `python -m wav2vec2_tf.align --model SOURCE AUDIO TEXT`.

The model is asked through the `Transcriber`, in windows, so that recordings may be hours long; where the words lie is
found by `decoding.alignment`, files are written by `formats`.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from wav2vec2_tf import audio
from wav2vec2_tf.decoding.alignment import align
from wav2vec2_tf.decoding.spelling import spell
from wav2vec2_tf.decoding.transcript import Transcript
from wav2vec2_tf.files import make_folder
from wav2vec2_tf.formats import FORMATS, format_names, render, write
from wav2vec2_tf.transcriber import Transcriber

_DOUBTFUL = 0.01  # a word of less confidence is hardly said there
_MOST_NAMED = 5  # words that a message lists


def align_text(transcriber: Transcriber, source, text: str, progress: bool = False) -> Transcript:
    """Finds when the words of a text are said in a recording.

    Args:
        transcriber: Whose model listens; its decoder is not asked.
        source: A recording of any length, as for `Transcriber.transcribe`.
        text: What is said in it, as written: case and punctuation stay. Digits and letters that the model cannot spell
            are taken for speech of any kind, and a word with such has confidence 0; so a "#" stands for speech that
            the text lacks.
        progress: Show on stderr how much was heard.
    Returns:
        The text with all its words in order, and the model's labels as characters.
    Raises:
        AudioError, OSError, ValueError: As for `Transcriber.transcribe`; or the text has no word, or more than the
            recording can hold.
    """
    tokenizer, seconds_per_frame = transcriber.processor.tokenizer, transcriber.seconds_per_frame
    spelling = spell(text, tokenizer, transcriber.model.config.vocab_size)
    is_file = isinstance(source, str | os.PathLike | bytes)
    seconds = audio.duration_seconds(source) if is_file else None  # None of what lies in a bucket
    windows = transcriber.log_probs(source)
    heard = np.concatenate(list(_shown(windows, seconds, seconds_per_frame) if progress else windows))
    found = align(heard, spelling, tokenizer, seconds_per_frame)
    return replace(found, duration_seconds=seconds or found.duration_seconds)


def _shown(windows: Iterator[np.ndarray], seconds: float | None, seconds_per_frame: float) -> Iterator[np.ndarray]:
    layout = (
        "{percentage:3.0f}% of the audio heard [{elapsed}<{remaining}]" if seconds else "{n:.0f} s heard [{elapsed}]"
    )
    with tqdm(total=seconds, bar_format=layout, leave=False, disable=None) as bar:
        for window in windows:
            yield window
            bar.update(len(window) * seconds_per_frame)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 when the text was aligned."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # fewer of TensorFlow's notes on stderr
    try:
        options.format = format_names(options.format)
        if options.out is None and len(options.format) > 1:
            raise ValueError("Only one format fits on stdout. Say where files go: --out FOLDER.")
        text = _read(options.text)
        transcriber = Transcriber.from_pretrained(options.model, target_lang=options.target_lang)
        found = align_text(transcriber, options.audio, text, progress=True)
        _put(found, options)
    except (OSError, ValueError, ImportError) as error:  # without gcsfs there is no gs://
        print(f"align: {error}", file=sys.stderr)
        return 1
    print("\n".join(_report(found)), file=sys.stderr)
    return 0


def _read(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8 ({error}). Save it as UTF-8.") from error


def _put(found: Transcript, options: argparse.Namespace) -> None:
    name = Path(options.audio).stem
    if options.out is None:
        print(render(found, options.format[0], name), end="")
        return
    folder = make_folder(options.out)
    for format in options.format:
        write(found, folder / (name + FORMATS[format].suffix), format)


def _report(found: Transcript) -> Iterator[str]:
    """Tells how well the text and the recording fit, and which words to look at."""
    words = len(found.words)
    yield f"{words} words in {found.duration_seconds:.1f} s, confidence {found.confidence:.2f}"
    wild = [word for word in found.words if word.confidence == 0]
    if wild:
        yield f"{len(wild)} cannot be spelled with the model's labels and lie where something is said: {_named(wild)}"
    doubtful = [word for word in found.words if 0 < word.confidence < _DOUBTFUL]
    if doubtful:
        yield f"{len(doubtful)} are hardly heard (confidence below {_DOUBTFUL}): {_named(doubtful)}"
        yield "Where more is said than the text has, write a # of its own into the text."
    if 2 * (len(wild) + len(doubtful)) > words:
        yield "That is most of them: does this text belong to this recording, and to this model's language?"


def _named(words: list) -> str:
    named = [f"{word.text} ({word.start_seconds:.1f} s)" for word in words[:_MOST_NAMED]]
    return ", ".join(named) + (", ..." if len(words) > _MOST_NAMED else "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wav2vec2_tf.align",
        description="Finds when the words of a text are said in a recording of any length. Without --out the result "
        "goes to stdout. How well the two fit, and which words to look at, is told on stderr.",
    )
    source = "model folder such as RUN/best, hub id such as facebook/wav2vec2-base-960h, gs:// folder, or fairseq's .pt"
    parser.add_argument("--model", required=True, metavar="SOURCE", help=source)
    parser.add_argument("--target_lang", metavar="LANG", help="language of a multilingual model (MMS), such as swe")
    form = f"what to write, with commas between: {', '.join(FORMATS)}; tsv, a word a row, by default"
    parser.add_argument("--format", default="tsv", metavar="FORMAT[,FORMAT]", help=form)
    parser.add_argument("--out", metavar="FOLDER", help="where to write a file per format, named like the recording")
    parser.add_argument("audio", metavar="AUDIO", help="recording in any format libsndfile reads, or gs:// address")
    parser.add_argument("text", metavar="TEXT", help="file with what is said, in UTF-8, a line a subtitle; - is stdin")
    return parser


if __name__ == "__main__":
    sys.exit(main())
