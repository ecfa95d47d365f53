"""Claims about TensorFlow's own form of checkpoints: names by the graph of objects, and nothing but a clear error."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from convert.readers import CheckpointFileError, open_tensors
from convert.readers.tf_bundle import open_bundle

GOLDEN = Path(__file__).parents[2] / "golden" / "tf"
DATA = "tf_model.data-00000-of-00001"


@pytest.fixture
def bundle(tmp_path):
    for name in ("tf_model.index", DATA):
        shutil.copy(GOLDEN / "port_trained" / name, tmp_path)
    return tmp_path / "tf_model.index"


def test_names_and_shapes_are_those_of_keras_h5(bundle):
    found = {tensor.name: tensor.shape for tensor in open_bundle(bundle)}
    with h5py.File(GOLDEN / "port" / "tf_model.h5") as file:  # the same architecture
        names = [name for layer in file.values() for name in layer.attrs["weight_names"]]
        expected = {name: next(layer[name].shape for layer in file.values() if name in layer) for name in names}
    assert found == expected


def test_the_optimizer_is_passed_over(bundle):
    assert b"OPTIMIZER_SLOT" in bundle.read_bytes()
    assert not [tensor.name for tensor in open_bundle(bundle) if "Adam" in tensor.name or "iter" in tensor.name]


def test_values_are_mapped(bundle):
    tensors = {tensor.name: tensor for tensor in open_bundle(bundle)}
    kernel = tensors["wav2vec2-ctc/lm_head/kernel:0"].read()
    assert kernel.dtype == np.float32
    assert not kernel.flags.owndata
    assert 0.1 < kernel.std() < 1


def test_the_data_may_be_named_with_the_index(bundle):
    assert len(open_tensors([bundle, bundle.with_name(DATA)])) == len(open_tensors([bundle])) == 33


def test_an_absent_file_of_data_is_named(bundle):
    bundle.with_name(DATA).unlink()
    with pytest.raises(CheckpointFileError, match=f"{DATA} does not exist"):
        open_bundle(bundle)


def test_truncated_data_is_found(bundle):
    data = bundle.with_name(DATA)
    kept = data.read_bytes()
    data.write_bytes(kept[:-20_000])
    with pytest.raises(CheckpointFileError, match="tf_model"):
        open_bundle(bundle)


def test_data_too_short_for_one_variable_is_found(bundle, monkeypatch):
    monkeypatch.setattr("convert.readers.tf_bundle.DTYPES", {1: np.dtype("<f8")})
    with pytest.raises(CheckpointFileError, match=r"of shape .* has .* bytes from .* in a file of .* truncated"):
        open_bundle(bundle)


def test_something_else_is_told(tmp_path):
    (tmp_path / "tf_model.index").write_text("<!DOCTYPE html><p>Sign in")
    with pytest.raises(CheckpointFileError, match="is not the .index of a checkpoint of TensorFlow: .* HTML page"):
        open_bundle(tmp_path / "tf_model.index")


def test_damage_is_an_error_that_names_the_file_or_no_matter(bundle):
    whole, rng = bundle.read_bytes(), np.random.default_rng(5)
    damaged = [whole[:cut] + whole[-48:] for cut in range(0, len(whole) - 48, 97)]
    for place in rng.integers(0, len(whole) - 8, 300):
        damaged.append(whole[:place] + bytes([rng.integers(256)]) + whole[place + 1 :])
    refused = 0
    for content in damaged:
        bundle.write_bytes(content)
        try:
            open_bundle(bundle)
        except CheckpointFileError as error:
            refused += "tf_model" in str(error)
    assert refused > 100
