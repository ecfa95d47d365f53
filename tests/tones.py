"""A corpus that is learned in seconds: words spelled in tones, one pitch per letter, and a model of two blocks."""

from pathlib import Path

import numpy as np
import soundfile

from train.config import BatchConfig, ModelConfig, OptimizerConfig, RunConfig, ScheduleConfig

RATE_HZ = 16_000
TONES_HZ = {"A": 500, "B": 1100, "E": 2300, " ": 0}
WORDS = ("A", "BE", "ABE", "EBB", "BEA A", "A BABE")
MODEL = ModelConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
    conv_dim=(16, 24, 24), conv_kernel=(20, 8, 4), conv_stride=(10, 8, 4),
    num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, layerdrop=0.0, mask_time_prob=0.0,
    hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, final_dropout=0.0,
)  # fmt: skip


def speak(text: str, seed: int) -> np.ndarray:
    """Gives 0.1 s of a tone per letter, in a little noise: float32 [S]."""
    rng = np.random.default_rng(seed)
    times = np.arange(RATE_HZ // 10) / RATE_HZ
    tones = [np.sin(2 * np.pi * TONES_HZ[letter] * times) * np.hanning(len(times)) for letter in text]
    silence = np.zeros(RATE_HZ // 10)
    speech = np.concatenate([silence, *tones, silence])
    return (0.3 * speech + 0.01 * rng.standard_normal(len(speech))).astype(np.float32)


def make_shards(folder: Path, splits: dict[str, int], words=WORDS) -> Path:
    """Writes shards of so many utterances per split; returns their folder."""
    from data_tools.make_tfrecords import Options, make_tfrecords

    audio, rows = folder / "audio", ["path\ttranscript\tspeaker\tsplit"]
    audio.mkdir(parents=True)
    for split, count in splits.items():
        for i in range(count):
            name, text = f"{split}-{i:02d}.wav", words[i % len(words)]
            soundfile.write(audio / name, speak(text, seed=len(rows)), RATE_HZ)
            rows.append(f"{name}\t{text}\ts\t{split}")
    (audio / "manifest.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    make_tfrecords(Options(out=folder / "shards", manifest=audio / "manifest.tsv", audio_root=audio, workers=1))
    return folder / "shards"


def make_config(shards: Path, out: Path, **changes) -> RunConfig:
    """Three updates in one epoch, one shape, not compiled by XLA."""
    common = dict(
        model=MODEL,
        batches=BatchConfig(batch_seconds=5, max_buckets=1),
        optimizer=OptimizerConfig(learning_rate=3e-3),
        schedule=ScheduleConfig("constant", warmup=0),
        epochs=1,
        log_every=1,
        jit_compile=False,
    )
    return RunConfig(shards, out, **common | changes)
