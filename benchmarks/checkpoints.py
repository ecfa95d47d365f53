"""What does writing a checkpoint of the base model cost the updates beside which it is written?

    python -m benchmarks.checkpoints [--shape 2x5] [--rounds 5] [--layers 12] [--out FOLDER]

Each round makes some updates alone, then one after a checkpoint was begun, then more until it is on the disk. «stall»
is how much longer the update after the beginning takes, with the taking of the values itself; «all» the time that all
updates beside the writing took more, each against the median of those alone. «in turn» is what it would have cost to
write before going on.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_tools.place import Place
from train.background import Background
from train.checkpoints import Memory, State, prepare_checkpoint
from train.config import OptimizerConfig
from train.layout import split
from train.optimizer import build_optimizer
from train.step import TrainStep, fetch
from train.strategy import Cluster
from wav2vec2_tf import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC, Wav2Vec2Processor

ALONE = 4  # updates before each checkpoint


def make_batch(rows: int, seconds: int) -> dict:
    """Makes clips of noise, and labels."""
    rng = np.random.default_rng(0)
    labels = np.cumsum(rng.integers(1, 27, (rows, 12 * seconds)), axis=1) % 27 + 5
    return {
        "audio": tf.constant(rng.normal(0, 3000, (rows, seconds * 16_000)).astype(np.int16)),
        "num_samples": tf.fill([rows], seconds * 16_000),
        "labels": tf.constant(labels.astype(np.int32)),
        "num_labels": tf.fill([rows], labels.shape[1]),
        "weight": tf.ones([rows]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", default="2x5", help="rows x seconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=12, help="less than 12 only to try this program out")
    parser.add_argument("--out", default=None, help="folder on the disk to measure; default: a temporary one")
    options = parser.parse_args()
    model = Wav2Vec2ForCTC(Wav2Vec2Config.base(num_hidden_layers=options.layers))
    model.freeze_feature_encoder()
    optimizer = build_optimizer(OptimizerConfig(), model.trainable_variables)
    processor = Wav2Vec2Processor(tokenizer=Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2}))
    settings = dict(do_normalize=True, clip_norm=1.0, seed=0, jit_compile=True, report=lambda line: None)
    step = TrainStep(model, optimizer, Cluster(), **settings)
    blocks = split(make_batch(*map(int, options.shape.split("x"))), 1)

    def update() -> float:
        start = time.perf_counter()
        fetch([step(blocks, 0, 1e-5)])
        return time.perf_counter() - start

    alone, stalls, extra, in_turn, taken = [], [], [], [], []
    update()
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        run, work, memory = Place.of(Path(folder)), Background(), Memory()
        prepare_checkpoint(run, model, processor, optimizer, State(), memory, keep_last=1)()  # the first makes memory
        for i in range(options.rounds):
            alone += [update() for _ in range(ALONE)]
            start = time.perf_counter()
            write, done = prepare_checkpoint(run, model, processor, optimizer, State(step=i), memory, keep_last=1), []
            taken.append(time.perf_counter() - start)
            work.submit(lambda write=write, done=done: (write(), done.append(True)))
            beside = [update()]
            while not done:
                beside.append(update())
            usual = statistics.median(alone)
            stalls.append(taken[-1] + beside[0] - usual)
            extra.append(taken[-1] + sum(beside) - usual * len(beside))
            work.wait()
            start = time.perf_counter()
            prepare_checkpoint(run, model, processor, optimizer, State(step=i), memory, keep_last=1)()
            in_turn.append(time.perf_counter() - start)
    usual = statistics.median(alone)
    print("| shape | update alone s | taking values s | stall s | stall of an update | all s | in turn s |")
    print("| --- | --: | --: | --: | --: | --: | --: |")
    figures = [usual, *map(statistics.median, (taken, stalls)), statistics.median(stalls) / usual]
    figures += map(statistics.median, (extra, in_turn))
    texts = [f"{figure:.0%}" if i == 3 else f"{figure:.2f}" for i, figure in enumerate(figures)]
    print(f"| {options.shape} s | {' | '.join(texts)} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
