"""What do batches cost: padding in a few shapes, and processor time from shards to padded batches beside other loaders?

    python -m benchmarks.data_reader padding
    python -m benchmarks.data_reader reading --speech DIR --torch-python PATH [--hours 5] [--rounds 3]

Padding: the lengths of LibriSpeech's 281,241 training clips are simulated from percentiles that icefall publishes
(egs/librispeech/ASR/local/display_manifest_statistics.py; of the clips at speeds 0.9, 1 and 1.1 together), straight
lines between them. Waste is the share of padded audio that is not speech, filled up rows included.

Reading: the clips of DIR/manifest.tsv, repeated to so many hours, as shards of PCM and of FLAC, as WebDataset tars and
as a Hugging Face dataset of WAV bytes. Fresh processes read one shuffled epoch in turn into padded int16 batches with
labels. Counted are seconds of audio per second of processor time, over all processes of a loader, and per second that
went by with two cores or workers. Building the pipeline and starting workers count; importing libraries does not.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from data_tools.buckets import plan_buckets
from data_tools.index import Index, Shard
from data_tools.place import Place
from data_tools.plan import plan_epoch

RATE_HZ = 16_000
SHARD_BYTES = 100_000_000
FIXED_SAMPLES = 246_000  # the one shape of an earlier port; longer clips were cut
SHARES = (0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1)
# clips     seconds at these shares of the clips
SUBSETS = {
     28_539: (1.3, 1.9, 2.2, 2.5, 4.2, 6.4, 11.4, 13.8, 15.3, 16.7, 17.3, 18.1, 18.4, 18.8, 27.2),
    104_014: (1.0, 1.8, 2.2, 2.5, 4.2, 6.2, 11.2, 13.7, 15.3, 16.6, 17.3, 18.1, 18.4, 18.8, 33.0),
    148_688: (0.8, 1.7, 2.1, 2.3, 3.5, 5.0,  9.8, 13.4, 15.1, 16.5, 17.2, 18.1, 18.4, 18.9, 31.0),
}  # fmt: skip


def librispeech(seed: int = 0) -> np.ndarray:
    """Simulates the samples of each training clip of LibriSpeech, in random order: int64 [281241]."""
    rng = np.random.default_rng(seed)
    seconds = [np.interp(rng.random(clips), SHARES, marks) for clips, marks in SUBSETS.items()]
    return (rng.permutation(np.concatenate(seconds)) * RATE_HZ).astype(np.int64)


def index_of(num_samples: np.ndarray) -> Index:
    """Makes the index of shards that nobody wrote."""
    parts = np.array_split(num_samples, int(2 * num_samples.sum() / SHARD_BYTES) + 1)
    shards = [Shard(f"{i}", len(part), 2 * int(part.sum()), part, part // 1_100 + 1) for i, part in enumerate(parts)]
    return Index(Place("simulated"), RATE_HZ, (), {}, {}, {"train": tuple(shards)})


def waste(index: Index, max_buckets: int, batch_seconds: float, num_hosts: int) -> tuple[float, float]:
    """Gives the share of padding with every clip in its own bucket, and in the batches of an epoch."""
    lengths = index.lengths("train")
    buckets = plan_buckets(lengths, index.label_counts("train"), batch_seconds, max_buckets)
    edges = np.array(buckets.edges)
    plan = plan_epoch(index, "train", buckets, seed=0, num_hosts=num_hosts)  # all hosts have the same shapes
    padded = num_hosts * (edges * buckets.batch_sizes)[plan.bucket].sum()
    return 1 - lengths.sum() / edges[np.searchsorted(edges, lengths)].sum(), 1 - lengths.sum() / padded


def padding() -> None:
    """Prints the table of waste."""
    lengths = librispeech()
    index = index_of(lengths)
    hours = lengths.sum() / RATE_HZ / 3600
    print(f"{len(lengths)} clips, {hours:.1f} h, {lengths.min() / RATE_HZ:.1f} to {lengths.max() / RATE_HZ:.1f} s\n")
    print("| shapes | batch s | hosts | own bucket % | batches % |\n| --: | --: | --: | --: | --: |")
    settings = [(shapes, 60, 1) for shapes in (4, 6, 8, 10, 12, 16)]
    for shapes, seconds, hosts in [*settings, (8, 320, 1), (8, 1600, 1), (8, 60, 8), (12, 60, 8)]:
        alone, batched = waste(index, shapes, seconds, hosts)
        print(f"| {shapes} | {seconds} | {hosts} | {100 * alone:.2f} | {100 * batched:.2f} |")
    kept = np.minimum(lengths, FIXED_SAMPLES).sum() / (FIXED_SAMPLES * len(lengths))
    lost = 1 - np.minimum(lengths, FIXED_SAMPLES).sum() / lengths.sum()
    print(f"\nall clips padded or cut to {FIXED_SAMPLES} samples: {100 * (1 - kept):.2f} %, {100 * lost:.2f} % cut off")


COUNT = """
import json, resource, sys, time
def cpu():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in both)
started, used, samples = time.perf_counter(), cpu(), 0
for audio, counts, labels in epoch():
    samples += int(counts.sum())
