"""Claims about .bin and .pt: what torch wrote is read exactly, and what it would not write is told."""

import json
import struct
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from convert.readers import CheckpointFileError, Global, Record, open_tensors, read_pickle
from convert.tensors import Tensor
from tests.torch_files import (
    MACHINE,
    MAGIC,
    call,
    dict_of,
    name,
    plain,
    storage,
    tensor,
    tuple_of,
    write_legacy,
    write_zip,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "readers"
TYPES = json.loads((GOLDEN / "birth.json").read_text("utf-8"))["types"]
BOTH = pytest.mark.parametrize("write", [write_zip, write_legacy])


def refusal(path) -> str:
    with pytest.raises(CheckpointFileError, match=path.name) as caught:
        open_tensors([path])
    return str(caught.value)


@pytest.mark.parametrize("file", ["state.bin", "state_legacy.bin", "checkpoint.pt", "checkpoint_legacy.pt"])
def test_every_tensor_of_torch_is_read_exactly(file):
    expected = np.load(GOLDEN / "state.npz")
    tensors = open_tensors([GOLDEN / file])
    absent = {"float8_e4m3fn", "float8_e5m2", "uint16"} if "legacy" in file else set()
    assert [found.name for found in tensors] == [known for known in TYPES if known not in absent]
    for found in tensors:
        array = found.read()
        assert (array.shape, array.dtype) == (found.shape, found.dtype)
        assert str(array.dtype) == TYPES[found.name]
        np.testing.assert_array_equal(array.astype(expected[found.name].dtype), expected[found.name])


@pytest.mark.parametrize("file", ["checkpoint.pt", "checkpoint_legacy.pt"])
def test_what_surrounds_a_model_is_kept_inert(file):
    tree = read_pickle(GOLDEN / file)
    assert tree["args"].class_name == "argparse.Namespace"
    assert tree["args"].state == {"arch": "tiny", "layers": [1, 2], "dropout": 0.1}
    extra = tree["extra"]
    assert (extra["type"], extra[1]) == (Global("torch.float16"), None)
    assert {type(extra[key]) for key in ("set", "bytes", "size")} == {Record}
    assert extra["size"].args == ((2, 3),)
    assert isinstance(tree["model"]["whole"], Tensor)


def test_a_tensor_is_a_view_of_the_file_and_read_only():
    array = open_tensors([GOLDEN / "state.bin"])[1].read()
    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0


def test_tensors_that_share_a_storage_are_both_read():
    tensors = {found.name: found.read() for found in open_tensors([GOLDEN / "state.bin"])}
    np.testing.assert_array_equal(tensors["same"], tensors["transposed"].T)
    np.testing.assert_array_equal(tensors["window"], tensors["whole"][1:5:2, 1:])


@pytest.mark.parametrize("folder", ["archive", "wav2vec_small_960h", "a b"])
def test_the_folder_in_an_archive_may_have_any_name(tmp_path, folder):
    path = write_zip(tmp_path / "a.bin", dict_of(w=tensor()), folder=folder)
    np.testing.assert_array_equal(open_tensors([path])[0].read(), [[0, 1, 2], [3, 4, 5]])


def test_an_archive_behind_other_bytes_is_read(tmp_path):
    path = write_zip(tmp_path / "a.bin", dict_of(w=tensor()))
    path.write_bytes(b"PK\x03\x04 and more" + path.read_bytes())
    np.testing.assert_array_equal(open_tensors([path])[0].read(), [[0, 1, 2], [3, 4, 5]])


def test_a_bfloat16_storage_needs_no_torch(tmp_path):
    numbers = np.arange(6).astype(ml_dtypes.bfloat16)
    members = {"data/0": numbers.tobytes()}
    path = write_zip(tmp_path / "a.bin", dict_of(w=tensor(held=storage(kind="BFloat16Storage"))), members)
    assert open_tensors([path])[0].dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(open_tensors([path])[0].read(), numbers.reshape(2, 3))


def test_a_tensor_of_a_class_of_its_own_is_a_tensor(tmp_path):
    made_by = name("torch._utils", "_rebuild_tensor_v2")
    arguments = tuple_of(storage(), *map(plain, (0, (6,), (1,), False, None)))
    kind = name("torch.nn.parameter", "Parameter")
    path = write_zip(
        tmp_path / "a.bin", dict_of(w=call("torch._tensor", "_rebuild_from_type_v2", made_by, kind, arguments, b"}"))
    )
    assert open_tensors([path])[0].shape == (6,)


@BOTH
@pytest.mark.parametrize("shape", [plain((2, 3)), call("torch", "Size", plain((2, 3)))])
def test_a_shape_may_be_a_tuple_or_torch_size(tmp_path, write, shape):
    rebuilt = call("torch._utils", "_rebuild_tensor", storage(), plain(0), shape, plain((3, 1)))
    assert open_tensors([write(tmp_path / "a.bin", dict_of(w=rebuilt))])[0].shape == (2, 3)


UNFIT = {  # pickle: what is said
    "beyond": (tensor((3, 3)), "leaves its storage '0' of 6 elements"),
    "offset": (tensor((2, 3), offset=1), "leaves its storage"),
    "strides": (tensor((2, 3), (4, 1)), "leaves its storage"),
    "expanded": (tensor((1000, 1000, 1000), (0, 0, 0)), "leaves its storage"),
    "huge": (tensor((1 << 62, 1 << 62), (0, 0)), "leaves its storage"),
    "negative shape": (tensor((-2, 3)), "no whole numbers"),
    "negative stride": (tensor((2, 3), (-3, 1), 3), "no whole numbers"),
    "negative offset": (tensor((2,), (1,), -1), "no whole numbers"),
    "float": (tensor((2.0, 3)), "no whole numbers"),
    "bool": (tensor((True, 3)), "no whole numbers"),
    "too large": (tensor((1 << 70, 0)), "no whole numbers"),
    "axes": (tensor((1,) * 33, (1,) * 33), "no whole numbers"),
    "fewer strides": (tensor((2, 3), (1,)), "do not belong together"),
    "list": (tensor([2, 3]), "no storage, no shape or no strides"),
    "no storage": (tensor(held=plain(b"abc")), "no storage, no shape or no strides"),
    "bytes of a storage": (tensor(held=storage(count=7)), "has 24 bytes; its tensors say 28"),
    "negative count": (tensor(held=storage(count=-1)), "its reference to a storage is damaged"),
    "view": (tensor(held=storage("0", "FloatStorage", 6, plain(("1", 0, 2)))), "its reference to a storage is damaged"),
    "key": (tensor(held=storage(key=("a",))), "its reference to a storage is damaged"),
    "missing": (tensor(held=storage(key="7")), "'data/7' is missing"),
    "outside": (tensor(held=storage(key="../../x")), "'data/../../x' is missing"),
    "kind": (tensor(held=storage(kind="float32")), "a storage of the type torch.float32; known are torch.Double"),
    "two kinds": (dict_of(a=tensor(), b=tensor(held=storage(kind="IntStorage"))), "describes its storage '0' in two"),
    "no reference": (plain("0") + b"Q", "refers to something that is no storage"),
    "parameter": (call("torch._utils", "_rebuild_parameter", plain(3), b"N", b"N"), "of something else (int)"),
    "maker": (call("torch._tensor", "_rebuild_from_type_v2", name("torch", "Size"), *[plain(())] * 3), "by torch.Size"),
    "type": (
        call("torch._utils", "_rebuild_tensor_v3", storage(), *map(plain, (0, (1,), (1,), False, 0, "float32"))),
        "a tensor of an unknown type; known are torch.float64",
    ),
    "ordered": (call("collections", "OrderedDict", plain([["a", 2]])), "an OrderedDict as Python 2 did"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_a_tensor_that_its_storage_does_not_bear_out_is_refused(tmp_path, case):
    pickled, said = UNFIT[case]
    message = refusal(write_zip(tmp_path / "a.bin", dict_of(w=pickled)))
    assert "cannot be read as a checkpoint of PyTorch" in message
    assert said in message


def test_an_empty_tensor_needs_no_storage_behind_it(tmp_path):
    path = write_zip(tmp_path / "a.bin", dict_of(w=tensor((0, 3), (3, 1), held=storage(count=0))), {"data/0": b""})
    assert open_tensors([path])[0].read().shape == (0, 3)


def test_a_whole_module_is_refused_by_the_name_of_its_class():
    assert "names 'torch.nn.modules.linear.Linear'" in refusal(GOLDEN / "module.pt")


def test_a_program_is_told_from_a_checkpoint():
    assert "TorchScript program" in refusal(GOLDEN / "script.pt")


@pytest.mark.parametrize(
    ("pickled", "said"),
    [
        (plain([1, 2]), "but a list"),
        (plain({}), r"but a dict \(without names\)"),
        (dict_of(w=plain(1), v=tensor()), r"a dict \('w': int, 'v': Tensor\)"),
        (dict_of(**{str(i): plain(None) for i in range(9)}), r"'7': NoneType, \.\.\.\)"),
        (call("fairseq.models", "Model"), "but a fairseq.models.Model"),
    ],
)
def test_without_a_state_dict_it_is_said_what_there_is(tmp_path, pickled, said):
    with pytest.raises(CheckpointFileError, match=rf"a.bin holds no state_dict.*{said}.*Save the model's state_dict"):
        open_tensors([write_zip(tmp_path / "a.bin", pickled)])


def test_the_state_dict_is_found_under_its_usual_names(tmp_path):
    for key in ("model", "state_dict"):
        path = write_zip(tmp_path / "a.pt", dict_of(epoch=plain(3), **{key: dict_of(w=tensor())}))
        assert [found.name for found in open_tensors([path])] == ["w"]


def archive(tmp_path, **changes):
    return write_zip(tmp_path / "a.bin", dict_of(w=tensor()), **changes)


def test_a_big_endian_archive_is_refused(tmp_path):
    assert "it is big-endian" in refusal(archive(tmp_path, members={"byteorder": b"big"}))


def test_a_compressed_archive_is_refused(tmp_path):
    assert "in its zip archive is compressed" in refusal(archive(tmp_path, method=zipfile.ZIP_DEFLATED))


def test_another_zip_archive_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.bin", "w") as made:
        made.writestr("a.txt", "text")
    assert "none that torch.save wrote" in refusal(tmp_path / "a.bin")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path):
    path = archive(tmp_path)
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("archive/data/0", b"other")
    assert "two files of one name" in refusal(path)


def test_a_long_member_is_not_read(tmp_path):
    assert "'byteorder' in its zip archive has 17 bytes" in refusal(archive(tmp_path, members={"byteorder": bytes(17)}))


def test_a_long_directory_is_not_read(tmp_path):
    path = archive(tmp_path)
    with path.open("r+b") as file:
        file.seek(-22 + 12, 2)  # the size of the directory, in the record at the end
        file.write(struct.pack("<L", 9 << 20))
        file.truncate(10 << 20)
        file.seek(0)
        end = path.read_bytes().find(b"PK\x05\x06")
        record = path.read_bytes()[end : end + 22]
        file.seek(0, 2)
        file.write(record)
    assert "more than 8388608 are not read" in refusal(path)


def test_a_truncated_archive_is_told(tmp_path):
    path = archive(tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    assert "truncated or damaged" in refusal(path)


def test_a_member_without_its_header_is_damaged(tmp_path):
    path = archive(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05").replace(b"PK\x03\x05", b"PK\x03\x04", 1))
    assert "in its zip archive is damaged" in refusal(path)


def test_a_member_before_the_file_is_damaged(tmp_path):
    path = archive(tmp_path)
    with path.open("r+b") as file:
        file.seek(-22 + 16, 2)  # where the directory begins, in the record at the end
        file.write(struct.pack("<L", path.stat().st_size))
    assert "damaged" in refusal(path)


def test_a_member_that_ends_behind_the_file_is_refused(tmp_path):
    path = archive(tmp_path, members={"data/0": bytes(24)})
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\x03\x04")
    content[at + 28 : at + 30] = struct.pack("<H", 60_000)  # the length of its extra field
    path.write_bytes(content)
    assert "ends behind the file" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head": (1, 2, 3)}, "none that torch.save wrote"),
        ({"head": (MAGIC, 1000, MACHINE)}, "unknown version or big-endian"),
        ({"head": (MAGIC, 1001, {**MACHINE, "little_endian": False})}, "unknown version or big-endian"),
        ({"keys": ["1"]}, "its list of storages does not fit"),
        ({"keys": [("0",)]}, "its list of storages does not fit"),
        ({"data": struct.pack("<q5f", 6, *range(5))}, "truncated or damaged at its storage '0'"),
        ({"data": struct.pack("<q6f", 5, *range(6))}, "truncated or damaged at its storage '0'"),
        ({"data": b""}, "truncated or damaged at its storage '0'"),
    ],
)
def test_a_file_of_the_older_form_is_checked(tmp_path, changes, said):
    assert said in refusal(write_legacy(tmp_path / "a.pt", dict_of(w=tensor()), **changes))


def test_no_storage_belongs_into_the_head_of_the_older_form(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"\x80\x02" + plain("0") + b"Q.")
    assert "refers to a storage where none belongs" in refusal(tmp_path / "a.pt")


@BOTH
@pytest.mark.parametrize("cut", [0.2, 0.5, 0.8, 0.99])
def test_a_truncated_file_is_always_an_error(tmp_path, write, cut):
    path = write(tmp_path / "a.bin", dict_of(w=tensor()))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    refusal(path)
