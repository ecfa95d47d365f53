"""Shards of a few recordings, made by the command that users run."""

import numpy as np
import pytest
import soundfile

RATE_HZ = 16_000


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """A folder of int16 recordings of 0.5 to 3.4 s, soft and loud and off centre, and its manifest."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    lines = ["path\ttranscript"]
    for i in range(30):
        samples = rng.normal(200 * (i % 3), 30 * 10 ** (i % 3), RATE_HZ // 2 + i * RATE_HZ // 10)
        soundfile.write(folder / f"{i:02d}.wav", samples.astype(np.int16), RATE_HZ, subtype="PCM_16")
        lines.append(f"{i:02d}.wav\tyes")
    (folder / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def shards(recordings, tmp_path_factory):
    """Those recordings in six shards or so."""
    from data_tools.make_tfrecords import main

    out = tmp_path_factory.mktemp("data") / "shards"
    flags = ["--manifest", f"{recordings}/manifest.tsv", "--audio_root", str(recordings), "--out", str(out)]
    assert main([*flags, "--shard_megabytes", "0.4", "--workers", "1"]) == 0
    return out
