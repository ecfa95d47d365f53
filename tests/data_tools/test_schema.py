import numpy as np
import tensorflow as tf

from data_tools import index, schema

FIELDS = dict(id="u1", transcript='Say "ja", Ünal', text="SAY JA ÜNAL", speaker="s", source="a/b.wav")


def test_a_record_reads_back_as_written():
    pcm = np.array([-32768, -1, 0, 1, 32767], "<i2")
    record = schema.serialize(audio=pcm.tobytes(), **FIELDS)
    read = {name: value.numpy() for name, value in schema.parse(record).items()}
    np.testing.assert_array_equal(read.pop("audio"), pcm)
    assert (read.pop("num_samples"), read.pop("schema")) == (5, schema.SCHEMA_VERSION)
    assert {name: value.decode() for name, value in read.items()} == FIELDS


def test_parse_works_in_a_pipeline():
    records = tf.data.Dataset.from_tensors(schema.serialize(audio=b"\1\0", **FIELDS)).map(schema.parse)
    assert records.element_spec["audio"].dtype == tf.int16
    assert next(iter(records))["audio"].numpy().tolist() == [1]


def test_records_and_index_have_one_version():
    assert schema.SCHEMA_VERSION == index.INDEX_SCHEMA
