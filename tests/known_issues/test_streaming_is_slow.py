"""Streaming from a bucket was five to ten times slower than a disk: small reads (tensorflow #20068, tpu #156)."""

import os
import subprocess
import sys
from collections import Counter

from data_tools.index import load_index
from data_tools.make_tfrecords import Options
from tests.gcs_tls_server import ROOT, GcsTls

READ = """
from data_tools.reader import batches, load_index, plan_buckets
index = load_index("gs://known-issue/shards")
buckets = plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=12)
characters = dict(zip("YES", range(5, 8)))
read = batches(index, "train", characters, None, buckets, seed=1, window_bytes=10**6)
print(sum(int((batch["weight"].numpy() > 0).sum()) for batch in read))
"""


def test_an_epoch_reads_each_shard_once(shards, tmp_path):
    with GcsTls(tmp_path) as server:
        server.bucket("known-issue", {f"shards/{path.name}": path.read_bytes() for path in shards.iterdir()})
        environ = os.environ | server.environ
        done = subprocess.run(
            [sys.executable, "-c", READ], capture_output=True, text=True, cwd=ROOT, env=environ, check=False
        )
        assert done.stdout == "30\n", done.stderr[-2_000:]
        log = server.requests()
    files = [shard.file for shard in load_index(shards).shards("train")]
    assert len(files) > 4
    media = [line for line in log if line.startswith("GET") and "/o/" not in line]  # the rest asks for sizes
    reads = Counter(file for file in files for line in media if f"{file} " in line)
    assert set(reads) == set(files), log
    assert set(reads.values()) == {1}, log


def test_shards_are_large_unless_asked_otherwise():
    assert Options.shard_megabytes == 100
