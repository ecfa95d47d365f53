"""Checkpoints to models and back: any known form is read, `config.json` and `model.safetensors` are written.

Where files come from is `remote`, what is in them `convert`; processor files are the processor's business.
"""

import dataclasses
import re
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from convert.assign import assign, check_finite, fill, named_weights
from convert.audit import Audit, audit
from convert.names import canonical
from convert.readers import open_tensors
from convert.sources import CONFIG_FILE, listed, open_checkpoint
from convert.tensors import Checkpoint
from convert.writer import write_safetensors
from wav2vec2_tf import remote
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.files import make_folder, write_together
from wav2vec2_tf.layers.initial import blank_weights

_ZERO = np.float32(0)
WEIGHTS_FILE = "model.safetensors"
ADAPTER_FILE = r"adapter\.(.+)\.(?:safetensors|bin)"


class FreshHeadWarning(UserWarning):
    """A checkpoint without a head was loaded: what the model says is noise until it is fine-tuned."""


def config_of(checkpoint: Checkpoint, changes: Mapping[str, Any]) -> Wav2Vec2Config:
    """Gives the config of a checkpoint, with changes.

    Args:
        checkpoint: Its config is the content of a config.json.
        changes: Fields that shall be other.
    Raises:
        TypeError: A change is no field of the config.
        ValueError: The checkpoint is of another kind of model, or a value breaks a rule.
    """
    unknown = changes.keys() - {item.name for item in dataclasses.fields(Wav2Vec2Config)}
    if unknown:
        raise TypeError(
            f"from_pretrained() has no setting {', '.join(sorted(unknown))}. Besides its own, it takes the fields of "
            f"config.json, such as vocab_size or attention_dropout."
        )
    values = {key: value for key, value in checkpoint.config.items() if key != "architectures"}  # it becomes CTC's
    values |= {key: "float32" for key in ("dtype", "torch_dtype") if key in values}  # as it is loaded and saved
    try:
        return dataclasses.replace(Wav2Vec2Config.from_dict(values), **changes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{checkpoint.source}: {error}") from error


def load(model_class, source, *, ignore_mismatched_sizes: bool = False, changes: Mapping[str, Any] = {}, **where):
    """Loads a model; see `Wav2Vec2ForCTC.from_pretrained`.

    Args:
        model_class: Wav2Vec2ForCTC.
        source: Folder, weight file, hub id or gs:// folder.
        ignore_mismatched_sizes: A head of another size is replaced by a new one.
        changes: Fields of the config that shall be other.
        where: `revision`, `cache_dir`, `token`, `local_files_only`, as for `remote.fetch`.
    Returns:
        The model with the checkpoint's weights.
    Raises:
        FileNotFoundError: There is no such source, or it holds no checkpoint.
        ValueError: A file is damaged, or config and tensors do not fit.
    """
    opened = open_checkpoint(source, **where)
    model, found = build(model_class, opened.checkpoint, ignore_mismatched_sizes, changes)
    folder = Path(source).parent if Path(source).is_file() else source
    model.origin = partial(remote.fetch, folder, **where)
    if found.has_fresh_head:
        warnings.warn(
            f"{found.source} has no head for {model.config.vocab_size} labels: its body is loaded, lm_head starts at "
            f"random. Fine-tune the model before you use it.",
            FreshHeadWarning,
            stacklevel=3,
        )
    return model


def build(model_class, checkpoint: Checkpoint, ignore_mismatched_sizes: bool, changes) -> tuple[Any, Audit]:
    """Makes a model of a checkpoint.

    Args:
        model_class: Wav2Vec2ForCTC.
        checkpoint: Config and tensors.
        ignore_mismatched_sizes, changes: As for `load`.
    Returns:
        The model, and the audit of its tensors.
    Raises:
        ValueError: Config and tensors do not fit.
    """
    config = config_of(checkpoint, changes)
    with blank_weights():
        model = model_class(config)
    found = assign(model, checkpoint, ignore_mismatched_sizes)
    if found.has_fresh_head:
        model.new_head(config.vocab_size)
    return model, found


def load_adapter(model, language: str) -> None:
    """Puts the adapters and the head of another language into a model; see `Wav2Vec2ForCTC.load_adapter`."""
    if model.config.adapter_attn_dim is None or not model.config.do_stable_layer_norm:
        raise ValueError(
            "load_adapter() needs a model with adapters (adapter_attn_dim in config.json), such as facebook/mms-1b-all."
        )
    if model.origin is None:
        raise ValueError("load_adapter() fetches from where the model came; load one with from_pretrained.")
    files, there = (f"adapter.{language}.safetensors", f"adapter.{language}.bin"), []

    def choose(names):
        there.extend(found[1] for name in names if (found := re.fullmatch(ADAPTER_FILE, name)))
        return [name for name in files if name in names][:1]

    fetched = model.origin(choose)
    if not fetched.files or fetched.files[0] not in files:
        raise FileNotFoundError(
            f"{fetched.name} has no adapter.{language}.safetensors; "
            f"it has adapters for {listed(there) if there else 'no language'}."
        )
    _fill_adapter(model, Checkpoint(f"{fetched.name}, {fetched.files[0]}", "", open_tensors(fetched.paths), {}))


def _fill_adapter(model, checkpoint: Checkpoint) -> None:
    sizes = [tensor.shape[0] for tensor in checkpoint.tensors if canonical(tensor.name) == "lm_head.bias"]
    vocab_size = sizes[0] if sizes else model.config.vocab_size
    config = dataclasses.replace(model.config, vocab_size=vocab_size)
    weights = {name: weight for name, weight in named_weights(model).values() if ".adapter_layer." in name.theirs}
    heads = {name: weight for name, weight in named_weights(model).values() if name.theirs.startswith("lm_head.")}
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    shapes |= {name: (*weight.shape[:-1], vocab_size) for name, weight in heads.items()}
    found = audit(shapes, dataclasses.replace(checkpoint, config={"architectures": ["Wav2Vec2ForCTC"]}), config)
    found.raise_findings()
    check_finite(found)  # before anything is touched
    if vocab_size != model.config.vocab_size:
        model.new_head(vocab_size)
        heads = {name: weight for name, weight in named_weights(model).values() if name in heads}
    fill(weights | heads, found)


def save(model, folder) -> None:
    """Writes a model's folder: both files whole, or what was there before; config.json comes last.

    Args:
        model: Wav2Vec2ForCTC.
        folder: Local folder, made if absent; files of these names are replaced.
    Raises:
        OSError: The folder cannot be written, as when the disk is full.
        ValueError: It is a URL.
    """
    prepare_save(model)(folder)


def prepare_save(model, read: Callable[[Any], Any] = tf.convert_to_tensor) -> Callable[[str | Path], None]:
    """Takes a model's weights as they are now, and gives the function that writes them to a folder, as `save` does.

    Args:
        model: Wav2Vec2ForCTC, free to change before the function is called.
        read: Gives a variable's value, which later updates must not change, as something NumPy takes.
    """
    weights = [(theirs, name, read(weight)) for theirs, (name, weight) in named_weights(model).items()]
    arrays = {theirs: partial(_to_theirs, name, value) for theirs, name, value in weights}
    shapes = {theirs: name.to_theirs(np.broadcast_to(_ZERO, value.shape)).shape for theirs, name, value in weights}
    config = model.config.to_json()

    def write(folder: str | Path) -> None:
        folder = make_folder(folder)
        write_together(
            {
                folder / WEIGHTS_FILE: lambda path: write_safetensors(path, shapes, arrays),
                folder / CONFIG_FILE: lambda path: path.write_text(config, encoding="utf-8"),
            }
        )

    return write


def _to_theirs(name, value) -> np.ndarray:
    return name.to_theirs(np.asarray(value))


def push(model, repo_id: str, **settings) -> str:
    """Uploads a model's folder to the hub; see `Wav2Vec2ForCTC.push_to_hub`."""
    with tempfile.TemporaryDirectory() as folder:
        save(model, folder)
        return remote.push(folder, repo_id, **settings)
