"""Shards of tones and a run's config, shared by the tests of this folder."""

import dataclasses
from pathlib import Path

import pytest

from tests.tones import make_config, make_shards
from train.config import RunConfig


@pytest.fixture(scope="session")
def shards(tmp_path_factory) -> Path:
    return make_shards(tmp_path_factory.mktemp("tones"), {"train": 18, "dev": 7})


@pytest.fixture
def config(shards, tmp_path) -> RunConfig:
    return make_config(shards, tmp_path / "run")


@pytest.fixture
def changed(config):
    """Gives the config with changes, those of sections as `section__field`."""

    def change(**changes) -> RunConfig:
        flat = {name: value for name, value in changes.items() if "__" not in name}
        for name, value in changes.items():
            section, _, field = name.partition("__")
            if field:
                flat[section] = dataclasses.replace(flat.get(section, getattr(config, section)), **{field: value})
        return dataclasses.replace(config, **flat)

    return change
