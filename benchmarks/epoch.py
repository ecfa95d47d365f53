"""How much speech does an epoch take in per hour, input and padding included, beside transformers' Trainer?

    python -m benchmarks.epoch --speech DIR --torch-python PATH [--every 3] [--seconds 30] [--their-rows 4] [--rounds 2]

Clips: every n-th of AN4's train split, and every n-th English recording of `wild` (DIR has both); 0.7 to 53 s. Both
sides train a model of the base size, but of 4 layers, from random weights, convolutions frozen, dropout and masks as
published, AdamW, float32, two threads. Ours runs `train.loop.train` on shards, in shapes chosen by length. Theirs is
`Trainer`, sorting by length (group_by_length), with the clips decoded and normalised in memory before its clock starts;
a batch has --their-rows, and so many batches make up an update that an epoch has about as many updates as ours, hence
as much audio in each. They take turns of one epoch. The first has XLA's compilation of every shape in it; the rate is
that of the later ones, the processor's time that of the last.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.turns import Contestant

THREADS, LAYERS = 2, 4

DUMP = """
import json, sys, numpy
from data_tools.reader import batches, load_index, plan_buckets, plan_epoch
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
data, clips, seconds, shapes = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
index, tokenizer = load_index(data), Wav2Vec2CTCTokenizer.from_pretrained(data)
buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), seconds, shapes)
plan = plan_epoch(index, "train", buckets, seed=0)
padded = (numpy.array(buckets.edges) * buckets.batch_sizes)[plan.bucket].sum()
kept = []
for batch in batches(index, "train", tokenizer.characters, tokenizer.unk_token_id, buckets):
    batch = {name: value.numpy() for name, value in batch.items()}
    for i in numpy.flatnonzero(batch["weight"]):
        kept.append((batch["audio"][i, :batch["num_samples"][i]], batch["labels"][i, :batch["num_labels"][i]]))
numpy.savez(clips, **{f"{i}{what}": part for i, pair in enumerate(kept) for what, part in zip("al", pair)})
facts = dict(clips=len(kept), samples=int(index.lengths("train").sum()), updates=plan.num_batches)
vocabulary = max(tokenizer.vocab.values()) + 1
print(json.dumps(facts | dict(vocabulary=vocabulary, padding=1 - facts["samples"] / int(padded))))
"""
TORCH = """
import sys, numpy, torch, transformers
clips, folder, threads, layers, vocabulary, rows, parts = sys.argv[1:3] + [int(a) for a in sys.argv[3:]]
torch.set_num_threads(threads)
torch.manual_seed(0)
config = transformers.Wav2Vec2Config(num_hidden_layers=layers, vocab_size=vocabulary, layerdrop=0.0,
                                     ctc_loss_reduction="sum", ctc_zero_infinity=True)
model = transformers.Wav2Vec2ForCTC(config)
model.freeze_feature_encoder()
extractor = transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False)
loaded = numpy.load(clips)
def clip(i):
    audio = loaded[f"{i}a"].astype("f") / 32768
    values = extractor(audio, sampling_rate=16000)["input_values"][0]
    return dict(input_values=values, labels=torch.tensor(loaded[f"{i}l"].astype("i8")))
