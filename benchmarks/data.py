"""How fast are shards written, beside a bare loop that decodes, resamples and drops the result; and in what memory?

    python -m benchmarks.data --corpus FOLDER [--hours 5] [--rounds 5] [--memory_hours 20]

FOLDER holds a manifest.tsv and its recordings (such as CMU AN4), taken again and again until there are so many hours
of them. Everything runs in one process and is measured in seconds of processor time, in turn, round after
round; the table gives medians. Memory is that of `make_tfrecords` with a process per core, over 1 hour and over many.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from data_tools.clips import Job, Limits
from data_tools.manifest import Utterance
from data_tools.manifests import CorpusOptions, read_corpus
from data_tools.place import Place
from data_tools.shard_plan import measure_seconds, plan_shards, seconds_per_byte
from data_tools.workers import Workers
from data_tools.writer import Recipe, write_shard
from wav2vec2_tf.audio import duration_seconds

SHARD_BYTES = 100_000_000
STEREO_RATE_HZ, STEREO_HOURS = 44_100, 0.5


def repeated(corpus: Path, hours: float) -> tuple[list[Utterance], float]:
    """Reads a corpus and takes it again and again; returns the utterances and their hours."""
    once = read_corpus(CorpusOptions(manifest=corpus / "manifest.tsv", audio_root=corpus))
    hours_once = sum(duration_seconds(utterance.audio) for utterance in once) / 3600
    times = max(1, round(hours / hours_once + 0.5))
    return [replace(u, id=f"{u.id}#{k}") for k in range(times) for u in once], times * hours_once


def stereo(utterances: list[Utterance], folder: Path, hours: float) -> tuple[list[Utterance], float]:
    """Writes recordings again as FLAC of 44.1 kHz in stereo, until there are so many hours."""
    made, seconds = [], 0.0
    for number, utterance in enumerate(utterances):
        samples, rate_hz = soundfile.read(utterance.audio, dtype="float32")
        wide = soxr.resample(samples, rate_hz, STEREO_RATE_HZ)
        path = folder / f"{number}.flac"
        soundfile.write(path, np.stack([wide, 0.9 * wide], axis=1), STEREO_RATE_HZ)
        made.append(replace(utterance, audio=path))
        seconds += len(wide) / STEREO_RATE_HZ
        if seconds > hours * 3600:
            break
    return made, seconds / 3600


def bare(utterances: list[Utterance]) -> None:
    """Decodes, resamples where needed, and drops the result."""
    for utterance in utterances:
        samples, rate_hz = soundfile.read(utterance.audio, dtype="float32")
        if samples.ndim > 1:
            samples = samples.mean(axis=1)
        if rate_hz != 16_000:
            soxr.resample(samples, rate_hz, 16_000)


def write(utterances: list[Utterance], encoding: str, out: str) -> None:
    """Does all that one process of `make_tfrecords` does: lengths, plan, shards."""
    jobs = [Job(utterance, utterance.text) for utterance in utterances]
    seconds: list[float | None] = [None] * len(jobs)
    recipe = Recipe(Place.of(out), Limits(0.1, 40), encoding)
    with Workers(1) as workers:
        for first, some in measure_seconds(utterances, workers, seconds_per_byte(utterances)):
            seconds[first : first + len(some)] = some
    for task in plan_shards(jobs, seconds, SHARD_BYTES, encoding).tasks(jobs):
        account = write_shard(task, recipe)
        assert not account.rejections, account.rejections[:3]


def processor_seconds(work, *arguments) -> float:
    """Measures one turn."""
    started = time.process_time()
    work(*arguments)
    return time.process_time() - started


def compare(name: str, utterances: list[Utterance], hours: float, rounds: int) -> None:
    """Prints one row per contestant: times real time per core, and its share of the bare loop's rate."""
    contestants = {"bare loop": (bare,), "writer, pcm": (write, "pcm"), "writer, flac": (write, "flac")}
    turns = {contestant: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant, (work, *encoding) in contestants.items():
            with tempfile.TemporaryDirectory() as out:
                arguments = (*encoding, out) if encoding else ()
                turns[contestant].append(processor_seconds(work, utterances, *arguments))
    middle = {contestant: statistics.median(seconds) for contestant, seconds in turns.items()}
    print(f"\n{name}: {len(utterances)} clips, {hours:.2f} h, median of {rounds} rounds")
    for contestant, seconds in middle.items():
        shares = (bare / own for bare, own in zip(turns["bare loop"], turns[contestant], strict=True))
        rate, share = hours * 3600 / seconds, statistics.median(shares)
        print(f"  {contestant:<14} {seconds:7.2f} s  {rate:6.0f} x real time per core  {share:6.1%} of the bare loop")


_MEMORY = """
import multiprocessing, sys, threading, time
from pathlib import Path
from data_tools.make_tfrecords import Options, make_tfrecords

def peak(process):  # ru_maxrss would count what a child shared with its parent before it began
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return max([int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")], default=0)

def watch():
    while True:
        peaks.extend(peak(child.pid) for child in multiprocessing.active_children())
        time.sleep(0.1)

if __name__ == "__main__":
    peaks = [0]
    threading.Thread(target=watch, daemon=True).start()
    table, root, out = map(Path, sys.argv[1:])
    make_tfrecords(Options(out=out, manifest=table, audio_root=root))
    print("peak MB:", peak("self"), max(peaks), file=sys.stderr)
"""


def memory(corpus: Path, hours: float) -> None:
    """Prints the peak memory of a whole run over so many hours."""
    utterances, hours = repeated(corpus, hours)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "manifest.tsv"
        rows = ("\t".join((u.source, u.text, u.id)) for u in utterances)
        table.write_text("path\ttranscript\tid\n" + "\n".join(rows) + "\n", encoding="utf-8")
        command = [sys.executable, "-c", _MEMORY, str(table), str(corpus), f"{folder}/out"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    main, worker = done.stderr.rsplit("peak MB:", 1)[1].split()
    print(f"  {hours:5.1f} h, {len(utterances):>6} clips: {main:>4} MB in the main process, {worker:>4} MB in a worker")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory_hours", type=float, default=20.0)
    given = parser.parse_args()
    utterances, hours = repeated(given.corpus, given.hours)
    compare("as they are", utterances, hours, given.rounds)
    with tempfile.TemporaryDirectory() as folder:
        compare("FLAC, 44.1 kHz, stereo", *stereo(utterances, Path(folder), STEREO_HOURS), given.rounds)
    print("\nmemory")
    for hours in (1.0, given.memory_hours):
        memory(given.corpus, hours)


if __name__ == "__main__":
    main()
