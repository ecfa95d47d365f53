"""Audio files to text: the `Transcriber`, and `python -m wav2vec2_tf.transcribe --model SOURCE FILE...`.

Decoding of files is `audio`'s, choice of labels the model's best per frame. Recordings are taken in one piece;
hours of audio are left to chunking.
"""

import argparse
import os
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wav2vec2_tf import audio
from wav2vec2_tf.lengths import samples_for
from wav2vec2_tf.processor import Wav2Vec2Processor


@dataclass(frozen=True)
class Transcript:
    """What was heard in one recording.

    Args:
        text: The transcript; "" where the model hears no label.
        duration_seconds: Length of the recording.
    """

    text: str
    duration_seconds: float


class Transcriber:
    """Turns recordings into text with one model.

    Args:
        model: A `Wav2Vec2ForCTC`.
        processor: The `Wav2Vec2Processor` the model was trained with.
    Raises:
        ValueError: The two disagree on the labels (`Wav2Vec2Processor.check_model`).
    """

    def __init__(self, model, processor: Wav2Vec2Processor):
        processor.check_model(model.config)
        self.model = model
        self.processor = processor

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike, *, target_lang: str | None = None, **where) -> "Transcriber":
        """Loads model and processor from one place.

        Args:
            source: A folder, a hub id, a gs:// folder, or a fine-tuned .pt file of fairseq.
            target_lang: The language of a multilingual model (MMS), such as "swe": its vocabulary and its adapters.
            where: `revision`, `cache_dir`, `token`, `local_files_only`, as for `remote.fetch`.
        Raises:
            OSError: The source is not there or cannot be reached, or a file of model or processor is missing.
            ValueError: A file is damaged, the files do not fit together, or the model was only pretrained.
        """
        processor = Wav2Vec2Processor.from_pretrained(source, target_lang=target_lang, **where)
        from wav2vec2_tf.hub import FreshHeadWarning  # TensorFlow takes seconds: not for --help or a wrong folder
        from wav2vec2_tf.model_ctc import Wav2Vec2ForCTC

        with warnings.catch_warnings():
            warnings.simplefilter("error", FreshHeadWarning)
            try:
                model = Wav2Vec2ForCTC.from_pretrained(source, **where)
            except FreshHeadWarning as warning:
                raise ValueError(f"There is nothing to transcribe with: {warning}") from None
        if target_lang is not None:
            model.load_adapter(target_lang)
        return cls(model, processor)

    def transcribe(self, source) -> Transcript:
        """Transcribes one recording.

        Args:
            source: Path, bytes or open file in any format and at any rate (`wav2vec2_tf.audio.load`).
        Raises:
            AudioError: The recording cannot be read.
            ValueError: It is too short for a single frame (400 samples, 25 ms, in every published model).
        """
        rate_hz = self.processor.feature.sampling_rate
        samples = audio.load(source, sample_rate_hz=rate_hz)
        need = samples_for(1, self.model.config.convs)
        if len(samples) < need:
            name = source if isinstance(source, str | os.PathLike) else "the audio"
            raise ValueError(
                f"{name} holds {len(samples)} samples at {rate_hz} Hz; the model's first frame takes {need}. "
                "There is nothing to transcribe."
            )
        text = self.processor.decode(self._best_ids(self.processor(samples)))
        return Transcript(text, len(samples) / rate_hz)

    def _best_ids(self, values: np.ndarray) -> np.ndarray:
        padded = np.zeros((1, padded_length(len(values))), np.float32)
        padded[0, : len(values)] = values
        num_samples = np.array([len(values)], np.int32)
        num_frames = int(self.model.frame_lengths(num_samples)[0])
        return self._forward(padded, num_samples).numpy()[0, :num_frames]

    @cached_property
    def _forward(self):
        import tensorflow as tf

        @tf.function
        def forward(values, num_samples):
            return tf.argmax(self.model(values, num_samples=num_samples), axis=-1, output_type=tf.int32)

        return forward


def padded_length(num_samples: int) -> int:
    """Rounds a length up to one of a few, four per octave, so that few shapes are traced and compiled.

    Padding changes no result, and costs a quarter at most.

    >>> [padded_length(n) for n in (400, 16_000, 16_385, 100_000)]
    [16384, 16384, 20480, 114688]

    Args:
        num_samples: Real samples.
    Returns:
        Samples with padding; at least 2 ** 14, about a second.
    """
    step = max(1 << 12, 1 << (num_samples.bit_length() - 3))
    return max(1 << 14, -(-num_samples // step) * step)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns its exit status: 0 when every file was transcribed."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # fewer of TensorFlow's notes on stderr
    try:
        transcriber = Transcriber.from_pretrained(options.model, target_lang=options.target_lang)
    except (OSError, ValueError) as error:
        return _fail(error)
    status = 0
    for path in options.files:
        try:
            text = transcriber.transcribe(path).text
        except (OSError, ValueError) as error:
            status = _fail(error)
            continue
        print(f"{path}\t{text}" if len(options.files) > 1 else text, flush=True)
    return status


def _fail(error: Exception) -> int:
    print(f"transcribe: {error}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m wav2vec2_tf.transcribe",
        description="Prints the text of recordings: one line per file, with several files as PATH<tab>TEXT. "
        "A file that fails is reported on stderr, the rest go on, and the exit status is 1.",
    )
    source = "model folder such as RUN/best, hub id such as facebook/wav2vec2-base-960h, gs:// folder, or fairseq's .pt"
    parser.add_argument("--model", required=True, metavar="SOURCE", help=source)
    parser.add_argument("--target_lang", metavar="LANG", help="language of a multilingual model (MMS), such as swe")
    parser.add_argument("files", nargs="+", metavar="FILE", help="audio in any format libsndfile reads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
