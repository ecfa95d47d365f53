"""The Hugging Face hub: files of a model into its cache and out of it, folders up to it; refusals in clear lines.

This is the one importer of huggingface_hub. What else a source may be is `remote`'s business.
"""

import logging
import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wav2vec2_tf.files import write_text
from wav2vec2_tf.waiting import within

#: How long the hub may take to say which files a model has, unless HF_HUB_ETAG_TIMEOUT says otherwise.
ANSWER_SECONDS = 3.5
_CONNECT_SECONDS = 30  # the same before an upload, where nothing in the cache can help

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_LOG = logging.getLogger(__name__)


def is_hub_id(name: str) -> bool:
    """Tells what the hub takes for the name of a model.

    >>> [is_hub_id(name) for name in ("facebook/wav2vec2-base", "base", "./base", "runs/1/best", "a--b")]
    [True, True, False, False, False]
    """
    return bool(_HUB_ID.fullmatch(name)) and len(name) <= 96 and "--" not in name and ".." not in name


def file_names(folder: Path) -> list[str]:
    """Lists the files that lie in a folder itself, without links that lead nowhere."""
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@dataclass(frozen=True)
class Repo:
    """One revision of a model on the hub.

    Args:
        repo: "org/name" or "name".
        revision: Branch, tag or commit.
        cache_dir: By default HF_HUB_CACHE.
        token: By default the stored one.
    """

    repo: str
    revision: str
    cache_dir: str | os.PathLike | None
    token: str | None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.repo if self.revision == "main" else f"{self.repo}@{self.revision}"

    @property
    def store(self) -> Path:
        """The model's place in the cache, laid out as huggingface_hub documents it."""
        cache = Path(self.cache_dir or _huggingface_hub().constants.HF_HUB_CACHE).expanduser()
        return cache / f"models--{self.repo.replace('/', '--')}"

    def fetch(
        self,
        choose: Callable[[list[str]], Iterable[str]],
        local_files_only: bool,
        check_kind: Callable[[str], None] | None,
    ) -> tuple[Path, tuple[str, ...]]:
        """Downloads the chosen files into the cache, or finds them there; see `remote.fetch`.

        Returns:
            The folder, and the names of the files in it.
        """
        hub = _huggingface_hub()
        if local_files_only or hub.constants.HF_HUB_OFFLINE:
            return self._from_cache(choose, None)
        seconds = ANSWER_SECONDS
        if hub.constants.HF_HUB_ETAG_TIMEOUT != hub.constants.DEFAULT_ETAG_TIMEOUT:
            seconds = hub.constants.HF_HUB_ETAG_TIMEOUT
        try:
            info = within(seconds, lambda: self._api.model_info(self.repo, revision=self.revision, timeout=seconds + 1))
        except Exception as error:
            refusal = self._refusal(error)
            if refusal is not None:
                raise refusal from error
            return self._from_cache(choose, error)
        kind = (getattr(info, "config", None) or {}).get("model_type")
        if check_kind is not None and kind is not None:
            check_kind(kind)  # before gigabytes of another kind of model are fetched
        names = sorted(file.rfilename for file in info.siblings if "/" not in file.rfilename)
        return self._download(tuple(choose(names)), info.sha)

    @property
    def _api(self):
        return _huggingface_hub().HfApi(token=self.token)

    def _download(self, names: tuple[str, ...], commit: str) -> tuple[Path, tuple[str, ...]]:
        """Downloads by commit, so that all files are of one; the branch points there once all have come."""
        where = dict(repo_id=self.repo, revision=commit, cache_dir=self.cache_dir, token=self.token)
        for name in names:
            try:
                _huggingface_hub().hf_hub_download(filename=name, **where)
            except Exception as error:
                raise self._refusal(error) or ConnectionError(
                    f"{self.name}: {name} could not be fetched ({_first_line(error)}). Nothing incomplete was kept; "
                    f"files that are whole stay in {self.store}. Run it again to go on."
                ) from error
        if commit != self.revision:
            with suppress(OSError):  # a cache that can only be read
                (self.store / "refs" / self.revision).parent.mkdir(parents=True, exist_ok=True)
                write_text(self.store / "refs" / self.revision, commit)
        return self.store / "snapshots" / commit, names

    def _from_cache(self, choose, error: Exception | None) -> tuple[Path, tuple[str, ...]]:
        ref = self.store / "refs" / self.revision
        commit = ref.read_text(encoding="utf-8").strip() if ref.is_file() else self.revision
        snapshot = self.store / "snapshots" / commit
        if not snapshot.is_dir():
            raise self._absent(error) from error
        if error is not None:
            _LOG.warning("%s: no answer from the hub (%s); taken from %s", self.name, _first_line(error), snapshot)
        return snapshot, tuple(choose(file_names(snapshot)))

    def _absent(self, error: Exception | None) -> OSError:
        here = f"There is no folder or file {self.name} here, and no such model in the cache ({self.store})"
        if error is None:
            return FileNotFoundError(
                f"{here}; the hub was not asked (local_files_only or HF_HUB_OFFLINE). "
                f"Correct the path, or fetch the model once with a network."
            )
        return ConnectionError(
            f"{here}; the hub ({_endpoint()}) cannot be reached: {_first_line(error)}. Correct the path; or connect, "
            f"check HF_ENDPOINT and HTTPS_PROXY, and on a slow line set HF_HUB_ETAG_TIMEOUT=30."
        )

    def _refusal(self, error: Exception) -> OSError | None:
        """Says what the hub's own no means; None where it gave none."""
        errors, page = _huggingface_hub().errors, f"{_endpoint()}/{self.repo}"
        if isinstance(error, errors.GatedRepoError):
            return PermissionError(
                f"{self.repo} is gated. Ask for access at {page}, then run `hf auth login` or give token=."
            )
        if isinstance(error, errors.RepositoryNotFoundError):
            return FileNotFoundError(
                f"There is no folder or file {self.repo} here, and no model {self.repo} on the hub ({page}), unless it "
                f"is private. Correct the path or the id; for a private model run `hf auth login` or give token=."
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return FileNotFoundError(
                f"{self.repo} has no revision {self.revision!r}. Give a branch, tag or commit from {page}/commits/main."
            )
        if _status(error) in (401, 403):
            return PermissionError(
                f"{self.repo}: the hub refuses the token ({_first_line(error)}). Run `hf auth login`, or give another."
            )
        return None


def push(
    folder: str | os.PathLike,
    repo_id: str,
    *,
    token: str | None = None,
    private: bool | None = None,
    revision: str | None = None,
    commit_message: str = "Upload model",
) -> str:
    """Uploads a folder to the hub in one commit; the repository and the branch are made if absent.

    Args:
        folder: Its files are uploaded; others in the repository stay.
        repo_id: "org/name", or "name" for one's own.
        token: With the right to write; by default the one that `hf auth login` stored, or HF_TOKEN.
        private: Whether a new repository is private; None leaves it to the account's default.
        revision: The branch; by default "main".
        commit_message: The commit's first line.
    Returns:
        The URL of the model.
    Raises:
        ValueError: `repo_id` is no name of a model.
        PermissionError: There is no token, or it may not write there.
        ConnectionError: The hub cannot be reached, or the upload broke off.
    """
    hub = _huggingface_hub()
    if not is_hub_id(repo_id):
        raise ValueError(f"{repo_id!r} is no name of a model on the hub. Give org/name, or name for one's own.")
    if not (token or hub.get_token()):
        raise PermissionError(f"Writing to {repo_id} needs a token: run `hf auth login` or give token=.")
    api, files = hub.HfApi(token=token), [Path(folder) / name for name in file_names(Path(folder))]
    added = [hub.CommitOperationAdd(path_in_repo=path.name, path_or_fileobj=path) for path in files]
    try:
        url = within(_CONNECT_SECONDS, lambda: api.create_repo(repo_id, private=private, exist_ok=True))
        if revision is not None:
            api.create_branch(url.repo_id, branch=revision, exist_ok=True)
        api.create_commit(url.repo_id, added, commit_message=commit_message, revision=revision)
    except Exception as error:
        raise _upload_error(error, repo_id) from error
    return str(url) if revision is None else f"{url}/tree/{revision}"


def _upload_error(error: Exception, repo_id: str) -> OSError:
    if _status(error) in (401, 403, 404):
        return PermissionError(
            f"The token may not write to {repo_id} ({_first_line(error)}). Give one with write access to that name: "
            f"run `hf auth login` or give token=."
        )
    return ConnectionError(
        f"{repo_id}: the upload to {_endpoint()} broke off ({_first_line(error)}). Nothing was committed; run it again."
    )


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _endpoint() -> str:
    return _huggingface_hub().constants.ENDPOINT


def _huggingface_hub():
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise ImportError(
            "Models on the hub need the package huggingface_hub: pip install huggingface_hub. Local folders do not."
        ) from error
    return huggingface_hub
