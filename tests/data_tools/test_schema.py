import numpy as np
import pytest
import tensorflow as tf

from data_tools import schema
from data_tools.records import example

TEXTS = dict(id="u1", transcript='Say "ja", Ünal', text="SAY JA ÜNAL", speaker="s", source="a/b.wav")
FIELDS = TEXTS | {"encoding": "pcm", "num_samples": 5}
PCM = np.array([-32768, -1, 0, 1, 32767], "<i2")


def test_a_record_reads_back_as_written():
    record = schema.serialize(audio=PCM.tobytes(), **FIELDS)
    read = {name: value.numpy() for name, value in schema.parse(record).items()}
    np.testing.assert_array_equal(read.pop("audio"), PCM)
    assert (read.pop("num_samples"), read.pop("schema")) == (5, schema.SCHEMA_VERSION)
    assert {name: value.decode() for name, value in read.items()} == TEXTS | {"encoding": "pcm"}


def test_parse_works_in_a_pipeline():
    records = tf.data.Dataset.from_tensors(schema.serialize(audio=b"\1\0", **FIELDS)).map(schema.parse)
    assert records.element_spec["audio"].dtype == tf.int16
    assert next(iter(records))["audio"].numpy().tolist() == [1]


def test_parse_leaves_flac_to_the_reader():
    record = schema.serialize(audio=b"fLaC", **FIELDS | {"encoding": "flac"})
    with pytest.raises(tf.errors.InvalidArgumentError, match="holds FLAC; data_tools.reader decodes it"):
        schema.parse(record)


def test_a_record_of_schema_1_has_no_encoding_and_is_read():
    fields = {name: value.encode() for name, value in TEXTS.items()}
    record = schema.parse(example(fields | {"audio": PCM.tobytes(), "num_samples": 5, "schema": 1}))
    assert (record["encoding"].numpy(), record["audio"].numpy().tolist()) == (b"", PCM.tolist())
