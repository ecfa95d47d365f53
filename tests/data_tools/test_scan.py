import io

import numpy as np
import pytest
import soundfile

from data_tools import records, schema
from data_tools.scan import DamagedError, check_fields, decode, parse_fields, read_records

SAMPLES = np.random.default_rng(0).integers(-9_000, 9_000, 16_000).astype("<i2")
FIELDS = {
    "id": b"u1", "audio": SAMPLES.tobytes(), "encoding": b"pcm", "num_samples": 16_000, "transcript": b"Yes!",
    "text": b"YES", "speaker": b"s", "source": b"a.wav", "schema": 2,
}  # fmt: skip


def flac(samples=SAMPLES, rate_hz=16_000):
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def shard_of(tmp_path, *contents):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"".join(b"".join(records.frame(content)) for content in contents))
    return path


def read(path):
    return [str(found) if isinstance(found, DamagedError) else found for found in read_records(str(path), _size(path))]


def _size(path):
    return path.stat().st_size


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_records_come_as_they_were_written(tmp_path):
    assert read(shard_of(tmp_path, b"one", b"", b"three")) == [b"one", b"", b"three"]


def test_a_flipped_byte_costs_one_record(tmp_path):
    path = shard_of(tmp_path, b"one", b"two", b"three")
    flip(path, 19 + 12)
    assert read(path) == [b"one", "its 3 bytes from byte 31 on differ from their checksum", b"three"]


@pytest.mark.parametrize("at", [19, 19 + 7, 19 + 8])
def test_a_flipped_length_costs_what_follows(tmp_path, at):
    path = shard_of(tmp_path, b"one", b"two", b"three")
    flip(path, at)
    assert read(path) == [b"one", "its length, at byte 19, is damaged; nothing after it can be read"]


@pytest.mark.parametrize("cut", [1, 4, 5, 10, 20])
def test_a_file_cut_short_is_noticed(tmp_path, cut):
    path = shard_of(tmp_path, b"one", b"three")
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path) == [b"one", "its length, at byte 19, is damaged; nothing after it can be read"]


def test_fields_of_either_schema_are_read():
    assert parse_fields(records.example(FIELDS)) == FIELDS
    older = {name: value for name, value in FIELDS.items() if name != "encoding"} | {"schema": 1}
    assert parse_fields(records.example(older)) == older | {"encoding": b"pcm"}


def test_what_the_schema_writes_is_sound():
    record = schema.serialize(
        id="u", audio=flac(), encoding="flac", num_samples=16_000, transcript="ä", text="Ä", speaker="", source="a"
    )
    np.testing.assert_array_equal(check_fields(parse_fields(record), 16_000, 1), SAMPLES)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"text": None}, "its field text shall hold one string, and holds nothing"),
        ({"encoding": None}, "its field encoding shall hold one string, and holds nothing"),
        ({"id": 7}, "its field id shall hold one string, and holds 0 of these"),
        ({"schema": 9}, "it is of schema 9, this version reads 1 and 2"),
    ],
)
def test_a_field_that_is_missing_or_of_another_type_is_named(change, complaint):
    fields = {name: value for name, value in (FIELDS | change).items() if value is not None}
    with pytest.raises(DamagedError, match=complaint):
        parse_fields(records.example(fields))


def test_what_is_no_example_is_refused():
    with pytest.raises(DamagedError, match=r"it is no tf.train.Example"):
        parse_fields(b"\xff\xff\xff")


@pytest.mark.parametrize(
    ("change", "index", "complaint"),
    [
        ({"num_samples": 15_999}, (), "num_samples says 15999, there are 16000 samples in its audio"),
        ({"audio": FIELDS["audio"][:-2]}, (), "num_samples says 16000, there are 15999 samples in its audio"),
        ({}, (15_999, 3), "the index says 15999, there are 16000 samples in its audio"),
        ({}, (16_000, 4), "the index says 4, there are 3 characters in its text"),
        ({"text": b"\xff"}, (), r"its field text is not UTF-8 \(byte 0\)"),
        ({"text": b""}, (16_000, 0), "its text is empty"),
        ({"text": b"A" * 30}, (16_000, 30), "its 30 labels need at least 59 frames, its audio has 49"),
        ({"audio": bytes(32_000)}, (), "all its 16000 samples are zero"),
    ],
)
def test_fields_that_do_not_fit_are_told_with_both_numbers(change, index, complaint):
    with pytest.raises(DamagedError, match=complaint):
        check_fields(FIELDS | change, *(index or (16_000, 3)))


def test_a_flac_payload_is_decoded():
    np.testing.assert_array_equal(decode(flac(), "flac"), SAMPLES)


@pytest.mark.parametrize(
    ("audio", "encoding", "complaint"),
    [
        (b"\0\0\0", "pcm", "its audio has 3 bytes, half a sample"),
        (b"\0\0", "flac", "its audio is no FLAC stream"),
        (flac(rate_hz=8_000), "flac", r"its audio has 8000 Hz and shape \(16000,\); one channel at 16000 Hz"),
        (flac(SAMPLES.reshape(-1, 2)), "flac", r"its audio has 16000 Hz and shape \(8000, 2\)"),
        (b"\0\0", "mp3", "its encoding is 'mp3'; pcm and flac are known"),
    ],
)
def test_a_payload_that_is_not_of_its_encoding_is_refused(audio, encoding, complaint):
    with pytest.raises(DamagedError, match=complaint):
        decode(audio, encoding)
