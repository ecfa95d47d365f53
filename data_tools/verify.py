"""Shards checked whole: what each holds, and what is wrong with it.

How a record is read and checked is `scan`'s; which shards are looked at, and what all of them say together, `survey`'s.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from data_tools.index import Shard
from data_tools.scan import TEXT_FIELDS, DamagedError, check_fields, parse_fields, read_records

MOST_FINDINGS = 20
"""Per shard: one cause seldom has more to tell."""


@dataclass(frozen=True)
class Finding:
    """Something wrong: in which shard, in which of its records (from 0; None: in the shard as a whole), and what."""

    shard: str
    record: int | None
    what: str

    def __str__(self) -> str:
        return f"{self.shard}{'' if self.record is None else f', record {self.record}'}: {self.what}"


@dataclass(frozen=True, eq=False)
class Record:
    """A record that was kept; `samples` is int16 [S] at 16 kHz."""

    id: str
    text: str
    transcript: str
    speaker: str
    source: str
    samples: np.ndarray


@dataclass(frozen=True, eq=False)
class ShardFacts:
    """What a shard holds.

    Args:
        findings: What is wrong with it, in order; after `MOST_FINDINGS` records the rest is not looked at.
        speakers: Speaker -> samples, in sound records.
        characters: Character -> occurrences in the texts of sound records.
        id_hashes: uint64 [records looked at]; 0 where the id could not be read.
        kept: Place -> record, for those asked for that are sound.
    """

    findings: list[Finding] = field(default_factory=list)
    speakers: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    id_hashes: array = field(default_factory=lambda: array("Q"))
    kept: dict[int, Record] = field(default_factory=dict)


def check_shard(path: str, shard: Shard, keep: Container[int] = ()) -> ShardFacts:
    """Reads a shard whole and checks every record.

    Args:
        path: The file, local or gs://.
        shard: What the index says about it.
        keep: Places of the records to return, from 0.
    Returns:
        What is in it, and what is wrong with it: damage is no exception here.
    """
    facts = ShardFacts()
    try:
        for place, record in enumerate(read_records(path, shard.bytes)):
            if len(facts.findings) == MOST_FINDINGS:
                facts.findings.append(Finding(shard.file, None, f"nothing from record {place} on was looked at"))
                break
            what = _enter(facts, shard, place, record, place in keep)
            if what:
                facts.findings.append(Finding(shard.file, place, what))
    except (tf.errors.OpError, RuntimeError) as error:  # the latter from az://
        facts.findings.append(Finding(shard.file, None, f"it cannot be read: {getattr(error, 'message', error)}"))
    if not facts.findings and len(facts.id_hashes) != shard.records:
        what = f"it ends after {len(facts.id_hashes)} records, the index says {shard.records}"
        facts.findings.append(Finding(shard.file, None, what))
    return facts


def _enter(facts: ShardFacts, shard: Shard, place: int, record: bytes | DamagedError, keep: bool) -> str:
    """Enters a record into the books; returns what is wrong with it."""
    facts.id_hashes.append(0)
    if isinstance(record, DamagedError):
        return str(record)
    known = min(shard.records, len(shard.num_samples), len(shard.num_labels))
    if place >= known:
        return f"the index knows {known} records of this shard only"
    named = ""
    try:
        fields = parse_fields(record)
        facts.id_hashes[-1] = _hash(fields["id"])
        named = f"({fields['id'].decode(errors='replace')}) "
        samples = check_fields(fields, int(shard.num_samples[place]), int(shard.num_labels[place]))
    except DamagedError as error:
        return f"{named}{error}"
    texts = {name: fields[name].decode() for name in TEXT_FIELDS}
    facts.speakers[texts["speaker"]] += len(samples)
    facts.characters.update(texts["text"])
    if keep:
        facts.kept[place] = Record(**texts, samples=samples)
    return ""


def _hash(id: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(id, digest_size=8).digest(), "little") or 1
