"""Word and character error rates of a model over a whole split, and what they consist of.

Run `python -m train.evaluate --model RUN/best --data DIR --split test`. Prints figures, intervals and some hypotheses,
and writes all of them, with a page to look at and listen to. The work is `train.evaluator`'s and `train.report`'s.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import jsonargparse
import tensorflow as tf
from tqdm import tqdm

from data_tools.find import find_audio
from data_tools.index import Index, load_index
from train.config import BatchConfig, underscored
from train.evaluation import Evaluation
from train.evaluator import Evaluator
from train.report import Report, make_report
from train.report_page import page
from train.report_text import describe
from train.setup import check_vocabulary
from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor
from wav2vec2_tf.files import write_text


def evaluate(model: str, index: Index, split: str, batch_seconds: float, jit_compile: bool) -> Evaluation:
    """Loads a model, from wherever `Wav2Vec2ForCTC.from_pretrained` does, and evaluates it on a split of shards.

    Raises:
        OSError, ValueError: There is no model, or the vocabularies differ.
    """
    config = BatchConfig(batch_seconds=batch_seconds)
    processor = Wav2Vec2Processor.from_pretrained(model)
    check_vocabulary(processor.tokenizer, index.folder, model)
    loaded = Wav2Vec2ForCTC.from_pretrained(model)
    processor.check_model(loaded.config)
    evaluator = Evaluator(loaded, processor, index, split, config, jit_compile, report=tqdm.write)
    return evaluator(lambda items: tqdm(items, unit="batch", desc=split))


def save(report: Report, folder: Path, index: Index, model: str) -> Path:
    """Writes FOLDER/eval-SPLIT.json and .tsv (`Evaluation.save`), and the page, with the audio of the worst utterances.

    Returns:
        The page.
    """
    evaluation = report.evaluation
    evaluation.save(folder, report.numbers())
    audio = find_audio(index, evaluation.split, [h.id for h in report.worst])
    target = folder / f"eval-{evaluation.split}.html"
    write_text(target, page(report, f"{model} on {evaluation.split}", [f"shards: {index.folder}"], audio))
    return target


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates, prints and writes; returns the exit status."""
    parser = jsonargparse.ArgumentParser(prog="python -m train.evaluate", description="Measures WER and CER.")
    parser.add_argument("--model", type=str, required=True, help="model folder such as RUN/best, hub id, gs:// folder")
    parser.add_argument("--data", type=Path, required=True, help="folder written by data_tools.make_tfrecords")
    parser.add_argument("--split", type=str, default="test", help="split to evaluate, whole")
    parser.add_argument("--out", type=Path | None, default=None, help="folder for the results; default: --model")
    parser.add_argument("--batch_seconds", type=float, default=BatchConfig.batch_seconds, help="audio per batch")
    parser.add_argument("--jit_compile", type=bool, default=True, help="whether XLA compiles the model")
    args = parser.instantiate(parser.parse_args([underscored(arg) for arg in (sys.argv[1:] if argv is None else argv)]))
    try:
        if args.out is None and not Path(args.model).is_dir():
            raise FileNotFoundError(f"--model {args.model} is no folder here. Say with --out where results shall go.")
        index = load_index(args.data)
        report = make_report(evaluate(args.model, index, args.split, args.batch_seconds, args.jit_compile))
        written = save(report, args.out or Path(args.model), index, args.model)
        print(report.evaluation.samples(8), describe(report), f"{written} written", sep="\n\n")
        print(report.evaluation.line())
    except (OSError, ValueError, ImportError, tf.errors.OpError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
