"""Claims about the table of names: whole, unambiguous, invertible."""

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from convert.names import CHANGES, names_by_path

GOLDEN = Path(__file__).parents[1] / "golden"


def test_no_name_appears_twice():
    names = names_by_path(3, 7)
    assert len({name.theirs for name in names.values()}) == len(names)


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in GOLDEN.glob("*/model.safetensors")), ids=lambda p: p.name
)
def test_every_tensor_of_transformers_has_a_name(folder):
    theirs = {name.theirs for name in names_by_path(2, 7).values()}
    with safe_open(folder / "model.safetensors", framework="np") as file:
        assert not set(file.keys()) - theirs


def test_rows_repeat_per_layer_and_per_convolution():
    names = [name.theirs for name in names_by_path(5, 3).values()]
    assert sum("attention.q_proj.weight" in name for name in names) == 5
    assert sum("conv.weight" in name and "conv_layers" in name for name in names) == 3


@pytest.mark.parametrize("change", CHANGES)
def test_changes_undo_each_other(change):
    to_ours, to_theirs = CHANGES[change]
    tensor = np.arange(24).reshape((4, 6) if change == "matrix" else (2, 3, 4))
    np.testing.assert_array_equal(to_theirs(to_ours(tensor)), tensor)


def test_a_tensor_for_them_is_contiguous():
    name = names_by_path(1, 1)["lm_head/kernel"]
    assert name.to_theirs(np.ones((3, 2))).flags["C_CONTIGUOUS"]
