"""Which files of a source are its checkpoint, and what they say: everything but the tensors, which are only listed.

Bringing files to this machine is `wav2vec2_tf.remote`, filling a model `assign`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convert.dialects import translate
from convert.readers import open_tensors
from convert.tensors import Checkpoint
from wav2vec2_tf import remote
from wav2vec2_tf.families import family
from wav2vec2_tf.files import read_json

CONFIG_FILE = "config.json"

# forms of weights, the preferred first      their shards
FORMS = (
    (r"model\.safetensors",                  None),
    (r"model\.safetensors\.index\.json",     r"model-\d+-of-\d+\.safetensors"),
    (r"pytorch_model\.bin",                  None),
    (r"pytorch_model\.bin\.index\.json",     r"pytorch_model-\d+-of-\d+\.bin"),
    (r"tf_model\.h5",                        None),
    (r"tf_model\.h5\.index\.json",           r"tf_model-\d+-of-\d+\.h5"),
    (r"tf_model\.index",                     r"tf_model\.data-\d+-of-\d+"),
    (r"[^/]+\.pt",                           None),
)  # fmt: skip
BESIDE = (r"dict\..+\.txt", r"config\.json")  # fairseq's vocabulary; nothing loads without the config: it is last
SUPPORTED = (
    "model.safetensors, pytorch_model.bin, tf_model.h5 of transformers 4 (all also in shards), tf_model.h5 and "
    "tf_model.index of the earlier TF port, each with its config.json; or one .pt file of fairseq"
)


def choose_weights(names: Sequence[str]) -> list[str]:
    """Picks the files of one checkpoint, in the preferred form, out of all that lie beside each other.

    >>> choose_weights(["README.md", "config.json", "model.safetensors", "pytorch_model.bin"])
    ['model.safetensors', 'config.json']

    Args:
        names: All file names of the source.
    Returns:
        The weight files, then what is read with them; [] where there are no known weights, or several to choose from.
    """
    for form, shards in FORMS:
        found = [name for name in names if re.fullmatch(form, name)]
        if len(found) == 1:
            found += [name for name in names if shards and re.fullmatch(shards, name)]
            return found + choose_beside(names)
    return []


def choose_beside(names: Sequence[str]) -> list[str]:
    """Picks the files that are read with any weights."""
    return [name for form in BESIDE for name in names if re.fullmatch(form, name)]


@dataclass(frozen=True)
class Opened:
    """A checkpoint whose tensors can be read as long as this object lives.

    Args:
        checkpoint: In the Hugging Face names.
        fetched: Its files.
        source, where: As given to `open_checkpoint`: other files of the same source are found with them.
    """

    checkpoint: Checkpoint
    fetched: remote.Fetched
    source: str
    where: Mapping[str, Any]


def open_checkpoint(source, **where) -> Opened:
    """Finds a checkpoint and reads everything but the tensors.

    Args:
        source: Folder, weight file, hub id or gs:// folder; see `remote.fetch`.
        where: `revision`, `cache_dir`, `token`, `local_files_only`.
    Returns:
        The checkpoint; it has a config.
    Raises:
        FileNotFoundError: There is no such source, or it holds no checkpoint.
        ValueError: A file is damaged, or of a kind that is not supported.
    """
    seen: list[str] = []

    def choose(names):
        seen.extend(names)
        return choose_weights(names)

    fetched = remote.fetch(source, choose, check_kind=lambda kind: _check_kind(str(source), kind), **where)
    beside = choose_beside(fetched.files)
    if not seen:  # one file was named
        beside = choose_beside(sorted(path.name for path in fetched.folder.iterdir()))
    files = [path for path in fetched.paths if path.name not in beside]
    config = None
    if CONFIG_FILE in beside:
        config = read_json(fetched.folder / CONFIG_FILE)
    if not files:
        config = config or _config_only(source, where, seen)
        _check_kind(fetched.name, config.get("model_type", "wav2vec2"))
        raise FileNotFoundError(
            f"{fetched.name} is not a model folder: it has no model.safetensors nor another known form of weights. "
            f"It holds {listed(seen)}. Supported are {SUPPORTED}."
        )
    checkpoint = translate(fetched.name, files, open_tensors(files), config)
    if checkpoint.config is None:
        raise FileNotFoundError(
            f"{fetched.name} is not a model folder: it has no {CONFIG_FILE}, and {files[0].name} holds none either. "
            f"Put the checkpoint's {CONFIG_FILE} beside it."
        )
    return Opened(checkpoint, fetched, str(source), where)


def _config_only(source, where, names) -> dict:
    """Reads the config.json of a source without known weights, which may tell what it is."""
    if CONFIG_FILE not in names:
        return {}
    fetched = remote.fetch(source, lambda _: [CONFIG_FILE], **where)
    return read_json(fetched.folder / CONFIG_FILE)


def _check_kind(name: str, model_type: str) -> None:
    """Tells what a source is, if it is none of the models supported."""
    try:
        family(model_type)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def listed(names: Sequence[str]) -> str:
    """Gives the first of some names, for a message."""
    shown = ", ".join(sorted(names)[:8]) or "no file"
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
