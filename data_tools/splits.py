"""Splits: made anew by speaker or by recording, and searched for what lies in two of them.

Which split a corpus gives an utterance itself is `manifests`' business.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from data_tools.manifest import DEFAULT_SPLIT, Utterance, check_split
from data_tools.sources import Audio, TarMember, is_remote

_PROBE_BYTES = 4096
_SHOWN = 5


@dataclass(frozen=True)
class Leak:
    """Something that is in two splits or more.

    Args:
        kind: "speaker", "recording" or "content" (files of equal bytes).
        what: The speaker, the recording, or the recordings of one content.
        utterances: Split -> how many utterances of it.
    """

    kind: str
    what: str
    utterances: dict[str, int]


def split_anew(utterances: Sequence[Utterance], by: str, shares: Mapping[str, float], seed: int = 0) -> list[Utterance]:
    """Gives each utterance the split of its speaker or recording, drawn from that name, the shares and the seed alone.

    A corpus that grows keeps the splits of what it had. Shares are met on average: few speakers meet them badly.

    Args:
        utterances: The corpus.
        by: "speaker" or "recording".
        shares: Split -> share of the speakers or recordings; the rest is "train".
        seed: Another seed, another split.
    Returns:
        The utterances in the same order.
    Raises:
        ValueError: The shares are no shares, a split comes out empty, or a speaker is unknown.
    """
    _check_shares(shares)
    name_of = _speaker if by == "speaker" else _recording
    splits = {name: _draw(name, shares, seed) for name in {name_of(utterance) for utterance in utterances}}
    empty = [split for split in (*shares, DEFAULT_SPLIT) if split not in set(splits.values())]
    if empty:
        raise ValueError(
            f"None of the {len(splits)} {by}s falls into {empty[0]}. Take a larger share, another --split_seed, or "
            "--split_by recording."
        )
    return [replace(utterance, split=splits[name_of(utterance)]) for utterance in utterances]


def _check_shares(shares: Mapping[str, float]) -> None:
    for split, share in shares.items():
        check_split(split, "--split_shares")
        if split == DEFAULT_SPLIT or not 0 < share < 1:
            raise ValueError(
                f"--split_shares gives {split} {share}; shares are between 0 and 1, and {DEFAULT_SPLIT} is the rest."
            )
    if sum(shares.values()) >= 1:
        raise ValueError(f"--split_shares add up to {sum(shares.values()):g} and leave nothing to {DEFAULT_SPLIT}.")


def _speaker(utterance: Utterance) -> str:
    if not utterance.speaker:
        raise ValueError(
            f"{utterance.id} has no speaker, so that it cannot be split by speaker. Name its column, or use --split_by "
            "recording."
        )
    return utterance.speaker


def _recording(utterance: Utterance) -> str:
    return utterance.source


def _draw(name: str, shares: Mapping[str, float], seed: int) -> str:
    digest = hashlib.blake2b(f"{seed}\n{name}".encode(), digest_size=8).digest()
    place = int.from_bytes(digest) / 2**64  # evenly in 0..1, the same on every machine
    for split, share in shares.items():
        place -= share
        if place < 0:
            return split
    return DEFAULT_SPLIT


def find_leaks(utterances: Sequence[Utterance]) -> list[Leak]:
    """Finds speakers, recordings and equal files that are in more than one split.

    Files of one size are compared by 4 kB from their middle, and whole where these are equal. What lies in a bucket is
    compared by name only.

    Args:
        utterances: The corpus, split.
    Returns:
        What is found, worst first within each kind.
    """
    if len({utterance.split for utterance in utterances}) < 2:
        return []
    by_speaker = _leaks("speaker", utterances, lambda utterance: utterance.speaker)
    by_name = _leaks("recording", utterances, lambda utterance: utterance.audio, lambda utterance: utterance.source)
    return [*by_speaker, *by_name, *_equal_files(utterances)]


def _leaks(
    kind: str,
    utterances: Sequence[Utterance],
    key_of: Callable[[Utterance], object],
    name_of: Callable[[Utterance], str] | None = None,
) -> list[Leak]:
    first: dict[object, str] = {}
    shared = {key for u in utterances if (key := key_of(u)) and first.setdefault(key, u.split) != u.split}
    counts: dict[object, Counter[str]] = defaultdict(Counter)  # of the few that are shared: there may be millions
    names = {}
    for utterance in utterances:
        if shared and (key := key_of(utterance)) in shared:
            counts[key][utterance.split] += 1
            names.setdefault(key, (name_of or key_of)(utterance))
    found = [Leak(kind, names[key], dict(count)) for key, count in counts.items()]
    return sorted(found, key=lambda leak: -sum(leak.utterances.values()))


def _equal_files(utterances: Iterable[Utterance]) -> list[Leak]:
    files: dict[Audio, Utterance] = {u.audio: u for u in utterances if not is_remote(u.audio)}  # the last split of each
    groups: Iterator[list[Audio]] = iter([list(files)])
    for content in (_size, _probe, _digest):
        groups = _parted(groups, content, files)
    leaks = []
    for group in groups:
        counts = Counter(files[audio].split for audio in group)
        names = sorted(files[audio].source for audio in group)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        leaks.append(Leak("content", ", ".join(names[:_SHOWN]) + more, dict(counts)))
    return sorted(leaks, key=lambda leak: -sum(leak.utterances.values()))


def _parted(
    groups: Iterable[list[Audio]], content: Callable[[Audio], object], files: Mapping[Audio, Utterance]
) -> Iterator[list[Audio]]:
    """Parts groups by some of the content, and keeps those that are in more than one split still."""
    for group in groups:
        parts = defaultdict(list)
        for audio in group:
            try:
                parts[content(audio)].append(audio)
            except OSError:
                continue  # it will be rejected as missing
        yield from (part for part in parts.values() if len({files[audio].split for audio in part}) > 1)


def _size(audio: Audio) -> int:
    return audio.size if isinstance(audio, TarMember) else os.path.getsize(audio)


def _probe(audio: Audio) -> bytes:
    size = _size(audio)
    return _read(audio, max(0, (size - _PROBE_BYTES) // 2), min(size, _PROBE_BYTES))


def _digest(audio: Audio) -> bytes:
    return hashlib.blake2b(_read(audio, 0, _size(audio))).digest()


def _read(audio: Audio, offset: int, size: int) -> bytes:
    path, start = (audio.path, audio.offset) if isinstance(audio, TarMember) else (audio, 0)
    with open(path, "rb") as file:
        file.seek(start + offset)
        return file.read(size)


def describe_leaks(leaks: Sequence[Leak]) -> list[str]:
    """Tells leaks in lines for a terminal: how many of each kind, and the worst of them."""
    if not leaks:
        return ["leakage: no speaker, no recording and no file is in two splits"]
    lines = []
    for kind, rule in (("speaker", "speakers"), ("recording", "recordings"), ("content", "groups of equal files")):
        found = [leak for leak in leaks if leak.kind == kind]
        if found:
            lines.append(f"LEAKAGE: {rule} in more than one split: {len(found)}")
            lines += [f"  {leak.what}: {_counts(leak.utterances)}" for leak in found[:_SHOWN]]
    return lines


def _counts(utterances: Mapping[str, int]) -> str:
    return ", ".join(f"{count} in {split}" for split, count in utterances.items())
