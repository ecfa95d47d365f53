"""Word and character error rates of a model over a whole split, and what they consist of.

Run `python -m train.evaluate --model RUN/best --data DIR --split test`. Prints figures, intervals and some hypotheses,
and writes all of them, with a page to look at and listen to. The work is `train.evaluator`'s and `train.report`'s.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
import tensorflow as tf
from tqdm import tqdm

from data_tools.cache import ShardCache
from data_tools.find import find_audio
from data_tools.index import Index, load_index
from train.config import BatchConfig, RunConfig, underscored
from train.evaluation import Evaluation
from train.evaluator import Evaluator
from train.report import Report, make_report
from train.report_page import page
from train.report_text import describe
from train.setup import check_vocabulary
from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor
from wav2vec2_tf.decoding.beam import BeamDecoder
from wav2vec2_tf.decoding.presets import PRESETS
from wav2vec2_tf.files import write_text


@dataclass(frozen=True)
class Options:
    """What to evaluate, and how; the command's flags.

    Attributes:
        model: Model folder such as RUN/best, hub id, gs:// folder.
        data: Folder written by data_tools.make_tfrecords.
        split: Split to evaluate, whole.
        out: Folder for the results; default: --model.
        batch_seconds: Audio per batch.
        jit_compile: Whether XLA compiles the model.
        lm: An n-gram language model to search with: .arpa, .arpa.gz or KenLM binary; default: greedy decoding.
        lm_weight: What the language model's log10 probabilities are multiplied by; train.tune_lm finds the best.
        word_score: Added for each word; train.tune_lm finds the best.
        cache: Folder on this machine that keeps shards of a bucket, as in training.
        cache_gigabytes: Most that it may hold.
    """

    model: str
    data: Path
    split: str = "test"
    out: Path | None = None
    batch_seconds: float = BatchConfig.batch_seconds
    jit_compile: bool = True
    lm: str | None = None
    lm_weight: float = PRESETS["base_960h"].lm_weight
    word_score: float = PRESETS["base_960h"].word_score
    cache: Path | None = None
    cache_gigabytes: float = RunConfig.cache_gigabytes

    @property
    def folder(self) -> Path:
        """Where the results go.

        Raises:
            OSError, ValueError: It is not said where, and the model's folder will not do.
        """
        if self.out is None and not Path(self.model).is_dir():
            raise FileNotFoundError(f"--model {self.model} is no folder here. Say with --out where results shall go.")
        if self.out is None and self.lm:
            raise ValueError("In the model's folder are the results without --lm. Say with --out where these shall go.")
        return self.out or Path(self.model)

    @property
    def decoding(self) -> str:
        """Says how texts are found."""
        return (
            f"beam search, {self.lm}, weight {self.lm_weight:g}, word score {self.word_score:g}"
            if self.lm
            else "greedy"
        )


def evaluate(options: Options, index: Index) -> Evaluation:
    """Loads a model, from wherever `Wav2Vec2ForCTC.from_pretrained` does, and evaluates it on a split of shards.

    Raises:
        OSError, ValueError: There is no model, no language model, or the vocabularies differ.
        ImportError: A package is missing for the language model.
    """
    model, config = options.model, BatchConfig(batch_seconds=options.batch_seconds)
    processor = Wav2Vec2Processor.from_pretrained(model)
    check_vocabulary(processor.tokenizer, index.folder, model)
    weights = dict(lm_weight=options.lm_weight, word_score=options.word_score)
    decoder = BeamDecoder(processor.tokenizer, options.lm, **weights) if options.lm else None
    loaded = Wav2Vec2ForCTC.from_pretrained(model)
    processor.check_model(loaded.config)
    cache = ShardCache(options.cache, options.cache_gigabytes) if options.cache else None
    evaluator = Evaluator(
        loaded, processor, index, options.split, config, options.jit_compile, tqdm.write, cache=cache, decoder=decoder
    )
    return evaluator(lambda items: tqdm(items, unit="batch", desc=options.split))


def save(report: Report, options: Options, index: Index, folder: Path) -> Path:
    """Writes eval-SPLIT.json and .tsv (`Evaluation.save`), and the page, with the audio of the worst utterances.

    Returns:
        The page.
    """
    about = dict(model=options.model, shards=str(index.folder), decoding=options.decoding)
    report.evaluation.save(folder, about | report.numbers())
    audio = find_audio(index, options.split, [h.id for h in report.worst])
    target = folder / f"eval-{options.split}.html"
    lines = [f"{name}: {value}" for name, value in about.items()]
    write_text(target, page(report, f"Word errors on {options.split}", lines, audio))
    return target


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates, prints and writes; returns the exit status."""
    parser = jsonargparse.ArgumentParser(prog="python -m train.evaluate", description="Measures WER and CER.")
    parser.add_class_arguments(Options)
    args = parser.parse_args([underscored(arg) for arg in (sys.argv[1:] if argv is None else argv)])
    options = Options(**vars(parser.instantiate(args)))
    try:
        folder, index = options.folder, load_index(options.data)
        report = make_report(evaluate(options, index))
        written = save(report, options, index, folder)
        print(report.evaluation.samples(8), describe(report), f"{written} written", sep="\n\n")
        print(report.evaluation.line())
    except (OSError, ValueError, ImportError, tf.errors.OpError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
