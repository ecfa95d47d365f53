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
    *("data", "out", "augment.*"),  # where things are; the digest knows shards and augmentation
    *("eval_every", "save_every", "patience", "log_every", "profile_steps", "guard.*", "keep_last", "keep_best"),
    *("cache", "cache_gigabytes", "input_host"),
    # the same updates in value, if not in bits
    *("strategy", "tpu", "batches.device_seconds", "gradient_checkpointing", "jit_compile"),
)
LATER_UPDATES_CHANGE = (
    *("epochs", "steps", "schedule.*"),  # the learning rate is a function of the share of the run that is done
    *("optimizer.learning_rate", "optimizer.head_scale", "optimizer.beta_1", "optimizer.beta_2", "optimizer.epsilon"),
    *("optimizer.weight_decay", "optimizer.clip_norm", "freeze_encoder_steps"),
    *("model.*dropout", "model.layerdrop", "model.mask_*", "model.apply_spec_augment"),
)


class ChangedError(ValueError):
    """A run is resumed with settings that it cannot go on with."""


def same_run(saved: str, config: RunConfig) -> tuple[RunConfig, list[str]]:
    """Compares the settings of a run that is resumed with those it began with.

    Args:
        saved: Text of RUN/config.yaml.
        config: What is given now. Of `model` only what is set counts, as the architecture is the checkpoint's.
    Returns:
        The config; `init_from` need not be given again. A line for each change, to be told.
    Raises:
        ChangedError: Something changed that must not; all such fields are listed.
    """
    saved = yaml.safe_load(saved)
    if config.init_from is None and saved["init_from"] is not None:
        config = dataclasses.replace(config, init_from=saved["init_from"], preset=saved["preset"])
    given = dataclasses.asdict(config) | {"model": config.model_changes}
    before, now = _flat(saved), _flat(json.loads(json.dumps(given, default=str)))
    changed = {name: (before[name], now[name]) for name in now if name in before and before[name] != now[name]}
    refused = [f"  --{name}: {was} -> {new}" for name, (was, new) in changed.items() if _kind(name) is None]
    if refused:
        listed = "\n".join(refused)
        raise ChangedError(
            f"--resume: the run in {config.out} began with other settings, which cannot change on the way:\n{listed}\n"
            f"Give them as they were, or all at once with --config {config.out}/config.yaml; for others, begin a run "
            f"in another --out."
        )
    return config, [f"changed: {name} {was} -> {new} ({_kind(name)})" for name, (was, new) in changed.items()]


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