wall = time.perf_counter() - started
close()  # a worker's time is known once it has ended
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
print(json.dumps(dict(seconds=samples / 16_000, wall=wall, cpu=cpu() - used, megabytes=peak)))
"""
OURS = """
import sys
from data_tools.reader import batches, load_index, plan_buckets
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
folder = sys.argv[1] + "/" + sys.argv[2]
index, tokenizer = load_index(folder), Wav2Vec2CTCTokenizer.from_pretrained(folder)
buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), 120, 8)
def epoch():
    for batch in batches(index, "train", tokenizer.characters, tokenizer.unk_token_id, buckets, seed=0):
        yield batch["audio"].numpy(), batch["num_samples"].numpy(), batch["labels"].numpy()
def close(): pass
"""
COLLATE = """
import io, json, sys, numpy, soundfile, torch
torch.set_num_threads(1)
folder, kind = sys.argv[1:3]
labels = {c: i for i, c in enumerate(" ABCDEFGHIJKLMNOPQRSTUVWXYZ'")}
def collate(clips):
    decode = lambda wav: soundfile.read(io.BytesIO(wav), dtype="int16")[0]
    read = [(decode(wav), [labels.get(c, 0) for c in text]) for wav, text in clips]
    counts = torch.tensor([len(audio) for audio, _ in read])
    audio = torch.zeros(len(read), int(counts.max()), dtype=torch.int16)
    ids = torch.zeros(len(read), max(len(ids) for _, ids in read), dtype=torch.int32)
    for i, (samples, some) in enumerate(read):
        audio[i, :len(samples)], ids[i, :len(some)] = torch.from_numpy(samples), torch.tensor(some)
    return audio, counts, ids
def close():
    global loader
    del loader
"""
TORCH = {
    "webdataset": """
import glob, webdataset
tars = sorted(glob.glob(folder + "/tar/*.tar"))
clips = webdataset.WebDataset(tars, shardshuffle=len(tars)).shuffle(1000).to_tuple("wav", "txt")
clips = clips.map(lambda pair: (pair[0], pair[1].decode()))
loader = torch.utils.data.DataLoader(clips, batch_size=32, num_workers=2, collate_fn=collate)
def epoch(): yield from loader
""",
    "datasets": """
