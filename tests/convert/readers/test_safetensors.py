"""Claims about .safetensors: read as its own library reads it, and a header is believed only where the file fits."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from convert.readers import CheckpointFileError, open_tensors
from tests.convert.readers.test_torch_file import GOLDEN

F32 = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def write(path, header, data=bytes(24), length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + data)
    return path


def refusal(path) -> str:
    with pytest.raises(CheckpointFileError, match=path.name) as caught:
        open_tensors([path])
    return str(caught.value)


def test_every_golden_is_read_as_its_own_library_reads_it():
    for path in sorted(GOLDEN.parent.glob("*/*.safetensors")):
        expected, tensors = load_file(path), open_tensors([path])
        assert len(tensors) == len(expected)
        for tensor in tensors:
            array = tensor.read()
            assert (array.shape, array.dtype) == (tensor.shape, tensor.dtype)
            np.testing.assert_array_equal(array, expected[tensor.name], strict=True)


DTYPES = "f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1 ? c8".split() + [ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_type_is_read_exactly(tmp_path, dtype):
    wanted = {"a": np.arange(6).reshape(2, 3).astype(dtype), "one": np.ones((), dtype), "none": np.ones((0, 2), dtype)}
    save_file(wanted, tmp_path / "a.safetensors")
    found = {tensor.name: tensor.read() for tensor in open_tensors([tmp_path / "a.safetensors"])}
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_an_array_is_a_view_of_the_file_and_read_only(tmp_path):
    array = open_tensors([write(tmp_path / "a.safetensors", {"w": F32})])[0].read()
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0


def test_the_data_may_lie_in_another_order_than_the_header(tmp_path):
    a = {"dtype": "I8", "shape": [], "data_offsets": [0, 1]}
    b = {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}
    tensors = open_tensors([write(tmp_path / "a.safetensors", {"b": b, "a": a}, b"\1\2\3")])
    assert [(tensor.name, tensor.read().tolist()) for tensor in tensors] == [("a", 1), ("b", [2, 3])]


def test_metadata_is_no_tensor(tmp_path):
    header = {"__metadata__": {"format": "pt"}, "w": F32}
    assert [tensor.name for tensor in open_tensors([write(tmp_path / "a.safetensors", header)])] == ["w"]


def test_a_file_without_tensors_has_none(tmp_path):
    assert open_tensors([write(tmp_path / "a.safetensors", {}, b"")]) == ()


LIES = {  # header, data: what is said
    "shorter":        ({"w": F32}, bytes(23), "is truncated: it has"),
    "longer":         ({"w": F32}, bytes(25), "has 1 bytes after its last tensor"),
    "shape":          ({"w": {**F32, "shape": [2, 4]}}, bytes(24), r"needs 32 bytes, its offsets [0, 24] give 24"),
    "type":           ({"w": {**F32, "dtype": "F64"}}, bytes(24), "needs 48 bytes"),
    "backwards":      ({"w": {**F32, "data_offsets": [24, 0]}}, bytes(24), "give -24"),
    "gap":            ({"w": {**F32, "data_offsets": [4, 28]}}, bytes(28), "'w' begins at byte 4 of the data"),
    "overlap":        ({"v": F32, "w": {**F32, "data_offsets": [20, 44]}}, bytes(44), "'w' begins at byte 20"),
    "twice the same": ({"v": F32, "w": F32}, bytes(24), "'w' begins at byte 0 of the data, the tensor before"),
    "beyond":         ({"w": {**F32, "shape": [1 << 60], "data_offsets": [0, 1 << 62]}}, bytes(24), "is truncated"),
    "unknown type":   ({"w": {**F32, "dtype": "F4"}}, bytes(24), "'w' is of type 'F4'; known: F64, F32"),
    "type of types":  ({"w": {**F32, "dtype": ["F32"]}}, bytes(24), "is of type ['F32']"),
    "negative":       ({"w": {**F32, "shape": [-2, -3]}}, bytes(24), "lists of whole numbers belong there"),
    "float":          ({"w": {**F32, "shape": [2.0, 3]}}, bytes(24), "lists of whole numbers"),
    "bool":           ({"w": {**F32, "shape": [True, 6]}}, bytes(24), "lists of whole numbers"),
    "text":           ({"w": {**F32, "data_offsets": "ab"}}, bytes(24), "lists of whole numbers"),
    "three offsets":  ({"w": {**F32, "data_offsets": [0, 24, 24]}}, bytes(24), "lists of whole numbers"),
    "axes":           ({"w": {**F32, "shape": [1] * 33}}, bytes(24), "at most 32 axes"),
    "no shape":       ({"w": {"dtype": "F32", "data_offsets": [0, 24]}}, bytes(24), "needs dtype, shape and"),
    "more":           ({"w": {**F32, "code": "x"}}, bytes(24), "needs dtype, shape and data_offsets"),
    "no entry":       ({"w": 3}, bytes(24), "needs dtype, shape and data_offsets"),
    "metadata":       ({"__metadata__": {"a": 1}, "w": F32}, bytes(24), "must map text to text"),
    "no metadata":    ({"__metadata__": ["a"], "w": F32}, bytes(24), "must map text to text"),
    "twice":          (b'{"w": 1, "w": 2}', b"", "the header is damaged ('w' occurs twice)"),
    "twice inside":   (b'{"w": {"dtype": 1, "dtype": 2}}', b"", "'dtype' occurs twice"),
    "no JSON":        (b'{"w": ', b"", "the header is damaged"),
    "no UTF-8":       (b'{"\xff": 1}', b"", "the header is damaged"),
    "deep":           (b'{"w":' * 50_000, b"", "the header is damaged"),
    "long number":    (b'{"w":' + b"9" * 5000 + b"}", b"", "the header is damaged"),
    "no object":      (b"[1, 2]", b"", "is not a safetensors file"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused(tmp_path, lie):
    header, data, said = LIES[lie]
    assert said in refusal(write(tmp_path / "a.safetensors", header, data))


def test_a_header_beyond_the_file_is_a_truncated_file(tmp_path):
    assert "is truncated: it has" in refusal(write(tmp_path / "a.safetensors", {"w": F32}, length=5000))


def test_an_endless_header_is_not_read(tmp_path):
    assert "a header of 16777217 bytes" in refusal(write(tmp_path / "a.safetensors", {"w": F32}, length=(16 << 20) + 1))


@pytest.mark.parametrize("cut", range(0, 95, 7))
def test_a_truncated_file_is_always_an_error(tmp_path, cut):
    path = write(tmp_path / "a.safetensors", {"w": F32})
    path.write_bytes(path.read_bytes()[:cut])
    refusal(path)


def test_a_file_that_changed_since_it_was_opened_is_not_read(tmp_path):
    path = write(tmp_path / "a.safetensors", {"w": F32})
    tensor = open_tensors([path])[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointFileError, match="a.safetensors was changed while it was in use"):
        tensor.read()


def test_an_array_outlives_its_file(tmp_path):
    path = write(tmp_path / "a.safetensors", {"w": F32}, np.arange(6, dtype="<f4").tobytes())
    array = open_tensors([path])[0].read()
    path.unlink()
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
