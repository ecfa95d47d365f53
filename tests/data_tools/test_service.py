"""Batches made by an input host: a real process on this machine."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from data_tools.augment import AugmentConfig
from data_tools.index import load_index
from data_tools.input_host import InputHost
from data_tools.reader import batches, plan_buckets
from data_tools.service import Request, batches_of
from data_tools.vocabulary import label_options
from tests.data_tools.conftest import TEXTS
from tests.data_tools.test_reader import TOKENIZER, flac, read, same  # noqa: F401  (a fixture)
from wav2vec2_tf.text.subwords import SubwordTokenizer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def index(shards):
    return load_index(shards)


@pytest.fixture(scope="module")
def buckets(index):
    return plan_buckets(index.lengths("train"), index.label_counts("train"), batch_seconds=12, max_buckets=3)


@pytest.fixture(scope="module")
def address():
    command = [sys.executable, "-m", "data_tools.input_host", "--port", "0", "--name", "localhost"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        told = process.stdout.readline()
        assert told.startswith("batches for others at localhost:")
        yield told.split()[-1]
        process.kill()


CHANGES = AugmentConfig(gain_probability=0.5, codec_probability=0.5)


@pytest.mark.parametrize(
    "more",
    [{}, dict(seed=1, window_bytes=10**6, speeds=(0.9, 1.1), augment=CHANGES), dict(seed=1, num_hosts=2, host=1)],
)
def test_an_input_host_gives_the_same_batches_in_the_same_order(index, buckets, address, more):
    here = read(index, buckets, **more)
    same(here, read(index, buckets, service=address, **more))
    same(here[2:], read(index, buckets, service=f"grpc://{address}", skip=2, **more))


def test_an_input_host_makes_labels_of_subwords(index, buckets, address):
    more = label_options(SubwordTokenizer.train(TEXTS, 22))
    same(read(index, buckets, **more), read(index, buckets, service=address, **more))


def test_an_input_host_forgets_the_streams_of_epochs_long_past(index, buckets):
    with InputHost() as host:
        kept = []
        for epoch in range(6):
            asked = Request.of(index, "train", TOKENIZER.characters, 3, buckets, None, dict(seed=1, epoch=epoch))
            host.prepare(asked.to_json())
            (datasets,) = host._datasets.values()
            kept.append(len(datasets))
    assert kept == [1, 2, 3, 4, 4, 4]


def test_types_are_known_before_the_first_batch(index, buckets, address):
    specs = [batches(index, "train", {"A": 5}, 3, buckets, service=each).element_spec for each in (None, address)]
    assert specs[0] == specs[1]


def test_other_shards_on_the_input_host_are_refused(index, buckets, address):
    first, *rest = index.shards("train")
    other = dataclasses.replace(index, splits={"train": (dataclasses.replace(first, bytes=first.bytes + 1), *rest)})
    with pytest.raises(ValueError, match="cannot do it: .* holds other shards there than here"):
        read(other, buckets, service=address)


def test_what_goes_wrong_on_the_input_host_is_told_here(index, buckets, address):
    asked = Request.of(index, "train", TOKENIZER.characters, 3, buckets, None, {})
    asked = dataclasses.replace(asked, folder="/nowhere")
    with pytest.raises(ValueError, match="cannot do it: /nowhere holds no index.json"):
        batches_of(address, asked, None)


def test_an_input_host_that_is_not_there_is_told(index, buckets):
    with pytest.raises(ConnectionError, match="localhost:9 does not answer .*Start one there: python -m"):
        read(index, buckets, service="localhost:9")


def test_an_address_without_port_is_told(index, buckets):
    with pytest.raises(ValueError, match="somewhere is no address of an input host. Give host:port"):
        read(index, buckets, service="somewhere")


def test_a_taken_port_is_told(address):
    port = address.rpartition(":")[2]
    command = [sys.executable, "-m", "data_tools.input_host", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, "input_host: " in done.stderr) == (1, True)
    assert "Name another --port; the two after it must be free, too." in done.stderr
