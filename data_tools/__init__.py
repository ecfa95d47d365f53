"""From corpora to shards to batches."""

import os

# TensorFlow reads it once, as it is imported: so much of each open shard in a bucket is held, else four times as much
os.environ.setdefault("GCS_READ_CACHE_BLOCK_SIZE_MB", "16")