import datasets
clips = datasets.load_from_disk(folder + "/hf")
pairs = lambda rows: collate([(row["wav"], row["text"]) for row in rows])
loader = torch.utils.data.DataLoader(clips, batch_size=32, shuffle=True, num_workers=2, collate_fn=pairs)
def epoch(): yield from loader
""",
}
PREPARE = """
import csv, io, sys, datasets, soundfile, webdataset
from pathlib import Path
speech, table, out = sys.argv[1:]
Path(out, "tar").mkdir()
def clips():
    with open(table, encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\\t"):
            samples, rate = soundfile.read(Path(speech, row["path"]), dtype="int16")
            wav = io.BytesIO()
            soundfile.write(wav, samples, rate, format="WAV", subtype="PCM_16")
            yield dict(id=row["id"], wav=wav.getvalue(), text=row["transcript"])
with webdataset.ShardWriter(out + "/tar/%05d.tar", maxsize=2e7, verbose=0) as tar:
    for i, clip in enumerate(clips()):
        tar.write({"__key__": f"{i:07d}", "wav": clip["wav"], "txt": clip["text"]})
kinds = {name: datasets.Value("binary" if name == "wav" else "string") for name in ("id", "wav", "text")}
kinds = datasets.Features(kinds)
datasets.Dataset.from_generator(clips, features=kinds, cache_dir=out + "/cache").save_to_disk(out + "/hf")
"""


def repeated(speech: Path, hours: float, table: Path) -> None:
    """Writes a manifest with every clip as often as it takes; the column duration_s says how long clips are."""
    with open(speech / "manifest.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    times = int(hours * 3600 / sum(float(row["duration_s"]) for row in rows)) + 1
    lines = [f"{i}-{row['path']}\t{row['path']}\t{row['transcript']}" for i in range(times) for row in rows]
    table.write_text("\n".join(["id\tpath\ttranscript", *lines]) + "\n", encoding="utf-8")


def run(*command) -> str:
    """Runs a process to its end and gives what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def reading(speech: Path, torch_python: str, hours: float, rounds: int) -> None:
    """Prints the table of rates."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "manifest.tsv")
        repeated(speech, hours, table)
        for encoding in ("pcm", "flac"):
            options = ["--manifest", table, "--audio_root", speech, "--out", f"{folder}/{encoding}"]
            run(sys.executable, "-m", "data_tools.make_tfrecords", *options, "--encoding", encoding)
        run(torch_python, "-c", PREPARE, speech, table, folder)
        contestants = {
            "ours, PCM shards": (sys.executable, OURS, "pcm"),
            "ours, FLAC shards": (sys.executable, OURS, "flac"),
            "torch DataLoader, WebDataset tars of WAV": (torch_python, COLLATE + TORCH["webdataset"], ""),
            "torch DataLoader, Hugging Face datasets of WAV": (torch_python, COLLATE + TORCH["datasets"], ""),
        }
        found = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, (python, code, argument) in contestants.items():
                found[name].append(json.loads(run(python, "-c", code + COUNT, folder, argument).splitlines()[-1]))
    report(found)


def report(found: dict[str, list[dict]]) -> None:
    hours = {name: rounds[0]["seconds"] / 3600 for name, rounds in found.items()}
    print(f"hours read: {', '.join(f'{each:.2f}' for each in hours.values())}\n")
    print("| loader | x real time per core | x real time, 2 at work | peak MB, largest process |")
    print("| --- | --: | --: | --: |")
    for name, rounds in found.items():
        core, wall = (statistics.median(each["seconds"] / each[key] for each in rounds) for key in ("cpu", "wall"))
        print(f"| {name} | {core:.0f} | {wall:.0f} | {max(each['megabytes'] for each in rounds):.0f} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("question", choices=["padding", "reading"])
    parser.add_argument("--speech", type=Path, help="folder with manifest.tsv (path, transcript, duration_s) and audio")
    parser.add_argument("--torch-python", help="Python of an environment with PyTorch, soundfile, webdataset, datasets")
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.question == "padding":
        padding()
    else:
        if not options.speech or not options.torch_python:
            parser.error("reading needs --speech and --torch-python")
        reading(options.speech, options.torch_python, options.hours, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
