"""How far a run has come, kept beside its shards until it is finished, so that a run that was stopped can go on.

`unfinished/plan.json` says what the run was asked for and how the corpus is cut; one more file per shard says that it
is whole and what is in it. A shard without that file is written again. What is in a shard is left to `writer`.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from data_tools.index import INDEX_FILE
from data_tools.place import Place
from data_tools.shard_plan import ShardTask
from data_tools.sources import each, read_texts
from data_tools.writer import Account, Recipe, write_shard

FOLDER = "unfinished"
PLAN_FILE = "plan.json"


def refuse_others(place: Place) -> None:
    """Looks whether the folder for the shards is free, or holds those of a run that was stopped.

    Raises:
        FileExistsError: It holds shards that are finished, or of unknown origin.
    """
    found = sorted(name for name in place.list() if name == INDEX_FILE or ".tfrecord" in name)
    if found and not _notes(place).exists(PLAN_FILE):
        raise FileExistsError(
            f"--out {place} already holds {found[0]} and {len(found) - 1} more files of shards. "
            "Remove that folder, or name another one."
        )


class Progress:
    """The progress of one run.

    Args:
        place: Where its shards go.
        settings: All that decides what is in the shards, as JSON knows it.
    """

    def __init__(self, place: Place, settings: Mapping[str, Any]):
        self.place, self._settings = place, json.loads(json.dumps(settings))
        self._notes = _notes(place)

    def begun(self) -> dict[str, Sequence[tuple[int, int]]] | None:
        """Looks for a run that was stopped.

        Returns:
            How that run cut the corpus (`ShardPlan.cuts`); None if there was none.
        Raises:
            FileExistsError: That run was asked for something else.
        """
        if not self._notes.exists(PLAN_FILE):
            return None
        plan = json.loads(self._notes.read_text(PLAN_FILE))
        if differences := _differences(plan["settings"], self._settings):
            raise FileExistsError(
                f"--out {self.place} holds a run that was stopped and was asked for something else: {differences}. "
                "Ask for the same to let it go on, or remove that folder, or name another one."
            )
        self._remove_parts()
        return plan["cuts"]

    def is_complete(self) -> bool:
        """Says whether that run was stopped when only its notes were left."""
        return self.place.exists(INDEX_FILE)

    def begin(self, cuts: Mapping[str, Sequence[tuple[int, int]]]) -> None:
        """Notes what the run was asked for, before its first shard."""
        if not self.place.is_bucket:
            os.makedirs(str(self._notes), exist_ok=True)
        _write(self._notes, PLAN_FILE, {"settings": self._settings, "cuts": cuts})

    def finished(self) -> dict[str, Account]:
        """Gives file -> account of the shards that are there in full."""
        sizes, notes = self.place.list(), self._notes.list()
        names = sorted(name for name in notes if name.endswith(".tfrecord.json"))
        accounts = (_account(json.loads(text)) for text in read_texts([self._notes / name for name in names]))
        return {a.file: a for a in accounts if not a.records or sizes.get(a.file) == a.bytes}

    def forget(self) -> None:
        """Removes the notes, and what a run that was killed has left; the run is finished."""
        self._remove_parts()
        names = [name for name in self._notes.list() if name != PLAN_FILE]
        for _ in each(lambda note: self._notes.remove(os.path.basename(note)), [self._notes / name for name in names]):
            pass
        self._notes.remove(PLAN_FILE)  # last: without it the folder would be another one's
        if not self.place.is_bucket:
            os.rmdir(str(self._notes))

    def _remove_parts(self) -> None:
        for name in self.place.list():
            if ".tfrecord." in name and name.endswith(".part"):
                self.place.remove(name)


def finish_shard(task: ShardTask, recipe: Recipe) -> Account:
    """Writes a shard and then notes that it is there; raises as `write_shard`. Other processes do this."""
    account = write_shard(task, recipe)
    _write(_notes(recipe.place), f"{task.file}.json", vars(account))
    return account


def _notes(place: Place) -> Place:
    return Place.of(place / FOLDER)


def _write(notes: Place, name: str, content: Mapping) -> None:
    notes.write_text(name, json.dumps(content, ensure_ascii=False) + "\n")


def _account(content: Mapping) -> Account:
    return Account(**content | {"characters": Counter(content["characters"])})


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Names what differs.

    >>> _differences({"encoding": "pcm", "corpus": "f3"}, {"encoding": "flac", "corpus": "a1"})
    "encoding was 'pcm' and is 'flac', corpus was 'f3' and is 'a1'"
    """
    names = [name for name in now | then if then.get(name) != now.get(name)]
    return ", ".join(f"{name} was {then.get(name)!r} and is {now.get(name)!r}" for name in names)
