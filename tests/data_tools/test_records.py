import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from data_tools.records import FRAME_BYTES, example, example_pieces, frame


def tensorflows(fields):
    feature = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        if isinstance(value, int)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for name, value in fields.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 0},
        {"n": 127, "m": 128},
        {"n": 2**62, "speaker": b""},
        {"audio": bytes(range(256)) * 400, "id": "ü".encode(), "schema": 2},
        {"a": bytes(120), "b": bytes(125), "c": bytes(127), "d": bytes(16_384), "name of many letters" * 9: b"x"},
    ],
    ids=lambda fields: ",".join(name[:9] for name in fields) or "none",
)
def test_an_example_is_byte_for_byte_tensorflows(fields):
    assert example(fields) == tensorflows(fields)


@pytest.mark.parametrize("records", [[], [b""], [b"one", bytes(70_000), b"three"]])
def test_a_file_is_byte_for_byte_tensorflows(tmp_path, records):
    with tf.io.TFRecordWriter(str(tmp_path / "theirs")) as file:
        for record in records:
            file.write(record)
    ours = b"".join(piece for record in records for piece in frame(record))
    assert ours == (tmp_path / "theirs").read_bytes()
    assert len(ours) == sum(map(len, records)) + FRAME_BYTES * len(records)


def test_a_record_in_pieces_is_framed_as_one():
    audio = bytes(70_000)
    pieces = example_pieces({"audio": audio, "id": b"a", "schema": 2})
    assert any(piece is audio for piece in pieces)
    assert b"".join(frame(*pieces)) == b"".join(frame(b"".join(pieces)))


def test_writing_records_loads_no_tensorflow():
    code = "import sys, data_tools.schema, data_tools.index; print('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout == "False\n"
