"""Claims about checkpoints in several files: the index and the shards must say the same, and all findings are told."""

import json
import shutil

import numpy as np
import pytest

from convert.readers import CheckpointFileError, open_tensors
from tests.convert.readers.test_torch_file import GOLDEN


@pytest.fixture(params=["shards_bin", "shards_safetensors"])
def folder(request, tmp_path):
    """A sharded checkpoint that huggingface_hub wrote."""
    return shutil.copytree(GOLDEN / request.param, tmp_path / "model")


def files(folder):
    return sorted(folder.iterdir())


def change(folder, **changes):
    """Changes single places in the index; None takes a tensor out."""
    index = next(folder.glob("*.index.json"))
    content = json.loads(index.read_text())
    content["weight_map"] |= {f"layers.{key[1:]}.weight": value for key, value in changes.items()}
    content["weight_map"] = {name: place for name, place in content["weight_map"].items() if place}
    index.write_text(json.dumps(content))
    return [path.name for path in files(folder) if path != index]


def findings(folder) -> list[str]:
    with pytest.raises(CheckpointFileError, match=r"index.json does not fit its shards:\n") as caught:
        open_tensors(files(folder))
    return [line.strip() for line in str(caught.value).splitlines()[1:-1]]


def test_all_shards_together_are_the_checkpoint(folder):
    expected = np.load(GOLDEN / "shards.npz")
    tensors = open_tensors(files(folder))
    assert [tensor.name for tensor in tensors] == [f"layers.{i}.weight" for i in range(5)]
    for tensor in tensors:
        np.testing.assert_array_equal(tensor.read(), expected[tensor.name], strict=True)


def test_an_absent_shard_is_told(folder):
    gone = files(folder)[1]
    gone.unlink()
    assert findings(folder) == [f"shard {gone.name!r} is absent"]


def test_a_shard_that_the_index_does_not_know_is_told(folder):
    more = files(folder)[0]
    shutil.copy(more, more.with_stem("more"))
    assert findings(folder) == [f"shard {'more' + more.suffix!r} is not in the index"]


def test_a_shard_elsewhere_is_never_opened(folder):
    change(folder, _0="../../../etc/passwd")
    assert findings(folder) == ["shard '../../../etc/passwd' is absent"]


def test_a_tensor_in_no_shard_is_told(folder):
    first, *_ = change(folder)
    change(folder, _7=first)
    assert findings(folder) == ["tensor 'layers.7.weight' is in no shard"]


def test_a_tensor_in_another_shard_than_the_index_says_is_told(folder):
    first, second, _ = change(folder)
    change(folder, _0=second)
    assert findings(folder) == [f"tensor 'layers.0.weight' is in {first!r}, the index says {second!r}"]


def test_a_tensor_that_is_not_in_the_index_is_told(folder):
    first, *_ = change(folder, _0=None)
    assert findings(folder) == [f"tensor 'layers.0.weight' of {first!r} is not in the index"]


def test_a_tensor_in_two_shards_is_told(folder):
    first, second, _ = change(folder)
    shutil.copy(folder / first, folder / second)
    found = findings(folder)
    assert f"tensor 'layers.0.weight' occurs twice, the second time in {second!r}" in found
    assert "tensor 'layers.2.weight' is in no shard" in found


def test_a_hundred_findings_are_counted_not_listed(folder):
    first, *_ = change(folder)
    change(folder, **{f"_{i}": first for i in range(10, 110)})
    assert findings(folder)[-1] == "and 80 more"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<!DOCTYPE html><html>", "is no JSON.*it seems to be an HTML page"),
        ('{"weight_map": {"a": "b", "a": "c"}}', "is no JSON .a name occurs twice"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "has no `weight_map`"),
        ("{}", "has no `weight_map`"),
        ('{"weight_map": {}}', "has no `weight_map`"),
        ('{"weight_map": {"a": 1}}', "has no `weight_map`"),
    ],
)
def test_a_damaged_index_is_refused(folder, content, said):
    next(folder.glob("*.index.json")).write_text(content)
    with pytest.raises(CheckpointFileError, match=f"index.json {said}"):
        open_tensors(files(folder))


def test_an_endless_index_is_not_read(folder):
    with next(folder.glob("*.index.json")).open("r+b") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(CheckpointFileError, match="no index of a checkpoint is that long"):
        open_tensors(files(folder))


def test_shards_without_their_index_are_no_checkpoint(folder):
    with pytest.raises(CheckpointFileError, match="one weight file, or one .index.json and its shards; given: .*00001"):
        open_tensors([path for path in files(folder) if path.suffix != ".json"])


def test_no_file_is_no_checkpoint():
    with pytest.raises(CheckpointFileError, match="given: none"):
        open_tensors([])
