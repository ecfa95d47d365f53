"""index.json: what a folder of shards holds, and the sign that all of it was written.

It is written last and replaced whole, so a folder without one was never finished. Needs no TensorFlow.
"""

import json
import os
from dataclasses import dataclass

import numpy as np

from data_tools.place import Place
from data_tools.schema import READABLE_VERSIONS, SCHEMA_VERSION

INDEX_FILE = "index.json"


class ShardsError(ValueError):
    """A folder of shards that cannot be used; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Shard:
    """One file of records.

    Args:
        file: Its name in the folder.
        records: Records in it.
        bytes: Its size.
        num_samples: int64 [records], samples at 16 kHz.
        num_labels: int64 [records], code points of the text.
    """

    file: str
    records: int
    bytes: int
    num_samples: np.ndarray
    num_labels: np.ndarray


@dataclass(frozen=True, eq=False)
class Index:
    """What index.json says.

    Args:
        folder: Where the shards lie.
        sample_rate_hz: Of the records' audio.
        text_rules: Names of the rules the records' text was made with.
        characters: Character -> occurrences in all texts.
        rejected: Reason -> utterances left out.
        splits: Split -> its shards in order.
        encoding: What the records' audio holds, one of `schema.ENCODINGS`.
    """

    folder: Place
    sample_rate_hz: int
    text_rules: tuple[str, ...]
    characters: dict[str, int]
    rejected: dict[str, int]
    splits: dict[str, tuple[Shard, ...]]
    encoding: str = "pcm"

    def shards(self, split: str) -> tuple[Shard, ...]:
        """Gives the shards of a split, or of several joined by "+", one after the other.

        Raises:
            ValueError: There is no such split.
        """
        names = split.split("+")
        for name in names:
            if name not in self.splits:
                raise ValueError(f"{self.folder} has no split {name!r}; it has {', '.join(self.splits)}.")
        return tuple(shard for name in names for shard in self.splits[name])

    def lengths(self, split: str) -> np.ndarray:
        """Gives the samples of each record, in shard order: int64 [records]."""
        return np.concatenate([shard.num_samples for shard in self.shards(split)])

    def label_counts(self, split: str) -> np.ndarray:
        """Gives the labels of each record, in shard order: int64 [records]."""
        return np.concatenate([shard.num_labels for shard in self.shards(split)])


def save_index(index: Index) -> None:
    """Writes index.json whole or not at all."""
    splits = {name: {"shards": [_shard_to_dict(shard) for shard in shards]} for name, shards in index.splits.items()}
    content = {
        "schema": SCHEMA_VERSION,
        "sample_rate_hz": index.sample_rate_hz,
        "encoding": index.encoding,
        "text_rules": list(index.text_rules),
        "characters": index.characters,
        "rejected": index.rejected,
        "splits": splits,
    }
    Place.of(index.folder).write_text(INDEX_FILE, json.dumps(content, ensure_ascii=False) + "\n")


def disk_error(folder: str | os.PathLike | Place, error: Exception, rest: str) -> OSError:
    """Makes the error for a file that could not be written: what happened, where, and how much room there is.

    Args:
        folder: Where it was to go.
        error: What the system said.
        rest: What became of the other files there.
    Returns:
        The error to raise.
    """
    free = Place.of(folder).free_space()
    if free is None:
        return OSError(f"{folder} could not be written ({error}). {rest} Run it again.")
    return OSError(
        f"{folder} could not be written ({error}); {free} bytes are free there. {rest} Make room, or name an --out on "
        "another disk, and run it again."
    )


def load_index(folder: str | os.PathLike | Place) -> Index:
    """Reads index.json and checks that every shard is there in full.

    Args:
        folder: What make_tfrecords was given as --out; a local folder, or gs://BUCKET/FOLDER.
    Returns:
        The index.
    Raises:
        ShardsError: There is no index, it is not JSON, it is of another schema, or a shard is missing or of another
            size.
        OSError: The bucket may not be read, or cannot be reached.
    """
    folder = Place.of(folder)
    content = _read(folder)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema not in READABLE_VERSIONS:
        raise ShardsError(
            f"{folder} is of schema {schema}, this version reads {' and '.join(map(str, READABLE_VERSIONS))}. "
            "Write the shards again with make_tfrecords."
        )
    try:
        splits = {
            name: tuple(_shard_from_dict(shard) for shard in split["shards"])
            for name, split in content["splits"].items()
        }
        rules, rate_hz = tuple(content["text_rules"]), content["sample_rate_hz"]
        counts = content["characters"], content["rejected"]
        encoding = "pcm" if schema == 1 else content["encoding"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ShardsError(f"{folder / INDEX_FILE} is damaged ({error!r}). Write the shards again.") from error
    sizes = folder.list()  # of all at once: a bucket takes its time for each question
    for shards in splits.values():
        for shard in shards:
            _check(folder / shard.file, sizes.get(shard.file), shard)
    return Index(folder, rate_hz, rules, *counts, splits, encoding)


def _read(folder: Place) -> dict:
    try:
        return json.loads(folder.read_text(INDEX_FILE))
    except FileNotFoundError:
        raise ShardsError(
            f"{folder} holds no {INDEX_FILE}: make_tfrecords was not run there or did not finish. Run it again."
        ) from None
    except ValueError as error:
        raise ShardsError(
            f"{folder / INDEX_FILE} is not JSON ({error}). Write the shards again with make_tfrecords."
        ) from error


def _check(path: str, size: int | None, shard: Shard) -> None:
    if size != shard.bytes:
        found = "is missing" if size is None else f"has {size} bytes"
        raise ShardsError(
            f"{path} {found}, the index says {shard.bytes} bytes. Copy it again, or write the shards again."
        )


def _shard_to_dict(shard: Shard) -> dict:
    return vars(shard) | {"num_samples": shard.num_samples.tolist(), "num_labels": shard.num_labels.tolist()}


def _shard_from_dict(fields: dict) -> Shard:
    counts = {name: np.asarray(fields[name], np.int64) for name in ("num_samples", "num_labels")}
    return Shard(**fields | counts)
