"""How long does one training update of the base model take, and how much memory, beside PyTorch's transformers?

    python -m benchmarks.train_step --torch-python PATH [--shapes 2x5 4x10] [--rounds 7] [--chance]

PyTorch writes a base model with random weights; both sides load it, freeze the convolutions, and update it with AdamW
on the same clips and labels, float32, two threads each. Every side is a process of its own and they take their turns,
round after round. Without --chance there is no dropout, so that both losses can be compared, and they must agree; with
it, dropout 0.1 everywhere and time masks, as the published recipe has. Memory is the peak of the whole process.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.turns import Contestant

THREADS, LABELS_PER_SECOND = 2, 12
DROPOUTS = "hidden_dropout attention_dropout activation_dropout feat_proj_dropout final_dropout".split()

WRITE = """
import sys, torch, transformers
torch.manual_seed(0)
config = transformers.Wav2Vec2Config(**eval(sys.argv[2]))
transformers.Wav2Vec2ForCTC(config).save_pretrained(sys.argv[1])
"""
TORCH = """
import sys, numpy, torch, transformers
torch.set_num_threads(int(sys.argv[3]))
model = transformers.Wav2Vec2ForCTC.from_pretrained(sys.argv[1]).train()
model.freeze_feature_encoder()
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, weight_decay=0.01)
batch = numpy.load(sys.argv[2])
audio = torch.tensor(batch["audio"].astype("f") / 32768)
audio = (audio - audio.mean(1, keepdim=True)) / torch.sqrt(audio.var(1, unbiased=False, keepdim=True) + 1e-7)
labels = torch.tensor(batch["labels"].astype("i8"))
def update(step):
    optimizer.zero_grad()
    loss = model(audio, labels=labels).loss / len(audio)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()
ready(loss=update(0))
while turn():
    update(1)
    done()
"""
OURS = """
import sys, numpy, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[3]))
from train.config import OptimizerConfig
from train.layout import split
from train.optimizer import build_optimizer
from train.step import TrainStep, fetch
from train.strategy import Cluster
from wav2vec2_tf import Wav2Vec2ForCTC
model = Wav2Vec2ForCTC.from_pretrained(sys.argv[1])
model.freeze_feature_encoder()
optimizer = build_optimizer(OptimizerConfig(weight_decay=0.01), model.trainable_variables)
silent = dict(jit_compile=True, report=lambda line: None)
step = TrainStep(model, optimizer, Cluster(), do_normalize=True, clip_norm=1.0, seed=0, **silent)
batch = numpy.load(sys.argv[2])
rows, samples = batch["audio"].shape
sizes = dict(num_samples=tf.fill([rows], samples), num_labels=tf.fill([rows], batch["labels"].shape[1]))
tensors = {name: tf.constant(batch[name]) for name in ("audio", "labels")}
blocks = split(tensors | sizes | {"weight": tf.ones([rows])}, 1)
def update(number):
    return fetch([step(blocks, number, 1e-5)])[0].loss
ready(loss=update(0))
while turn():
    update(1)
    done()
"""


def write_batch(path: Path, rows: int, seconds: int) -> None:
    """Makes clips of noise and labels without repeats in a row."""
    rng = np.random.default_rng(0)
    audio = rng.normal(0, 3000, (rows, seconds * 16_000)).astype(np.int16)
    labels = np.cumsum(rng.integers(1, 27, (rows, seconds * LABELS_PER_SECOND)), axis=1) % 27 + 5
    np.savez(path, audio=audio, labels=labels.astype(np.int32))


def compare(torch_python: str, shape: str, rounds: int, chance: bool) -> str:
    """Lets both sides take turns on one shape; gives rows of the table."""
    rows, seconds = map(int, shape.split("x"))
    changes = dict.fromkeys(DROPOUTS, 0.1 if chance else 0.0)
    changes |= dict(layerdrop=0.0, apply_spec_augment=chance, ctc_loss_reduction="sum")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([torch_python, "-c", WRITE, folder, repr(changes)], check=True, capture_output=True)
        batch = Path(folder) / "batch.npz"
        write_batch(batch, rows, seconds)
        sides = {"PyTorch transformers": (torch_python, TORCH), "ours": (sys.executable, OURS)}
        sides = {name: Contestant(*side, folder, batch, THREADS) for name, side in sides.items()}
        for _ in range(rounds):
            for side in sides.values():
                side.turn()
        for side in sides.values():
            side.close()
    theirs, ours = (side.first["loss"] for side in sides.values())
    if not chance and abs(ours / theirs - 1) > 1e-4:
        raise SystemExit(f"the losses differ: {theirs} and {ours}; this is no comparison")
    medians = {name: statistics.median(side.seconds) for name, side in sides.items()}
    return "\n".join(
        f"| {shape} s | {name} | {side.first['loss']:.2f} | {medians[name]:.2f} | {min(side.seconds):.2f} | "
        f"{medians['PyTorch transformers'] / medians[name]:.2f} | {side.peak / 1e9:.2f} |"
        for name, side in sides.items()
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", required=True, help="Python of an environment with PyTorch and transformers")
    parser.add_argument("--shapes", nargs="+", default=["2x5", "4x10"], help="rows x seconds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--chance", action="store_true", help="with dropout and masks")
    options = parser.parse_args()
    chance = "dropout and masks" if options.chance else "no dropout, no masks"
    print(f"base, {chance}, {THREADS} threads, {options.rounds} rounds in turn\n")
    print("| shape | | first loss | median s | fastest s | times PyTorch's speed | peak GB |")
    print("| --- | --- | --: | --: | --: | --: | --: |", flush=True)
    for shape in options.shapes:
        print(compare(options.torch_python, shape, options.rounds, options.chance), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
