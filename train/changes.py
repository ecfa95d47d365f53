"""What may be told otherwise when a run is resumed, and what may not: a table, field by field.

A field in neither list stays as the run began. The order of the data is guarded by a digest besides (`setup`), which
sees what is in the shards and what augmentation really does.
"""

import dataclasses
import json
from fnmatch import fnmatch

import yaml

from train.config import RunConfig

UPDATES_STAY = (
    *("data", "out", "init_from", "augment.*"),  # where things are; the digest knows shards and augmentation
    *("eval_every", "save_every", "patience", "log_every", "profile_steps", "guard.*", "keep_last", "keep_best"),
    *("strategy", "tpu", "batches.device_seconds", "jit_compile"),  # the same updates in value, if not in bits
)
LATER_UPDATES_CHANGE = (
    *("epochs", "steps", "schedule.*"),  # the learning rate is a function of the share of the run that is done
    *("optimizer.learning_rate", "optimizer.head_scale", "optimizer.beta_1", "optimizer.beta_2", "optimizer.epsilon"),
    *("optimizer.weight_decay", "optimizer.clip_norm", "freeze_encoder_steps"),
    *("model.*dropout", "model.layerdrop", "model.mask_*", "model.apply_spec_augment"),
)


class ChangedError(ValueError):
    """A run is resumed with settings that it cannot go on with."""


def check_changes(saved: str, config: RunConfig, begins_again: bool = False) -> list[str]:
    """Compares the settings of a run that is resumed with those it began with.

    Args:
        saved: Text of RUN/config.yaml.
        config: What is given now. Of `model` only what is set counts: the architecture is the checkpoint's.
        begins_again: There is no checkpoint yet, so `init_from` is needed as well.
    Returns:
        A line for each change, to be told.
    Raises:
        ChangedError: Something changed that must not; all such fields are listed.
    """
    given = dataclasses.asdict(config) | {"model": config.model_changes}
    before, now = _flat(yaml.safe_load(saved)), _flat(json.loads(json.dumps(given, default=str)))
    changed = {name: (before[name], now[name]) for name in now if name in before and before[name] != now[name]}
    if now["init_from"] is None and not begins_again:
        changed.pop("preset", None)  # the checkpoint's
    refused = [name for name in changed if _kind(name) is None or (begins_again and name == "init_from")]
    if refused:
        listed = "\n".join(f"  --{name}: {changed[name][0]} -> {changed[name][1]}" for name in refused)
        raise ChangedError(
            f"--resume: the run in {config.out} began with other settings, which cannot change on the way:\n{listed}\n"
            f"Give them as they were, or all at once with --config {config.out}/config.yaml; for others, begin a run "
            f"in another --out."
        )
    return [f"changed: {name} {was} -> {now} ({_kind(name)})" for name, (was, now) in changed.items()]


def _kind(name: str) -> str | None:
    for kind, table in (("the updates stay", UPDATES_STAY), ("later updates change", LATER_UPDATES_CHANGE)):
        if any(fnmatch(name, pattern) for pattern in table):
            return kind
    return None


def _flat(values: dict, prefix: str = "") -> dict:
    """Names nested values by their whole path: {"a": {"b": 1}} -> {"a.b": 1}."""
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
