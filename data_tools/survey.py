"""What a folder of shards holds: lengths and rates from its index, speakers and samples from the shards looked at.

Reading a shard is left to `verify`, telling to `inspect` and `inspect_page`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from data_tools.index import Index, Shard
from data_tools.place import Place
from data_tools.verify import MOST_FINDINGS, Finding, Record, ShardFacts, check_shard

EXTREMES, AT_RANDOM = ("most labels per second", "fewest labels per second", "shortest", "longest"), "at random"
"""What samples stand for."""

_NUM_AT_RANDOM = 4
_READERS = 4
_FEW_SHARDS = 10  # these are read within seconds: no bar is drawn


@dataclass(frozen=True)
class Sample:
    """A record to look at and listen to.

    Args:
        why: What it stands for: some of `EXTREMES`, or `AT_RANDOM`.
        shard, place: Where it lies; places count from 0.
        record: What it holds.
    """

    why: str
    shard: str
    place: int
    record: Record


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a folder of shards.

    Args:
        index: Its index.
        looked_at: Split -> records read; the figures below are theirs.
        speakers: Split -> speaker -> samples; "" where unknown.
        samples: Split -> some of its records.
        rejects: Lines of rejects.tsv below its header, as cells: id, path, reason, detail.
        findings: What is wrong.
    """

    index: Index
    looked_at: dict[str, int]
    speakers: dict[str, Counter[str]]
    samples: dict[str, list[Sample]]
    rejects: tuple[tuple[str, ...], ...]
    findings: tuple[Finding, ...]

    def seconds(self, split: str) -> np.ndarray:
        """Gives the lengths of a split's clips: float [records]."""
        return self.index.lengths(split) / self.index.sample_rate_hz

    def rates(self, split: str) -> np.ndarray:
        """Gives a split's labels per second: float [records]."""
        return self.index.label_counts(split) / np.maximum(self.seconds(split), 1e-3)

    @property
    def num_records(self) -> int:
        """Records of all splits, looked at or not."""
        return sum(shard.records for shards in self.index.splits.values() for shard in shards)

    @property
    def is_whole(self) -> bool:
        """Says whether every record was looked at."""
        return sum(self.looked_at.values()) == self.num_records

    def shared_speakers(self) -> dict[str, list[str]]:
        """Gives the speakers that are in several splits, each with these."""
        found: dict[str, list[str]] = {}
        for split, speakers in self.speakers.items():
            for speaker in speakers:
                found.setdefault(speaker, []).append(split)
        return {speaker: splits for speaker, splits in found.items() if speaker and len(splits) > 1}


def survey(index: Index, every_shard: bool) -> Survey:
    """Looks into shards, and checks whatever it reads.

    Args:
        index: From `load_index`.
        every_shard: Whether all shards are read; otherwise those that hold the samples.
    Returns:
        What they hold.
    """
    tasks = [task for task in _tasks(index) if task.keep or every_shard]
    facts = list(_check_all(index, tasks))
    looked_at, speakers = dict.fromkeys(index.splits, 0), {split: Counter() for split in index.splits}
    samples: dict[str, list[Sample]] = {split: [] for split in index.splits}
    for task, found in zip(tasks, facts, strict=True):
        looked_at[task.split] += len(found.id_hashes)
        speakers[task.split].update(found.speakers)
        samples[task.split] += [Sample(task.keep[i], task.shard.file, i, record) for i, record in found.kept.items()]
    findings = [finding for found in facts for finding in found.findings]
    findings += _repeated([task.shard.file for task in tasks], facts)
    if every_shard and not findings:
        findings += _compare_characters(index, sum((found.characters for found in facts), Counter()))
    for some in samples.values():
        some.sort(key=lambda sample: [*EXTREMES, AT_RANDOM].index(sample.why.partition(",")[0]))
    return Survey(index, looked_at, speakers, samples, _rejects(index), tuple(findings))


class _Task(NamedTuple):
    """A shard of a split, and which of its records are wanted for what: place -> reason."""

    split: str
    shard: Shard
    keep: dict[int, str]


def _tasks(index: Index) -> Iterator[_Task]:
    for split, shards in index.splits.items():
        chosen = choose(index, split)
        for number, shard in enumerate(shards):
            yield _Task(split, shard, {place: why for (n, place), why in chosen.items() if n == number})


def choose(index: Index, split: str) -> dict[tuple[int, int], str]:
    """Chooses records worth a look: the extremes, which are wrong most often, and some at random, the same every time.

    Args:
        index: The shards.
        split: Which of them.
    Returns:
        (Number of the shard, place in it) -> why, in the order in which they are to be shown.
    """
    lengths, labels = index.lengths(split), index.label_counts(split)
    rates = labels / np.maximum(lengths, 1)
    extremes = (rates.argmax(), rates.argmin(), lengths.argmin(), lengths.argmax())
    drawn = np.random.default_rng(0).choice(len(lengths), min(_NUM_AT_RANDOM, len(lengths)), replace=False)
    begins = np.cumsum([0] + [len(shard.num_samples) for shard in index.shards(split)])
    picks: dict[tuple[int, int], list[str]] = {}
    for clip, why in [*zip(extremes, EXTREMES, strict=True), *((clip, AT_RANDOM) for clip in drawn)]:
        number = int(np.searchsorted(begins, clip, side="right")) - 1
        picks.setdefault((number, int(clip - begins[number])), []).append(why)
    return {place: ", ".join(reasons) for place, reasons in picks.items()}


def _check_all(index: Index, tasks: Sequence[_Task]) -> Iterator[ShardFacts]:
    folder, pool = Place.of(index.folder), ThreadPoolExecutor(_READERS)
    try:
        found = pool.map(lambda task: check_shard(folder / task.shard.file, task.shard, task.keep), tasks)
        yield from tqdm(found, total=len(tasks), unit="shard", desc="inspect", disable=len(tasks) < _FEW_SHARDS)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _repeated(files: Sequence[str], facts: Sequence[ShardFacts]) -> list[Finding]:
    """Finds records whose id an earlier one has."""
    hashes = np.concatenate([np.array(found.id_hashes, np.uint64) for found in facts] or [np.zeros(0, np.uint64)])
    begins = np.cumsum([0] + [len(found.id_hashes) for found in facts])
    _, first, group = np.unique(hashes, return_index=True, return_inverse=True)

    def where(i):
        number = int(np.searchsorted(begins, i, side="right")) - 1
        return files[number], int(i - begins[number])

    later = np.flatnonzero((first[group] != np.arange(len(hashes))) & (hashes != 0))
    told = [(where(i), where(first[group[i]])) for i in later[:MOST_FINDINGS].tolist()]
    found = [Finding(*here, f"its id is also that of {there[0]}, record {there[1]}") for here, there in told]
    if len(later) > len(found):
        found.append(Finding(where(later[len(found)])[0], None, f"{len(later) - len(found)} more ids are repeated"))
    return found


def _compare_characters(index: Index, counted: Counter[str]) -> list[Finding]:
    differing = sorted({char for char, _ in counted.items() ^ index.characters.items()})
    what = "it counts {!r} {} times, the texts have it {} times"
    return [
        Finding("index.json", None, what.format(char, index.characters.get(char, 0), counted[char]))
        for char in differing[:MOST_FINDINGS]
    ]


def _rejects(index: Index) -> tuple[tuple[str, ...], ...]:
    try:
        lines = Place.of(index.folder).read_text("rejects.tsv").splitlines()[1:]
    except FileNotFoundError:
        return ()
    return tuple(tuple(line.split("\t")) for line in lines)
