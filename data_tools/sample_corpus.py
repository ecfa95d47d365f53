"""The corpus in the box: a few hundred short spoken commands that `make demo` learns from.

Run `python -m data_tools.sample_corpus --out DIR` to make it anew; the result is committed as `data_tools/sample`. The
speech comes from the formant synthesizer espeak-ng, in many of its voices. A voice is one timbre ("variant"); those of
the dev and test splits are never heard in training, in no accent. What was said and how is drawn from a seed by
`plan_clips`, so the manifest is the same everywhere; the samples are too, with the same espeak-ng (here 1.51).

Left to others: reading manifests (`manifest`), turning recordings into shards (`make_tfrecords`).
"""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
import numpy as np
import soundfile

from wav2vec2_tf import audio
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

SAMPLE_DIR = Path(__file__).with_name("sample")
"""Where the committed corpus lies: `manifest.tsv` and one folder per split."""

OPUS_COMPRESSION = 0.96  # libsndfile's scale from 0 to 1: about 16 kbit/s here, which keeps the whole under 3 MB
COLUMNS = ("path", "transcript", "speaker", "split")

WORDS = """
    ZERO ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE
    RED GREEN BLUE YELLOW
    LEFT RIGHT UP DOWN
    START STOP YES NO
""".split()
WORDS_PER_CLIP = {1: 0.30, 2: 0.35, 3: 0.25, 4: 0.10}

ACCENTS = "en-us en-us-nyc en-gb en-gb-x-rp en-gb-scotland en-gb-x-gbclan en-gb-x-gbcwmd en-029".split()
VARIANTS = {
    "train": (
        "m1 m2 m3 m5 m6 m7 m8 f1 f2 f4 f5 Alex Annie Denis Gene Henrique Jacky Mario Storm adam anika antonio aunty "
        "benjamin boris ed grandma grandpa iven john linda max pablo paul pedro quincy steph victor"
    ).split(),
    # Chosen as far from the voices above as intelligible ones get: near twins of each other stay on one side.
    "test": "Andy Michael belinda david f3 m4 sandro travis".split(),
}
DEV_VARIANTS = ("Annie", "boris")  # drawn with the training voices, then set aside to choose the best checkpoint by
SPEEDS_WPM = (115, 165)
PITCHES = (35, 65)
WORD_GAPS = (0, 3)  # in steps of 10 ms


@dataclass(frozen=True)
class Clip:
    """One utterance to be spoken.

    Attributes:
        path: File below the corpus folder, such as `train/0001-m3.ogg`.
        transcript: Words in capitals, one blank between them.
        accent: espeak-ng voice, such as `en-gb-scotland`.
        variant: espeak-ng voice variant, such as `m3`.
        split: `train`, `dev` or `test`.
        speed_wpm: Words per minute.
        pitch: espeak-ng's scale from 0 to 99.
        word_gap: Pause between words, in steps of 10 ms.
    """

    path: str
    transcript: str
    accent: str
    variant: str
    split: str
    speed_wpm: int
    pitch: int
    word_gap: int

    @property
    def speaker(self) -> str:
        """Accent and variant as espeak-ng spells them together: `en-us+m3`."""
        return f"{self.accent}+{self.variant}"


def plan_clips(split: str, num_clips: int, seed: int) -> list[Clip]:
    """Decides what is said by whom; no sound is made yet.

    >>> [clip.transcript for clip in plan_clips("test", 2, seed=0)] == [
    ...     clip.transcript for clip in plan_clips("test", 2, seed=0)]
    True

    Args:
        split: `train` (the clips of `DEV_VARIANTS` among them become the dev split) or `test`; all share words and
            accents, but no variant.
        num_clips: Utterances; the variants of the split take turns.
        seed: Same seed, same plan.
    Returns:
        The clips, in the order of their numbers.
    """
    rng = np.random.default_rng([seed, sorted(VARIANTS).index(split)])
    words = _deck(rng, WORDS)
    return [_plan_clip(split, number, rng, words) for number in range(num_clips)]


