"""Claims about .h5: every weight that Keras wrote is found by its name, and the file is all that is looked at."""

import h5py
import numpy as np
import pytest

from convert.readers import CheckpointFileError, open_tensors

WEIGHTS = {
    "body": {"net/body/kernel:0": np.arange(6, dtype="f4").reshape(2, 3), "net/body/step:0": np.array(3, "i8")},
    "head": {"net/head/bias:0": np.ones(2, "f2"), "net/head/none:0": np.ones((0, 4), "f4")},
    "dropout": {},
}


def keras_file(path, weights=WEIGHTS, change=lambda file: None, inside="", limit=1000):
    """Writes what `save_weights` of Keras 2 writes; `limit` is the most names in one attribute."""
    with h5py.File(path, "w") as file:
        root = file.create_group(inside) if inside else file
        names(root, "layer_names", list(weights), limit)
        for layer, held in weights.items():
            group = root.create_group(layer)
            names(group, "weight_names", list(held), limit)
            for name, array in held.items():
                group.create_dataset(name, data=array)
        change(file)
    return path


def names(group, attribute, listed, limit):
    if len(listed) <= limit:
        group.attrs[attribute] = [name.encode() for name in listed]
    for number in range(-(-len(listed) // limit) if len(listed) > limit else 0):
        group.attrs[f"{attribute}{number}"] = np.array(listed[number * limit : (number + 1) * limit], "S")


def elsewhere() -> h5py.VirtualLayout:
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "body/net/body/kernel:0", (2, 3))
    return layout


def refusal(path) -> str:
    with pytest.raises(CheckpointFileError, match=path.name) as caught:
        open_tensors([path])
    return str(caught.value)


@pytest.mark.parametrize("layout", [{}, {"inside": "model_weights"}, {"limit": 1}], ids=str)
def test_every_weight_is_found_by_its_name(tmp_path, layout):
    tensors = open_tensors([keras_file(tmp_path / "tf_model.h5", **layout)])
    wanted = {name: array for held in WEIGHTS.values() for name, array in held.items()}
    assert {tensor.name for tensor in tensors} == wanted.keys()
    assert len(tensors) == len(wanted)
    for tensor in tensors:
        assert (tensor.shape, tensor.dtype) == (wanted[tensor.name].shape, wanted[tensor.name].dtype)
        np.testing.assert_array_equal(tensor.read(), wanted[tensor.name], strict=True)


def test_what_keras_itself_writes_is_read(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()], name="net")
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.h5")
    tensors = {tensor.name: tensor for tensor in open_tensors([tmp_path / "model.h5"])}
    assert len(tensors) == len(model.weights)
    for weight in model.weights:
        np.testing.assert_array_equal(tensors[weight.path].read(), weight.numpy())


def test_an_array_is_a_view_of_the_file_and_read_only(tmp_path):
    array = open_tensors([keras_file(tmp_path / "a.h5")])[0].read()
    assert not array.flags.owndata
    assert not array.flags.writeable


def test_one_name_in_two_layers_comes_twice(tmp_path):
    weights = {"a": {"net/kernel:0": np.ones(2)}, "b": {"net/kernel:0": np.zeros(2)}}
    assert [t.name for t in open_tensors([keras_file(tmp_path / "a.h5", weights)])] == ["net/kernel:0"] * 2


def test_a_weight_that_no_list_names_is_found_too(tmp_path):
    path = keras_file(tmp_path / "a.h5", change=lambda file: file["head"].create_dataset("more", data=[1.0]))
    assert "more" in {tensor.name for tensor in open_tensors([path])}


def test_another_hdf5_file_is_told(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["layers/dense/vars/0"] = [1.0]
    assert "not written by `save_weights` of Keras 2" in refusal(tmp_path / "a.h5")


CHANGES = {  # what is done to the file: what is said
    "a link to another file": (lambda f: f["head"].__setitem__("w", h5py.ExternalLink("other.h5", "/w")), "a link to"),
    "a soft link": (lambda f: f["head"].__setitem__("w", h5py.SoftLink("/body")), "is a link to elsewhere"),
    "a link at the root": (lambda f: f.__setitem__("w", h5py.ExternalLink("other.h5", "/")), "is a link to elsewhere"),
    "a circle": (lambda f: f["head"].__setitem__("w", f["/"]), "'head/w' is linked twice"),
    "a second link": (lambda f: f["head"].__setitem__("w", f["body"]), "is linked twice"),
    "a type": (lambda f: f["head"].__setitem__("w", np.dtype("f4")), "neither a group nor a dataset"),
    "compressed": (lambda f: f["head"].create_dataset("w", data=np.ones(9), compression="gzip"), "is compressed"),
    "in pieces": (lambda f: f["head"].create_dataset("w", (1 << 50,), "f4", chunks=(1024,)), "is compressed"),
    "text": (lambda f: f["head"].create_dataset("w", data=np.array([b"a"])), "no plain number"),
    "of two parts": (lambda f: f["head"].create_dataset("w", data=np.zeros(2, "f4,f4")), "no plain number"),
    "in another file": (
        lambda f: f["head"].create_dataset("w", (4,), "u1", external=[("/etc/hostname", 0, 4)]), "in another file"),
    "virtual": (lambda f: f["head"].create_virtual_dataset("w", elsewhere()), "is compressed"),
    "no data": (lambda f: f["head"].create_dataset("w", data=h5py.Empty("f4")), "no plain number"),
    "never written": (lambda f: f["head"].create_dataset("w", (1 << 50,), "f4"), "was not written, or not whole"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHANGES)
def test_what_keras_never_writes_is_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    keras_file(tmp_path / "other.h5")
    change, said = CHANGES[case]
    assert said in refusal(keras_file(tmp_path / "a.h5", change=change))


def test_a_link_in_the_place_of_the_weights_is_not_followed(tmp_path):
    keras_file(tmp_path / "other.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["model_weights"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/")
    assert "'model_weights' is a link to elsewhere" in refusal(tmp_path / "a.h5")


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_an_error(tmp_path, cut):
    path = keras_file(tmp_path / "a.h5")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    assert "truncated or damaged HDF5 file" in refusal(path)
