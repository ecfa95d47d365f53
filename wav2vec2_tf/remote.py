"""Where a checkpoint comes from: a local path, "org/name@revision" on the hub, or gs://; all become local files.

Which files are wanted is the callers' choice, what is in them their business. The hub is `huggingface`, gs:// is `gcs`.
"""

import os
import shutil
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from wav2vec2_tf import gcs
from wav2vec2_tf.huggingface import Repo, file_names, is_hub_id, push

__all__ = ["Fetched", "fetch", "push"]


@dataclass(frozen=True)
class Fetched:
    """A checkpoint's files on this machine.

    Args:
        folder: Where they are. A folder fetched from gs:// is temporary: it goes when this object does.
        files: Names of the chosen files in it, in the order of the choice.
        name: What to call the source in messages: the path, the hub id with its revision, or the URL.
    """

    folder: Path
    files: tuple[str, ...]
    name: str

    @property
    def paths(self) -> tuple[Path, ...]:
        """Whole paths of the chosen files."""
        return tuple(self.folder / name for name in self.files)


def fetch(
    source: str | os.PathLike,
    choose: Callable[[list[str]], Iterable[str]],
    *,
    check_kind: Callable[[str], None] | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike | None = None,
    token: str | None = None,
    local_files_only: bool = False,
) -> Fetched:
    """Brings the chosen files of a source to this machine.

    Args:
        source: A folder or a file; a gs:// folder; or a hub id, "org/name" or "org/name@revision". What exists as a
            local path is one.
        choose: Picks from the names of the files that lie in the source itself, not in folders below. A file as
            `source` is its own choice. They are fetched in the order given: put what nothing loads without last.
        check_kind: Takes the `model_type` where the hub knows it, before anything is downloaded, and raises if it is
            none to fetch.
        revision: Branch, tag or commit on the hub, "main" by default; local paths and gs:// have none.
        cache_dir: The hub's cache; by default that of huggingface_hub (HF_HUB_CACHE).
        token: For private models; by default the one that `hf auth login` stored, or HF_TOKEN.
        local_files_only: Ask nobody: take the hub's files from the cache, as with HF_HUB_OFFLINE=1.
    Returns:
        The files. When the hub cannot be reached they come from the cache, and a line is logged.
    Raises:
        FileNotFoundError: There is no such path, model, revision, bucket or folder.
        PermissionError: The model is private or gated, or the token or the credentials do not do.
        ConnectionError: The hub cannot be reached and the cache does not hold the model, or a download broke off.
        ValueError: Two revisions are given.
    """
    if not str(source):
        raise FileNotFoundError("The source is empty. Give a folder, such as RUN/best, or a hub id: org/name.")
    path = Path(source).expanduser()
    if path.is_file():
        return Fetched(path.parent, (path.name,), str(path))
    if path.is_dir():
        return Fetched(path, tuple(choose(file_names(path))), str(path))
    if str(source).startswith("gs://"):
        folder, names = gcs.fetch(str(source), choose)
        fetched = Fetched(folder, names, str(source))
        weakref.finalize(fetched, shutil.rmtree, folder, ignore_errors=True)
        return fetched
    repo = Repo(*_parse(str(source), revision), cache_dir, token)
    return Fetched(*repo.fetch(choose, local_files_only, check_kind), repo.name)


def _parse(source: str, revision: str | None) -> tuple[str, str]:
    """Splits "org/name@revision"; refuses what can only be meant as a path."""
    repo, _, suffix = source.partition("@")
    if not is_hub_id(repo):
        raise FileNotFoundError(
            f"There is no folder or file {source}. Give one that is there, such as RUN/best, or a hub id: "
            f"org/name or org/name@revision."
        )
    if suffix and revision and suffix != revision:
        raise ValueError(f"{source} names the revision {suffix!r}, revision= names {revision!r}. Give one of them.")
    return repo, suffix or revision or "main"