def _plan_clip(split: str, number: int, rng: np.random.Generator, words: Iterator[str]) -> Clip:
    variant = VARIANTS[split][number % len(VARIANTS[split])]
    num_words = rng.choice(list(WORDS_PER_CLIP), p=list(WORDS_PER_CLIP.values()))
    split = "dev" if variant in DEV_VARIANTS else split
    return Clip(
        path=f"{split}/{number:04d}-{variant}.ogg",
        transcript=" ".join(next(words) for _ in range(num_words)),
        accent=str(rng.choice(ACCENTS)),
        variant=variant,
        split=split,
        speed_wpm=int(rng.integers(*SPEEDS_WPM, endpoint=True)),
        pitch=int(rng.integers(*PITCHES, endpoint=True)),
        word_gap=int(rng.integers(*WORD_GAPS, endpoint=True)),
    )


def _deck(rng: np.random.Generator, words: Sequence[str]) -> Iterator[str]:
    """Deals the words in chance order, each once before any comes again, so that all are equally frequent."""
    while True:
        yield from (str(word) for word in rng.permutation(words))


def speak(clip: Clip) -> np.ndarray:
    """Has espeak-ng say a clip.

    Args:
        clip: What to say and how.
    Returns:
        float32 [S] at 16 kHz, in -1..1: peak 0.5, a tenth of a second of silence at either end.
    Raises:
        RuntimeError: espeak-ng is not installed, or refuses the voice.
    """
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder, "clip.wav")
        _espeak("-v", clip.speaker, "-s", str(clip.speed_wpm), "-p", str(clip.pitch), "-g", str(clip.word_gap),
                "-w", str(wav), clip.transcript.lower())  # fmt: skip
        return _level(_trim(audio.load(wav)))


def _espeak(*arguments: str) -> None:
    if not shutil.which("espeak-ng"):
        raise RuntimeError(
            "The sample corpus is spoken by espeak-ng, which is not on the PATH. Install it "
            "(Debian: apt-get install espeak-ng), or use the committed corpus in data_tools/sample."
        )
    done = subprocess.run(["espeak-ng", *arguments], capture_output=True, text=True, check=False)
    if done.returncode or done.stderr:
        raise RuntimeError(
            f"espeak-ng {' '.join(arguments)} failed with status {done.returncode}: {done.stderr.strip()}. "
            "The plan was made for espeak-ng 1.51; is yours older?"
        )


def _trim(samples: np.ndarray) -> np.ndarray:
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    margin = np.zeros(SAMPLE_RATE_HZ // 10, np.float32)
    return np.concatenate([margin, samples[loud[0] : loud[-1] + 1], margin])


def _level(samples: np.ndarray) -> np.ndarray:
    return samples * (0.5 / np.abs(samples).max())


def make_sample_corpus(out: Path, train_clips: int = 900, test_clips: int = 96, seed: int = 0) -> Path:
    """Speaks the corpus and writes it to a new folder.

    Args:
        out: Folder to make; `manifest.tsv` is written last.
        train_clips: Utterances of the training and dev voices.
        test_clips: Utterances of the held-out voices.
        seed: Same seed, same corpus.
    Returns:
        The manifest: tab separated, columns path, transcript, speaker, split.
    Raises:
        FileExistsError: `out` holds something already.
        RuntimeError: espeak-ng is not installed, or refuses a voice.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; a corpus is written to a new folder. Remove it or name another.")
    clips = plan_clips("train", train_clips, seed) + plan_clips("test", test_clips, seed)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # the work is done by espeak-ng processes
        for _ in pool.map(lambda clip: _write_clip(out, clip), clips):
            pass
    return _write_manifest(out / "manifest.tsv", clips)


def _write_clip(out: Path, clip: Clip) -> None:
    path = out / clip.path
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speak(clip), SAMPLE_RATE_HZ, "OPUS", format="OGG", compression_level=OPUS_COMPRESSION)


def _write_manifest(path: Path, clips: Sequence[Clip]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
        rows.writerow(COLUMNS)
        rows.writerows([getattr(clip, column) for column in COLUMNS] for clip in clips)
    return path


if __name__ == "__main__":
    try:
        print(jsonargparse.auto_cli(make_sample_corpus, as_positional=False))
    except (RuntimeError, FileExistsError) as error:
        sys.exit(f"sample_corpus: {error}")
