"""How long does the best path through a known text take, and how much memory, from a minute to a book?

    python -m benchmarks.alignment [--minutes 1 10 60 600]
    python -m benchmarks.alignment --model runs/an4/run/best --speech ../shared/speech

Without a model, log-probabilities are drawn: 50 frames and 14 labels a second, a tenth of them misheard. With one,
AN4's test recordings are joined, and words must lie in the recordings they come from.
"""

import argparse
import csv
import io
import threading
import time
from pathlib import Path

import numpy as np
import soundfile

FRAMES_PER_MINUTE, LABELS_PER_MINUTE, VOCABULARY, MISHEARD = 3000, 850, 32, 0.1


def drawn(minutes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws log-probabilities [T, V], labels [U] and the frames [U] they are heard in."""
    rng = np.random.default_rng(0)
    num_frames, num_labels = minutes * FRAMES_PER_MINUTE, minutes * LABELS_PER_MINUTE
    labels = rng.integers(1, VOCABULARY, num_labels)
    places = 2 * np.sort(rng.choice(num_frames // 2, num_labels, replace=False))
    heard = np.zeros(num_frames, np.int64)
    heard[places] = np.where(rng.random(num_labels) < MISHEARD, rng.integers(0, VOCABULARY, num_labels), labels)
    log_probs = rng.standard_normal((num_frames, VOCABULARY), np.float32)
    log_probs[np.arange(num_frames), heard] += rng.normal(9, 3, num_frames).astype(np.float32)
    log_probs -= np.log(np.exp(log_probs).sum(axis=1, keepdims=True))
    return log_probs, labels, places


class PeakMemory:
    """Most memory of this process beyond what it has now, in MB, while the context lasts."""

    def __enter__(self):
        self.megabytes, self._before, self._ended = 0.0, self._now(), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _watch(self):
        while not self._ended.wait(0.05):
            self.megabytes = max(self.megabytes, self._now() - self._before)

    @staticmethod
    def _now() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def lengths(minutes: list[int]) -> None:
    from wav2vec2_tf.decoding.trellis import BLANK, best_path

    print(
        f"{'minutes':>8} {'frames':>9} {'labels':>9} {'cpu s':>8} {'s':>8} {'MB':>6} {'input MB':>9} {'misplaced':>10}"
    )
    for count in minutes:
        log_probs, labels, places = drawn(count)
        cpu, wall = time.process_time(), time.perf_counter()
        with PeakMemory() as memory:
            path = best_path(log_probs, labels)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        frames = np.flatnonzero(path != BLANK)
        first = frames[np.searchsorted(path[frames], np.arange(len(labels)))]
        misplaced = np.mean(abs(first - places) > 4)
        print(
            f"{count:8} {len(log_probs):9} {len(labels):9} {cpu:8.1f} {wall:8.1f} {memory.megabytes:6.0f} "
            f"{log_probs.nbytes / 1e6:9.0f} {misplaced:10.2%}",
            flush=True,
        )


def joined(model: str, speech: Path) -> None:
    from wav2vec2_tf import audio
    from wav2vec2_tf.align import align_text
    from wav2vec2_tf.transcriber import Transcriber

    with open(speech / "an4" / "manifest.tsv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row["split"] == "test"]
    transcriber = Transcriber.from_pretrained(model)
    pieces = [audio.load(speech / "an4" / row["path"]) for row in rows]
    ends = np.cumsum([len(piece) for piece in pieces]) / 16_000
    whole = wav_of(np.concatenate(pieces))
    start = time.perf_counter()
    found = align_text(transcriber, whole, "\n".join(row["transcript"] for row in rows))
    seconds, words, outside, away = time.perf_counter() - start, iter(found.words), 0, []
    for row, piece, end in zip(rows, pieces, ends, strict=True):
        begin, own = end - len(piece) / 16_000, align_text(transcriber, wav_of(piece), row["transcript"])
        for alone in own.words:
            word = next(words)
            outside += not begin - 0.1 <= word.start_seconds < word.end_seconds <= end + 0.1
            away.append(abs(word.start_seconds - begin - alone.start_seconds))
    print(f"{len(rows)} recordings in one of {ends[-1]:.0f} s, heard and aligned in {seconds:.1f} s: {len(away)} words")
    print(f"{outside} lie outside their own recording, by more than 0.1 s")
    print(f"from alignment one by one they differ by {np.median(away):.3f} s (median), {max(away):.3f} s (most)")


def wav_of(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 60])
    parser.add_argument("--model", help="of AN4, such as runs/an4/run/best: join its test recordings instead")
    parser.add_argument("--speech", type=Path, default=Path("../shared/speech"), help="folder with an4/manifest.tsv")
    options = parser.parse_args()
    if options.model:
        joined(options.model, options.speech)
    else:
        lengths(options.minutes)


if __name__ == "__main__":
    main()