dataset = [clip(i) for i in range(len(loaded) // 2)]
seen = [0, 0]
def collate(features):
    batch = extractor.pad([dict(input_values=f["input_values"]) for f in features], return_tensors="pt")
    seen[0] += sum(len(f["input_values"]) for f in features)
    seen[1] += batch["input_values"].numel()
    labels = [f["labels"] for f in features]
    batch["labels"] = torch.nn.utils.rnn.pad_sequence(labels, batch_first=True, padding_value=-100)
    return batch
arguments = transformers.TrainingArguments(
    folder, per_device_train_batch_size=rows, gradient_accumulation_steps=parts, num_train_epochs=1,
    train_sampling_strategy="group_by_length", learning_rate=1e-5, weight_decay=0.01, max_grad_norm=1.0,
    lr_scheduler_type="constant", use_cpu=True, save_strategy="no", logging_strategy="no", report_to="none",
    disable_tqdm=True, remove_unused_columns=False)
trainer = transformers.Trainer(
    model, arguments, train_dataset=dataset, data_collator=collate, processing_class=extractor)
ready()
while turn():
    before = list(seen)
    result = trainer.train()
    real, padded = (now - then for now, then in zip(seen, before))
    done(updates=result.global_step, padding=1 - real / padded)
"""
OURS = """
import re, sys, tensorflow as tf
data, folder, threads, layers, updates, seconds, shapes, rounds = sys.argv[1:3] + [float(a) for a in sys.argv[3:]]
tf.config.threading.set_intra_op_parallelism_threads(int(threads))
from train.config import BatchConfig, ModelConfig, OptimizerConfig, RunConfig, ScheduleConfig
from train.loop import train
config = RunConfig(
    data, folder, dev_split="train", model=ModelConfig(num_hidden_layers=int(layers), layerdrop=0.0),
    batches=BatchConfig(batch_seconds=seconds, max_buckets=int(shapes)), freeze_feature_encoder=True,
    optimizer=OptimizerConfig(learning_rate=1e-5, weight_decay=0.01), schedule=ScheduleConfig("constant", warmup=0.0),
    epochs=int(rounds) + 2, eval_every=10**9, log_every=int(updates))
def report(line):
    print(line, file=sys.stderr, flush=True)
    step = re.match(r"step=(\\d+) ", line)
    if step and int(step[1]) % updates == 0:
        done()
        turn() or sys.exit()
ready()
turn() and train(config, report=report)
"""


def write_table(speech: Path, every: int, table: Path) -> None:
    """Writes a manifest of clips of both corpora, short and long ones spread evenly over the choice."""
    chosen = []
    for corpus, wanted in (("an4", lambda row: row["split"] == "train"), ("wild", lambda row: row["language"] == "en")):
        with open(speech / corpus / "manifest.tsv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        rows = sorted(filter(wanted, rows), key=lambda row: float(row["duration_s"]))
        chosen += [f"{corpus}/{row['path']}\t{row['transcript']}" for row in rows[::-1][::every]]
    table.write_text("\n".join(["path\ttranscript", *chosen]) + "\n", encoding="utf-8")


def prepare(options, folder: Path) -> dict:
    """Writes shards, and the same clips for the other side; gives what is known of them."""
    write_table(options.speech, options.every, folder / "clips.tsv")
    write = ["-m", "data_tools.make_tfrecords", "--manifest", folder / "clips.tsv", "--audio_root", options.speech]
    dump = ["-c", DUMP, folder / "data", folder / "clips.npz", options.seconds, options.shapes]
    for command in ([*write, "--out", folder / "data"], dump):
        done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def compare(options, folder: Path) -> str:
    """Lets both sides take turns; gives the rows of the table."""
    facts = prepare(options, folder)
    hours = facts["samples"] / 16_000 / 3600
    rows = facts["clips"] / facts["updates"]  # an update of ours, on average
    parts = max(1, round(rows / options.their_rows))
    print(f"{facts['clips']} clips, {hours:.3f} h; {facts['updates']} updates of ours, {rows:.1f} clips in each\n")
    ours = [folder / "data", folder / "run", THREADS, LAYERS, facts["updates"], options.seconds, options.shapes]
    theirs = [folder / "clips.npz", folder / "theirs", THREADS, LAYERS, facts["vocabulary"], options.their_rows, parts]
    sides = {
        f"transformers' Trainer, {options.their_rows} rows x {parts}": Contestant(options.torch_python, TORCH, *theirs),
        f"ours, {options.shapes} shapes": Contestant(sys.executable, OURS, *ours, options.rounds),
    }
    for _ in range(options.rounds + 1):
        for side in sides.values():
            side.turn()
    lines = []
    rates = {name: hours / statistics.median(side.seconds[1:]) * 3600 for name, side in sides.items()}
    for name, side in sides.items():
        side.close()
        last = facts | side.answers[-1]
        lines.append(
            f"| {name} | {last['updates']:.0f} | {100 * last['padding']:.1f} | {hours / side.seconds[0] * 3600:.2f} | "
            f"{rates[name]:.2f} | {rates[name] / next(iter(rates.values())):.2f} | {last['cpu_seconds']:.0f} | "
            f"{side.peak / 1e9:.1f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True, help="folder with an4 and wild")
    parser.add_argument("--torch-python", required=True, help="Python with PyTorch, transformers and accelerate")
    parser.add_argument("--every", type=int, default=3, help="take every n-th clip")
    parser.add_argument("--seconds", type=float, default=30.0, help="audio of one update of ours, padding included")
    parser.add_argument("--shapes", type=int, default=8, help="shapes of ours")
    parser.add_argument("--their-rows", type=int, default=4, help="clips that they hold at a time")
    parser.add_argument("--rounds", type=int, default=2, help="epochs after the first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(options, Path(folder))
    print("| | updates | padding % | first epoch, h/h | later epochs, h/h | times theirs | processor s | peak GB |")
    print(f"| --- | --: | --: | --: | --: | --: | --: | --: |\n{rows}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
