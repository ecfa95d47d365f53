"""The best language model weight and word score for a model, on a split that it was not trained on.

Run `python -m train.tune_lm --model RUN/best --data DIR --split dev --lm FILE`. The model hears the split once; pairs
of weights are tried on what it heard (`lm_search`), and the weight of a neural language model, if any, on the n-best
lists of the best pair. TensorFlow is loaded in functions only: the processes that decode import this file.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
import numpy as np
from tqdm import tqdm

from train.config import BatchConfig, underscored
from train.lm_search import Bench, Tried, prepare, search
from wav2vec2_tf.decoding.beam import BEAM_SIZE, BeamDecoder
from wav2vec2_tf.decoding.greedy import Greedy
from wav2vec2_tf.files import write_json

_SHOWN = 8


@dataclass(frozen=True)
class Options:
    """What to tune; the command's flags.

    Attributes:
        model: Model folder such as RUN/best, hub id, gs:// folder.
        data: Folder written by data_tools.make_tfrecords.
        lm: An n-gram language model: .arpa, .arpa.gz, or a KenLM binary, which all processes share.
        split: Split to tune on, whole; never the one to report.
        rescore: A causal language model of keras-hub (a folder or a preset), whose weight is found, too.
        beam_size: Hypotheses kept at each frame.
        processes: How many decode; 0: one per core.
        out: Folder for the results; default: --model.
        batch_seconds: Audio per batch.
        jit_compile: Whether XLA compiles the model.
    """

    model: str
    data: Path
    lm: str
    split: str = "dev"
    rescore: str | None = None
    beam_size: int = BEAM_SIZE
    processes: int = 0
    out: Path | None = None
    batch_seconds: float = BatchConfig.batch_seconds
    jit_compile: bool = True

    @property
    def folder(self) -> Path:
        """Where the results go.

        Raises:
            FileNotFoundError: It is not said where, and the model is no folder here.
        """
        if self.out is None and not Path(self.model).is_dir():
            raise FileNotFoundError(f"--model {self.model} is no folder here. Say with --out where results shall go.")
        return self.out or Path(self.model)


class Recorder:
    """A decoder that keeps the frames it is given."""

    def __init__(self, tokenizer):
        self.tokenizer, self.frames, self._greedy = tokenizer, [], Greedy(tokenizer)

    def decode(self, log_probs: np.ndarray, seconds_per_frame: float):
        """Keeps the frames; gives the greedy transcript."""
        self.frames.append(np.array(log_probs))
        return self._greedy.decode(log_probs, seconds_per_frame)


def hear(options: Options) -> tuple[Recorder, list[str], float]:
    """Runs the model over the split.

    Returns:
        The frames, what was said in each recording, and the word error rate without a language model.
    Raises:
        OSError, ValueError: There is no model or no shards, or the vocabularies differ.
    """
    from data_tools.index import load_index
    from train.evaluator import Evaluator
    from train.setup import check_vocabulary
    from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor

    index, config = load_index(options.data), BatchConfig(batch_seconds=options.batch_seconds)
    processor = Wav2Vec2Processor.from_pretrained(options.model)
    check_vocabulary(processor.tokenizer, options.data, options.model)
    model = Wav2Vec2ForCTC.from_pretrained(options.model)
    processor.check_model(model.config)
    BeamDecoder(processor.tokenizer, options.lm)  # raises what is wrong with it now, and not after hours
    recorder = Recorder(processor.tokenizer)
    evaluator = Evaluator(
        model, processor, index, options.split, config, options.jit_compile, report=tqdm.write, decoder=recorder
    )
    evaluation = evaluator(lambda items: tqdm(items, unit="batch", desc=options.split))
    return recorder, [h.reference for h in evaluation.hypotheses], evaluation.words.rate


def tune(options: Options) -> dict:
    """Hears, and tries.

    Returns:
        What is written: error rates without and with the language model, and all pairs that were tried, best first.
    Raises:
        OSError, ValueError: Model, shards or language model cannot be used.
        ImportError: flashlight-text or keras-hub is not installed.
    """
    rescorer = _rescorer(options.rescore) if options.rescore else None  # what is wrong with it shows before the work
    recorder, references, greedy = hear(options)
    with tempfile.TemporaryDirectory(prefix="wav2vec2_tf-") as folder, tqdm(unit="pair", desc="weights") as progress:
        prepare(Path(folder), recorder.tokenizer, recorder.frames, references)
        bench = Bench(Path(folder), options.lm, options.beam_size)
        tried = search(bench, options.processes, lambda found: progress.update())
    result = dict(split=options.split, lm=options.lm, beam_size=options.beam_size, greedy_wer=greedy)
    result |= dict(best=_numbers(tried[0]), tried=[_numbers(one) for one in tried])
    if rescorer:
        result["rescoring"] = _tune_rescoring(options, rescorer, tried[0], recorder, references)
    return result


def _numbers(tried: Tried) -> dict:
    return vars(tried.weights) | dict(wer=tried.words.rate, cer=tried.characters.rate)


def _rescorer(source: str):
    from wav2vec2_tf.decoding.rescoring import Rescorer

    return Rescorer.from_preset(source)


def _tune_rescoring(options: Options, rescorer, best: Tried, recorder: Recorder, references: list[str]) -> dict:
    from train.rescoring_search import search_rescoring
    from wav2vec2_tf.decoding.rescoring import N_BEST

    decoder = BeamDecoder(recorder.tokenizer, options.lm, **vars(best.weights), beam_size=options.beam_size)
    lists = [decoder.n_best(frames, N_BEST) for frames in tqdm(recorder.frames, desc="n-best")]
    return search_rescoring(rescorer, lists, references)


def describe(result: dict) -> str:
    """Lays out what was found."""
    lines = [f"greedy                            wer={result['greedy_wer']:.2%}"]
    for one in result["tried"][:_SHOWN]:
        flags = f"--lm_weight {one['lm_weight']:<5g} --word_score {one['word_score']:<5g}"
        lines.append(f"{flags} wer={one['wer']:.2%} cer={one['cer']:.2%}")
    if found := result.get("rescoring"):
        lines.append(
            f"rescoring weight {found['weight']:g}, word score {found['word_score']:g}: wer={found['wer']:.2%}"
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Tunes, prints and writes; returns the exit status."""
    parser = jsonargparse.ArgumentParser(prog="python -m train.tune_lm", description="Finds language model weights.")
    parser.add_class_arguments(Options)
    args = parser.parse_args([underscored(arg) for arg in (sys.argv[1:] if argv is None else argv)])
    options = Options(**vars(parser.instantiate(args)))
    try:
        target = options.folder / f"tune_lm-{options.split}.json"
        result = tune(options)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_json(target, result)
        print(describe(result), f"{target} written", sep="\n\n")
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
