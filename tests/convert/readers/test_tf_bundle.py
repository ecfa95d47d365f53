"""Claims about TensorFlow's own checkpoints: read as TensorFlow wrote them, and believed only where the files agree."""

import struct

import numpy as np
import pytest

from convert.readers import CheckpointFileError, open_tensors
from convert.readers.tf_bundle import MAGIC, OBJECT_GRAPH
from tests.convert.readers.test_torch_file import GOLDEN

KEY = "layer/kernel/.ATTRIBUTES/VARIABLE_VALUE"


def number(value: int) -> bytes:
    """Writes a number as protobuf and LevelDB do: seven bits a byte."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


def field(index: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return number(index << 3) + number(value)
    return number(index << 3 | 2) + number(len(value)) + value


def entry(start=0, size=24, dtype=1, shape=(2, 3), shard=0, more=b"") -> bytes:
    axes = b"".join(field(2, field(1, length)) for length in shape)
    return field(1, dtype) + field(2, axes) + field(3, shard) + field(4, start) + field(5, size) + more


def block(pairs, compressed=0) -> bytes:
    rows = b"".join(number(0) + number(len(key)) + number(len(value)) + key + value for key, value in pairs)
    return rows + struct.pack("<LL", 0, 1) + bytes([compressed]) + bytes(4)


GRAPH = field(1, field(2, field(1, b"VARIABLE_VALUE") + field(2, b"net/layer/kernel") + field(3, KEY.encode())))
STORED = number(len(GRAPH)) + bytes(4) + GRAPH
TABLE = {"": field(1, 1), OBJECT_GRAPH: entry(24, len(STORED), 7, ()), KEY: entry()}


def write(folder, table=TABLE, rows=None, stored=STORED, compressed=0):
    """Writes an .index and its data: six numbers and the graph of objects."""
    rows = block([(key.encode(), value) for key, value in table.items()], compressed) if rows is None else rows
    handle = number(0) + number(len(rows) - 5)
    pointers = block([(b"~", handle)])
    footer = number(0) + number(0) + number(len(rows)) + number(len(pointers) - 5)
    (folder / "tf_model.index").write_bytes(rows + pointers + footer.ljust(40, b"\0") + MAGIC)
    (folder / "tf_model.data-00000-of-00001").write_bytes(np.arange(6, dtype="<f4").tobytes() + stored)
    return folder / "tf_model.index"


def refusal(path) -> str:
    with pytest.raises(CheckpointFileError, match="tf_model") as caught:
        open_tensors([path])
    return str(caught.value)


def test_what_tensorflow_writes_is_read_exactly(tmp_path):
    import tensorflow as tf

    values = {"a": np.arange(6, dtype="f4").reshape(2, 3), "b": np.array([True, False]), "c": np.array(7, "i8")}
    variables = {name: tf.Variable(value, name=name) for name, value in values.items()}
    half = tf.Variable(tf.ones([3], tf.bfloat16), name="h")
    tf.train.Checkpoint(**variables, h=half).write(str(tmp_path / "tf_model"))
    found = {tensor.name: tensor.read() for tensor in open_tensors(sorted(tmp_path.iterdir()))}
    assert found.keys() == {"a:0", "b:0", "c:0", "h:0"}
    for name, value in values.items():
        np.testing.assert_array_equal(found[f"{name}:0"], value, strict=True)
    assert found["h:0"].astype("f4").tolist() == [1, 1, 1]


def test_a_file_put_together_by_hand_is_read(tmp_path):
    (tensor,) = open_tensors([write(tmp_path)])
    assert tensor.name == "net/layer/kernel:0"
    assert tensor.read().tolist() == [[0, 1, 2], [3, 4, 5]]


LIES = {  # what the index says: what is said of it
    "shape":        ({KEY: entry(shape=(2, 4))}, "of shape (2, 4) has 24 bytes from 0"),
    "size":         ({KEY: entry(size=1 << 60)}, "It is truncated or of another checkpoint"),
    "start":        ({KEY: entry(start=1 << 40)}, "It is truncated or of another checkpoint"),
    "axes":         ({KEY: entry(shape=(1,) * 33, size=4)}, "It is truncated or of another checkpoint"),
    "type":         ({KEY: entry(dtype=23)}, "is damaged (KeyError(23))"),
    "shard":        ({KEY: entry(shard=1)}, "is damaged"),
    "slices":       ({KEY: entry(more=field(7, b""))}, "a variable in slices"),
    "text":         ({KEY: entry(more=field(4, b"ab"))}, "a text in the place of a number"),
    "text in axes": ({KEY: entry(more=field(2, field(2, field(1, b"ab"))))}, "a text in the place of a number"),
    "unnamed":      ({"other": entry()}, "is damaged (KeyError('other'))"),
    "no entry":     ({KEY: b"\xff" * 12}, "a number without an end"),
    "short entry":  ({KEY: b"\x0a\x7f"}, "a message that ends too early"),
    "no header":    ({"": b""}, "big-endian, or without data"),
    "big-endian":   ({"": field(1, 1) + field(2, 1)}, "big-endian, or without data"),
    "two shards":   ({"": field(1, 2)}, "tf_model.data-00000-of-00002 does not exist"),
    "graph's type": ({OBJECT_GRAPH: entry(24, len(STORED), 1, ())}, "no graph of objects"),
    "long graph":   ({OBJECT_GRAPH: entry(24, 17 << 20, 7, ())}, "no graph of objects"),
    "short graph":  ({OBJECT_GRAPH: entry(24, len(STORED) - 1, 7, ())}, "a graph of objects of another length"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_lies_is_refused(tmp_path, lie):
    changes, said = LIES[lie]
    assert said in refusal(write(tmp_path, TABLE | changes))


def test_a_compressed_index_is_refused(tmp_path):
    assert "a compressed block" in refusal(write(tmp_path, compressed=1))


def test_keys_that_grow_from_each_other_are_bounded(tmp_path):
    grown = number(0) + number(4097) + number(0) + bytes(4097) + struct.pack("<LL", 0, 1) + bytes(5)
    assert "a key without end" in refusal(write(tmp_path, rows=grown))


@pytest.mark.parametrize("cut", [10, 60, 120])
def test_a_truncated_file_is_an_error(tmp_path, cut):
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert "is not the .index of a checkpoint of TensorFlow" in refusal(path)


def test_truncated_data_are_an_error(tmp_path):
    assert "data-00000-of-00001 is truncated" in refusal(write(tmp_path, stored=b""))


def test_another_index_is_told(tmp_path):
    (tmp_path / "tf_model.index").write_bytes((GOLDEN / "birth.json").read_bytes())
    assert "it seems to be text that begins" in refusal(tmp_path / "tf_model.index")
