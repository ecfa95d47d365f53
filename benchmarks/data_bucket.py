"""How fast do batches come from a bucket, beside a bare download of the same shards from the same server?

    python -m benchmarks.data_bucket [--hours 8] [--rounds 3] [--pace 40]

Noise is written as shards of PCM and served over TLS by the suite's storage (tests/gcs_tls_server.py) on this machine,
each connection limited to `--pace` MB/s as a network does (0: none; then all three processes compete for the cores).
In turn, a fresh process each, four threads download all shards whole and drop them, and `data_tools.reader` streams one
shuffled epoch through TensorFlow into padded batches. Importing libraries and reading index.json do not count.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from data_tools.make_tfrecords import Options, make_tfrecords
from tests.gcs_tls_server import GcsTls

CLIP_SECONDS = 12
SHARD_MEGABYTES = 50

DOWNLOAD = """
import http.client, os, ssl, sys, time
from concurrent.futures import ThreadPoolExecutor
proxy = http.client.urlsplit(os.environ["https_proxy"])
context = ssl.create_default_context()
def get(name):
    connection = http.client.HTTPSConnection(proxy.hostname, proxy.port, context=context)
    connection.set_tunnel("storage.googleapis.com", 443)
    connection.request("GET", f"/speech/shards/{name}")
    answer, size = connection.getresponse(), 0
    while block := answer.read(1 << 20):
        size += len(block)
    connection.close()
    return size
start = time.perf_counter()
with ThreadPoolExecutor(4) as pool:
    size = sum(pool.map(get, sys.argv[1:]))
print(size / (time.perf_counter() - start) / 1e6)
"""

STREAM = """
import time
from data_tools.index import load_index
from data_tools.reader import batches, plan_buckets
index = load_index("gs://speech/shards")
buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=160)
size = sum(shard.bytes for shard in index.shards("train"))
start = time.perf_counter()
rows = sum(int(b["weight"].numpy().sum()) for b in batches(index, "train", {"A": 1}, None, buckets, seed=1))
seconds = time.perf_counter() - start
assert rows == len(index.lengths("train")), rows
print(size / seconds / 1e6)
"""


def write_shards(folder: Path, hours: float) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, CLIP_SECONDS * 16_000)
    soundfile.write(folder / "noise.wav", noise, 16_000)
    rows = [f"noise.wav\tA\t{number}" for number in range(int(hours * 3600 / CLIP_SECONDS))]
    (folder / "manifest.tsv").write_text("path\ttranscript\tid\n" + "\n".join(rows) + "\n")
    out = folder / "shards"
    make_tfrecords(
        Options(
            out=out, manifest=folder / "manifest.tsv", audio_root=folder, text_rules=("upper",),
            shard_megabytes=SHARD_MEGABYTES,
        )
    )  # fmt: skip
    return out


def measure(code: str, storage: GcsTls, *arguments: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=os.environ | storage.environ, stdout=subprocess.PIPE, text=True,
        check=True,
    )  # fmt: skip
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pace", type=float, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, GcsTls(Path(folder)) as storage:
        files = sorted(path for path in write_shards(Path(folder), options.hours).iterdir() if path.is_file())
        storage.bucket("speech", {f"shards/{path.name}": path.read_bytes() for path in files})
        shards = [path.name for path in files if path.suffix == ".tfrecord"]
        storage.pace(options.pace)
        ratios = []
        for _ in range(options.rounds):
            bare, streamed = measure(DOWNLOAD, storage, *shards), measure(STREAM, storage)
            ratios.append(streamed / bare)
            print(f"bare download {bare:.0f} MB/s, batches {streamed:.0f} MB/s, ratio {ratios[-1]:.2f}", flush=True)
    print(f"{len(shards)} shards of {SHARD_MEGABYTES} MB, median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
