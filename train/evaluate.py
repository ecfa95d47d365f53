"""Word and character error rates of a model over a whole split.

Run `python -m train.evaluate --model RUN/best --data DIR --split test`. Prints figures and some
hypotheses, and writes all of them. The work is `train.evaluator`'s.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import jsonargparse
import tensorflow as tf
from tqdm import tqdm

from data_tools.index import load_index
from train.config import BatchConfig, underscored
from train.evaluator import Evaluation, Evaluator
from train.setup import check_vocabulary
from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor


def evaluate(model: str, data: Path, split: str, batch_seconds: float, jit_compile: bool) -> Evaluation:
    """Loads a model, from wherever `Wav2Vec2ForCTC.from_pretrained` does, and evaluates it on a split of shards.

    Raises:
        OSError, ValueError: There is no model or no shards, or the vocabularies differ.
    """
    index, config = load_index(data), BatchConfig(batch_seconds=batch_seconds)
    processor = Wav2Vec2Processor.from_pretrained(model)
    check_vocabulary(processor.tokenizer, data, model)
    loaded = Wav2Vec2ForCTC.from_pretrained(model)
    processor.check_model(loaded.config)
    evaluator = Evaluator(loaded, processor, index, split, config, jit_compile, report=tqdm.write)
    return evaluator(lambda items: tqdm(items, unit="batch", desc=split))


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
        evaluation = evaluate(args.model, args.data, args.split, args.batch_seconds, args.jit_compile)
        print(evaluation.samples(8))
        print(evaluation.line())
        evaluation.save(args.out or Path(args.model))
    except (OSError, ValueError, ImportError, tf.errors.OpError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
