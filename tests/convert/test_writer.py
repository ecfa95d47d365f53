"""Claims about writing weights: the bytes transformers would write, and a shape that is true."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from convert.writer import write_safetensors

ARRAYS = {"b": np.arange(6, dtype="f4").reshape(2, 3), "a": np.ones((3, 1, 2), "f4"), "c.ü": np.zeros((), "f4")}


def written(path, arrays=ARRAYS, **shapes):
    shapes = {name: array.shape for name, array in arrays.items()} | shapes
    write_safetensors(path, shapes, {name: lambda array=array: array for name, array in arrays.items()})
    return path


def test_bytes_are_those_of_the_safetensors_library(tmp_path):
    save_file(ARRAYS, tmp_path / "theirs", metadata={"format": "pt"})
    assert written(tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


def test_views_of_other_layout_are_written_as_they_read(tmp_path):
    turned = {name: array.T for name, array in ARRAYS.items()}
    for name, array in load_file(written(tmp_path / "ours", turned)).items():
        np.testing.assert_array_equal(array, turned[name])


def test_an_array_of_another_shape_than_announced_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"b: the array is \(2, 3\), announced was \(3, 2\)"):
        written(tmp_path / "ours", b=(3, 2))
