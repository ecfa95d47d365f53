"""A small corpus on disk: noise of chosen lengths, and a table that says what is in it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000
HEADER = "path\ttranscript\tspeaker\tsplit"


class Corpus:
    """A folder of recordings and its manifest."""

    def __init__(self, root: Path):
        self.root, self.rows = root, []
        root.mkdir(parents=True, exist_ok=True)

    def add(self, text: str, seconds: float = 1.0, split: str = "train", name: str | None = None, samples=None) -> Path:
        name = name or f"{len(self.rows):03d}.wav"
        if samples is None:
            rng = np.random.default_rng(len(self.rows))
            samples = rng.normal(0, 0.1, int(seconds * RATE_HZ)).astype(np.float32)
        soundfile.write(self.root / name, samples, RATE_HZ, subtype="FLOAT" if samples.dtype == np.float32 else None)
        return self.list(text, name, split)

    def list(self, text: str, name: str, split: str = "train") -> Path:
        self.rows.append(f"{name}\t{text}\ts\t{split}")
        return self.root / name

    @property
    def manifest(self) -> Path:
        path = self.root / "manifest.tsv"
        path.write_text("\n".join([HEADER, *self.rows]) + "\n", encoding="utf-8")
        return path


@pytest.fixture
def corpus(tmp_path) -> Corpus:
    return Corpus(tmp_path / "corpus")


TEXTS = ("YES", "NO", "LEFT RIGHT", "AN APPLE A DAY", "UP")


@pytest.fixture(scope="session")
def shards(tmp_path_factory):
    """Forty clips of 0.5 to 4.4 s in six shards of `train`, seven clips of `test` in one, written once."""
    from data_tools.make_tfrecords import Options, make_tfrecords

    corpus = Corpus(tmp_path_factory.mktemp("corpus"))
    for i in range(40):
        corpus.add(TEXTS[i % 5], seconds=0.5 + 0.1 * i)
    for i in range(7):
        corpus.add(TEXTS[i % 5], seconds=1 + i / 10, split="test")
    out = tmp_path_factory.mktemp("shards")
    make_tfrecords(Options(out=out, manifest=corpus.manifest, audio_root=corpus.root, shard_megabytes=0.6, workers=1))
    return out
