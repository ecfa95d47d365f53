import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from data_tools import schema
from data_tools.augment import AugmentConfig
from data_tools.buckets import Buckets
from data_tools.index import load_index
from data_tools.plan import plan_epoch
from data_tools.reader import batches, change_speed, label_table, plan_buckets
from tests.data_tools.test_payload import encode
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

TOKENIZER = Wav2Vec2CTCTokenizer.standard()


@pytest.fixture(scope="module")
def index(shards):
    return load_index(shards)


@pytest.fixture(scope="module")
def buckets(index):
    return plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=12, max_buckets=3)


def read(index, buckets, split="train", characters=TOKENIZER.characters, unk_id=3, **more):
    dataset = batches(index, split, characters, unk_id, buckets, **more)
    return [{name: value.numpy() for name, value in batch.items()} for batch in dataset]


def ids(listed):
    return [id for batch in listed for id in batch["id"].tolist() if id]


def same(first, second):
    for a, b in zip(first, second, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def stored(index, split="train"):
    """Reads every record without the pipeline under test: id -> fields."""
    files = [str(index.folder / shard.file) for shard in index.shards(split)]
    fields = map(schema.parse, tf.data.TFRecordDataset(files))
    return {record["id"].numpy(): record for record in fields}


@pytest.mark.parametrize("more", [{}, dict(seed=1), dict(seed=1, window_bytes=10**6), dict(seed=1, speeds=(0.9, 1.1))])
def test_every_record_is_read_once(index, buckets, more):
    assert len(index.shards("train")) > 4
    assert sorted(ids(read(index, buckets, **more))) == sorted(stored(index))


def test_rows_hold_what_the_records_say(index, buckets):
    records = stored(index)
    for batch in read(index, buckets, seed=1, window_bytes=10**6):
        for row, id in enumerate(batch["id"]):
            if not id:
                continue
            n, u = batch["num_samples"][row], batch["num_labels"][row]
            np.testing.assert_array_equal(batch["audio"][row, :n], records[id]["audio"].numpy())
            assert not batch["audio"][row, n:].any()
            assert batch["labels"][row, :u].tolist() == TOKENIZER.encode(records[id]["text"].numpy().decode())
            assert not batch["labels"][row, u:].any()
            assert (batch["text"][row], batch["weight"][row]) == (records[id]["text"].numpy(), 1)


def test_a_bucket_has_one_shape(index, buckets):
    allowed = set(zip(buckets.batch_sizes, buckets.edges, strict=True))
    widths = dict(zip(buckets.edges, buckets.label_widths, strict=True))
    for batch in read(index, buckets, seed=1, speeds=(0.9, 1.0, 1.1), window_bytes=10**6):
        size, width = batch["audio"].shape
        assert (size, width) in allowed
        assert batch["labels"].shape == (size, widths[width])
        assert {len(value) for value in batch.values()} == {size}


def test_types_are_as_documented(index, buckets):
    kinds = {name: spec.dtype.name for name, spec in batches(index, "train", {"A": 5}, 3, buckets).element_spec.items()}
    assert kinds == dict(
        id="string", audio="int16", num_samples="int32", labels="int32", num_labels="int32", text="string",
        speaker="string", weight="float32",
    )  # fmt: skip


def test_a_short_last_batch_is_filled_with_rows_of_weight_zero(index):
    listed = read(index, Buckets((80_000,), (16,), (20,)))
    assert [batch["weight"].sum() for batch in listed] == [16, 16, 8]
    fill = listed[-1]["weight"] == 0
    for name in ("audio", "num_samples", "labels", "num_labels"):
        assert not listed[-1][name][fill].any()
    assert set(listed[-1]["id"][fill]) == set(listed[-1]["text"][fill]) == {b""}


def test_reading_is_a_pure_function_of_seed_and_epoch(index, buckets):
    same(*(read(index, buckets, seed=5, epoch=1, speeds=(0.9, 1.1), window_bytes=10**6) for _ in range(2)))


def test_a_global_seed_changes_nothing(index, buckets):
    first = read(index, buckets, seed=5)
    tf.random.set_seed(99)
    same(first, read(index, buckets, seed=5))


def test_another_epoch_is_in_another_order(index, buckets):
    assert ids(read(index, buckets, seed=5, epoch=0)) != ids(read(index, buckets, seed=5, epoch=1))


@pytest.mark.parametrize("window_bytes", [10**6, 10**9])
def test_skipping_equals_reading_on(index, buckets, window_bytes):
    more = dict(seed=2, speeds=(0.9, 1.1), window_bytes=window_bytes)
    whole = read(index, buckets, **more)
    for skip in (1, len(whole) // 2, len(whole) - 1, len(whole)):
        same(whole[skip:], read(index, buckets, skip=skip, **more))


def test_the_plan_knows_the_number_of_batches(index, buckets):
    more = dict(seed=2, window_bytes=10**6)
    assert len(read(index, buckets, **more)) == plan_epoch(index, "train", buckets, **more).num_batches


def test_shortest_first_reads_short_clips_first(index, buckets):
    widths = [batch["audio"].shape[1] for batch in read(index, buckets, seed=1, shortest_first=True)]
    assert widths == sorted(widths)


def test_another_split_is_read_by_its_name(index, buckets):
    assert len(ids(read(index, buckets, "test"))) == 7


def test_a_character_without_label_becomes_unknown(index, buckets):
    characters = {char: label for char, label in TOKENIZER.characters.items() if char != "E"}
    for batch in read(index, buckets, characters=characters):
        for text, labels in zip(batch["text"], batch["labels"], strict=True):
            assert [i for i, char in enumerate(text.decode()) if char == "E"] == np.flatnonzero(labels == 3).tolist()


def test_a_character_without_label_is_an_error_where_nothing_is_unknown(index, buckets):
    characters = {char: label for char, label in TOKENIZER.characters.items() if char not in "EY"}
    with pytest.raises(ValueError, match="has characters without a label: E Y. Use the vocab.json"):
        read(index, buckets, characters=characters, unk_id=None)


def test_labels_reach_beyond_latin(index):
    table = label_table(index, {"a": 1, "語": 2, "😀": 3}, 7)
    assert [int(table[min(ord(char), len(table) - 1)]) for char in "a語😀b\U0010ffff"] == [1, 2, 3, 7, 7]


@pytest.fixture
def damaged(shards, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(shards, folder)
    return folder


@pytest.mark.parametrize("at", [5, 3_000, -1])
def test_a_flipped_byte_names_the_shard(damaged, buckets, at):
    path = sorted(damaged.glob("train-*.tfrecord"))[2]
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"A shard is damaged(.|\n)*train-00002-of-"):
        read(load_index(damaged), buckets, seed=1)


def test_a_record_of_another_schema_is_refused(damaged, buckets):
    path = sorted(damaged.glob("train-*.tfrecord"))[0]
    records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(path)) as file:
        for record in records:
            file.write(record.replace(b"schema\x12\x05\x1a\x03\n\x01\x02", b"schema\x12\x05\x1a\x03\n\x01\x03"))
    with pytest.raises(tf.errors.InvalidArgumentError, match="Records of schema 1 or 2 are expected"):
        read(load_index(damaged), buckets)


def test_a_split_that_is_not_there_is_named(index, buckets):
    with pytest.raises(ValueError, match="has no split 'dev'; it has train, test"):
        read(index, buckets, "dev")


def sped(samples, speed, width):
    samples = np.asarray(samples, np.int16)[None]
    audio, n = change_speed(tf.constant(np.pad(samples, ((0, 0), (0, 1)))), tf.constant([samples.shape[1]]),
                            tf.constant([speed]), tf.constant(width))  # fmt: skip
    return audio.numpy()[0], int(n[0])


def test_speed_one_changes_no_sample():
    samples = np.random.default_rng(0).integers(-32768, 32767, 1_000)
    audio, n = sped(samples, 1.0, 1_200)
    assert n == 1_000
    np.testing.assert_array_equal(audio, np.pad(samples, (0, 200)))


@pytest.mark.parametrize("speed", [0.9, 1.1, 0.5])
def test_speed_moves_a_tone(speed):
    t = np.arange(16_000 * 60) / 16_000  # a minute: positions must stay exact to the end
    audio, n = sped(10_000 * np.sin(2 * np.pi * 200 * t), speed, 2 * len(t))
    assert n == int(len(t) / float(np.float32(speed)))
    want = 10_000 * np.sin(2 * np.pi * 200 * float(np.float32(speed)) * np.arange(n) / 16_000)
    assert np.abs(audio[: n - 2] - want[: n - 2]).max() < 40
    assert not audio[n:].any()


@pytest.mark.parametrize("speed", [0.9, 1.1])
def test_speed_reaches_the_batches(index, buckets, speed):
    records = stored(index)
    (batch, *_) = read(index, buckets, seed=1, speeds=(speed,))
    for id, n in zip(batch["id"], batch["num_samples"], strict=True):
        assert not id or n == int(len(records[id]["audio"]) / float(np.float32(speed)))


def test_hosts_read_each_record_once_in_batches_of_the_same_shapes(index, buckets):
    more = dict(seed=1, window_bytes=10**6, num_hosts=3)
    listed = [read(index, buckets, host=host, **more) for host in range(3)]
    assert sorted(id for each in listed for id in ids(each)) == sorted(stored(index))
    assert len({tuple(batch["audio"].shape for batch in each) for each in listed}) == 1


def test_a_host_without_records_reads_empty_batches(index, buckets):
    listed = [read(index, buckets, "test", seed=1, num_hosts=9, host=host) for host in range(9)]
    counts = [len(ids(each)) for each in listed]
    assert (min(counts), sum(counts)) == (0, 7)
    assert len({len(each) for each in listed}) == 1


@pytest.mark.parametrize("host", [0, 2])
def test_a_host_of_several_may_begin_anywhere(index, buckets, host):
    more = dict(seed=2, window_bytes=10**6, num_hosts=3, host=host)
    whole = read(index, buckets, **more)
    for skip in (1, len(whole) - 1):
        same(whole[skip:], read(index, buckets, skip=skip, **more))


@pytest.fixture(scope="module")
def flac(index, tmp_path_factory):
    """The same records with FLAC payloads, the index as if written so."""
    folder = tmp_path_factory.mktemp("flac")
    sizes = {}
    for shard in index.shards("train"):
        records = tf.data.TFRecordDataset(str(Path(str(index.folder)) / shard.file))
        with tf.io.TFRecordWriter(str(folder / shard.file)) as file:
            for record in records:
                fields = {name: value.numpy() for name, value in schema.parse(record).items()}
                texts = {name: fields[name].decode() for name in ("id", "transcript", "text", "speaker", "source")}
                samples = fields["audio"]
                file.write(
                    schema.serialize(audio=encode(samples, "flac"), encoding="flac", num_samples=len(samples), **texts)
                )
        sizes[shard.file] = (folder / shard.file).stat().st_size
    shards = tuple(dataclasses.replace(shard, bytes=sizes[shard.file]) for shard in index.shards("train"))
    return dataclasses.replace(index, folder=type(index.folder)(str(folder)), splits={"train": shards})


@pytest.mark.parametrize("speeds", [(1.0,), (0.9, 1.1)])
def test_flac_shards_give_the_batches_of_pcm_shards(index, flac, buckets, speeds):
    same(*(read(each, buckets, seed=3, speeds=speeds) for each in (index, flac)))


GAIN = AugmentConfig(gain_probability=0.5, codec_probability=0.5)


def by_id(listed):
    return {id: batch["audio"][row] for batch in listed for row, id in enumerate(batch["id"]) if id}


def test_augmentation_changes_audio_and_nothing_else(index, buckets):
    plain, changed = (read(index, buckets, seed=1, augment=augment) for augment in (None, GAIN))
    differing = [id for id, audio in by_id(changed).items() if (audio != by_id(plain)[id]).any()]
    assert 20 <= len(differing) < 40
    for a, b in zip(plain, changed, strict=True):
        same([{**a, "audio": 0}], [{**b, "audio": 0}])


def test_augmentation_is_the_same_from_any_start_and_on_any_host(index, buckets):
    whole = read(index, buckets, seed=1, augment=GAIN)
    same(whole[2:], read(index, buckets, seed=1, augment=GAIN, skip=2))
    parts = [read(index, buckets, seed=1, augment=GAIN, num_hosts=2, host=host) for host in range(2)]
    together = by_id(parts[0]) | by_id(parts[1])
    for id, audio in by_id(whole).items():
        n = min(len(audio), len(together[id]))
        np.testing.assert_array_equal(audio[:n], together[id][:n])


def test_evaluation_is_never_augmented(index, buckets):
    same(read(index, buckets), read(index, buckets, augment=GAIN))


def test_batches_keep_their_static_shape_under_augmentation(index):
    one = Buckets((80_000,), (16,), (20,))
    specs = [batches(index, "train", {"A": 5}, 3, one, seed=1, augment=a).element_spec for a in (None, GAIN)]
    assert specs[0] == specs[1]
