"""The flags of `python -m train`, generated from `RunConfig`: from a command line and files to a request.

Which values there are, and their defaults, is `config`'s. No TensorFlow is loaded, so `--help` and errors come at once.
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jsonargparse
import yaml

from train.config import RunConfig, underscored
from train.recipes import RECIPES, flat_values


@dataclass(frozen=True)
class Request:
    """What one call of `python -m train` asks for.

    Attributes:
        config: The run.
        resume: Whether to continue it from its last whole checkpoint.
        overfit_one_batch: Whether only to prove the set-up on one batch.
        check: Whether only to compare the devices with one of them.
        plan: Devices for which only to tell what the run would take, such as 8xv5e.
    """

    config: RunConfig
    resume: bool
    overfit_one_batch: bool
    check: bool
    plan: str | None


def parse(argv: Sequence[str] | None = None) -> Request:
    """Reads flags and config files; prints and exits for --help, --print_config and mistakes.

    >>> parse(["--data", "an4", "--out", "run", "--model.hidden_size", "192"]).config.model_changes
    {'hidden_size': 192}

    Args:
        argv: Arguments without the program's name; None takes those of the process. `--eval-every` and
            `--eval_every` are the same flag.
    Returns:
        The config, and whether to resume or only to overfit one batch.
    Raises:
        SystemExit: With status 2 for an unknown flag or a value that breaks a rule, after saying which.
    """
    parser, arguments = _parser(), [underscored(a) for a in (sys.argv[1:] if argv is None else argv)]
    try:
        recipe = _asked_recipe(arguments)
        if recipe in RECIPES:
            parser.set_defaults(flat_values(recipe))
        values = parser.instantiate(parser.parse_args(arguments))
        config = RunConfig(**{item.name: values[item.name] for item in dataclasses.fields(RunConfig)})
    except ValueError as error:
        parser.error(str(error))
    return Request(config, values.resume, values.overfit_one_batch, values.check, values.plan)


def _parser() -> jsonargparse.ArgumentParser:
    parser = jsonargparse.ArgumentParser(
        prog="python -m train", description="Trains a CTC speech recogniser on shards."
    )
    parser.add_argument("--config", action="config", help="YAML file with any of the values below; flags after it win")
    parser.add_argument(
        "--resume", action="store_true", help="continue the run in --out from its last whole checkpoint"
    )
    parser.add_argument(
        "--overfit_one_batch",
        action="store_true",
        help="repeat one batch until it is learned by heart, say whether that worked, and stop",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="make ten updates on all devices and on one alone, say whether they are the same, and stop",
    )
    parser.add_argument(
        "--plan",
        metavar="DEVICES",
        type=str | None,
        help="say what the run would take on such devices (8xv5e, or 4x24 for four of 24 GiB each), and stop",
    )
    parser.add_class_arguments(RunConfig)
    return parser


def _asked_recipe(arguments: Sequence[str]) -> str | None:
    """Finds the recipe in flags, else in the last file given with --config; what is wrong with either is told later."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    first.add_argument("--recipe")
    first.add_argument("--config", default=None)
    try:
        asked, _ = first.parse_known_args(arguments)
        file = yaml.safe_load(Path(asked.config).read_text(encoding="utf-8")) if asked.config else None
    except (argparse.ArgumentError, OSError, ValueError, yaml.YAMLError):
        return None
    return asked.recipe or (file.get("recipe") if isinstance(file, dict) else None)
