"""The settings inside a checkpoint of fairseq, out of whichever form its version kept them in.

Until 2020 an `args` of argparse, flat; then a `cfg` of omegaconf, then of plain dicts, both with groups. A fine-tuned
model keeps the settings of its pretrained body in `w2v_args`. What the settings mean is left to `fairseq_config`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convert.dialects.errors import DialectError
from convert.readers import Record

MAX_DEPTH = 60

# model of fairseq   model_type, fine-tuned for CTC
MODELS = {
    "wav2vec2":      ("wav2vec2", False),
    "wav2vec_ctc":   ("wav2vec2", True),
    "hubert":        ("hubert", False),
    "hubert_ctc":    ("hubert", True),
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """What a checkpoint tells of its model.

    Args:
        family: "wav2vec2" or "hubert".
        body: Options of the pretrained model.
        tuned: Options of fine-tuning, None for a pretrained model.
        task: Options of the task: `normalize`, `labels`.
    """

    family: str
    body: Mapping[str, Any]
    tuned: Mapping[str, Any] | None
    task: Mapping[str, Any]

    @property
    def normalize(self) -> bool:
        """Whether audio was brought to unit variance; older versions tell it beside the model's options."""
        told = [options.get("normalize") for options in (self.task, self.tuned or {}, self.body)]
        return next((value for value in told if isinstance(value, bool)), False)

    @property
    def labels(self) -> str:
        """Ending of the files of labels: the LTR of dict.LTR.txt."""
        found = self.task.get("labels")
        found = found[0] if isinstance(found, list) and found else found
        return found if isinstance(found, str) and re.fullmatch(r"\w+", found) else "ltr"


def settings_of(source: str, tree: Any) -> Settings | None:
    """Finds the settings in a checkpoint.

    Args:
        source: What messages call the checkpoint.
        tree: As `readers.read_pickle` gave it.
    Returns:
        The settings; None where those of the body are not there.
    Raises:
        DialectError: They are of a model that is not supported.
    """
    held = next((tree[key] for key in ("cfg", "args") if tree.get(key) is not None), None)
    if held is None:
        return None
    model, task = _groups(source, plain(source, held))
    family, is_tuned = _known(source, model)
    if not is_tuned:
        return Settings(family, model, None, task)
    if model.get("w2v_args") is None:
        return None
    body, _ = _groups(source, model["w2v_args"])
    family, nested = _known(source, body)
    if nested:
        raise DialectError(f"{source}: its w2v_args describe a fine-tuned model. Convert the original checkpoint.")
    return Settings(family, body, model, task)


def _groups(source: str, options: Any) -> tuple[dict, dict]:
    """Splits settings into those of the model and of the task; the older form keeps both in one."""
    if isinstance(options, dict) and isinstance(options.get("model"), dict):
        return options["model"], options["task"] if isinstance(options.get("task"), dict) else {}
    if isinstance(options, dict):
        return options, options
    raise DialectError(f"{source}: its settings are a {type(options).__name__}. Save it again with fairseq.")


def _known(source: str, model: dict) -> tuple[str, bool]:
    name = model.get("_name") or model.get("arch")
    if not isinstance(name, str) or name not in MODELS:
        raise DialectError(
            f"{source} holds the model {shown(name)} of fairseq; supported are {', '.join(MODELS)}. If there is a "
            "Hugging Face form of it, load that."
        )
    return MODELS[name]


def plain(source: str, value: Any) -> Any:
    """Turns the inert objects of a pickle into dicts, lists, texts and numbers.

    >>> plain("here", Record("argparse.Namespace", state={"layers": (1, 2)}))
    {'layers': [1, 2]}

    Args:
        source: What messages call the checkpoint.
        value: A part of the tree of `readers.read_pickle`.
    Returns:
        The same in plain values, what was shared still shared; None for objects that are neither settings nor
        dictionaries.
    Raises:
        DialectError: It is nested without an end.
    """
    made = {}

    def visit(value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise DialectError(f"{source}: its settings are nested deeper than {MAX_DEPTH} levels. Fetch it again.")
        if id(value) not in made:
            inner = _content(value) if isinstance(value, Record) else value
            if isinstance(inner, dict):
                found = {key: visit(item, depth + 1) for key, item in inner.items() if isinstance(key, str)}
            elif isinstance(inner, list | tuple):
                found = [visit(item, depth + 1) for item in inner]
            elif isinstance(inner, Record):
                found = visit(inner, depth + 1)
            else:
                found = inner if isinstance(inner, str | int | float) else None
            made[id(value)] = found, value  # the value too, so that its id stays its own
        return made[id(value)][0]

    return visit(value, 0)


def _content(record: Record) -> Any:
    """Gives what an object stands for: a node of omegaconf, a choice of an enum, a mapping, or its attributes."""
    state = record.state if isinstance(record.state, dict) else {}
    if record.class_name.startswith("omegaconf."):
        return state.get("_content", state.get("_val"))
    pairs = [item for item in record.items if isinstance(item, tuple) and len(item) == 2]
    if pairs:
        return {key: item for key, item in pairs if isinstance(key, str)}
    return state or (record.args[0] if len(record.args) == 1 else None)


def shown(value: Any) -> str:
    """Gives a value of a checkpoint for a message, in a few characters whatever it is.

    >>> shown("default"), shown(0.5), shown([[1]])
    ("'default'", '0.5', 'a list')
    """
    if isinstance(value, str):
        return repr(value[:80])
    simple = isinstance(value, float | None) or (isinstance(value, int) and value.bit_length() < 64)
    return str(value) if simple else f"a {type(value).__name__}"
