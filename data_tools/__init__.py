"""From corpora to shards to batches."""
