import shutil

import numpy as np
import pytest

from data_tools.find import find_audio
from data_tools.index import load_index
from data_tools.scan import read_records
from data_tools.schema import parse


def test_the_audio_of_some_utterances_is_that_of_their_records(shards):
    index = load_index(shards)
    shard = index.shards("train")[-1]
    records = [parse(record) for record in read_records(f"{shards}/{shard.file}", shard.bytes)]
    wanted = {record["id"].numpy().decode(): record["audio"].numpy() for record in records[::2]}
    found = find_audio(index, "train", [*wanted, "nobody"])
    assert found.keys() == wanted.keys()
    assert all(np.array_equal(found[name], samples) for name, samples in wanted.items())


def test_a_damaged_record_is_named_with_its_shard(shards, tmp_path):
    folder = shutil.copytree(shards, tmp_path / "shards")
    index = load_index(folder)
    path = folder / index.shards("test")[0].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{path.name} has a record of which its \d+ bytes .* Copy the shard again"):
        find_audio(index, "test", ["nobody"])
