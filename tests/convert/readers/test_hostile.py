"""Claims about pickles that attack whoever reads them: nothing is run, and the refusal names what they asked for."""

import copyreg
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc

import pytest

from convert.readers import CheckpointFileError, Global, Record, read_pickle
from tests.torch_files import call, dict_of, name, plain, storage, tensor, tuple_of, write_legacy, write_zip

BOTH = pytest.mark.parametrize("write", [write_zip, write_legacy])
SHELL, CODE = "touch owned", "open('owned', 'w').close()"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<L", len(value.encode())) + value.encode()


def by_stack(module: str, attribute: str) -> bytes:
    """Names something as protocol 4 does, dots in the attribute included."""
    return b"\x80\x04" + text(module) + text(attribute) + b"\x93"


RUN = call("os", "system", text(SHELL))
IMPORTED = call("builtins", "__import__", text("os"))
SYSTEM = name("os", "system")
ON_OS, RUN_IT = tuple_of(IMPORTED) + b"R", tuple_of(text(SHELL)) + b"R"
NESTED = plain(b"\x80\x02" + RUN + b".")

# what the refusal names              what runs a command in Python's own unpickler
REAL = (
    ("os.system",                     RUN),
    ("os.system",                     b"(" + text(SHELL) + b"ios\nsystem\n"),
    ("os.system",                     b"(" + SYSTEM + text(SHELL) + b"o"),
    ("os.system",                     b"}(" + RUN + plain(1) + b"u"),
    ("os.system",                     b"]" + RUN + b"a0N"),
    ("posix.system",                  by_stack("posix", "system") + RUN_IT),
    ("os.path.os.system",             by_stack("os", "path.os.system") + RUN_IT),
    ("builtins.eval",                 call("builtins", "eval", text(CODE))),
    ("builtins.exec",                 call("builtins", "exec", text(CODE))),
    ("__builtin__.eval",              call("__builtin__", "eval", text(CODE))),
    ("builtins.getattr",              call("builtins", "getattr", IMPORTED, text("system")) + RUN_IT),
    ("builtins.map",                  call("builtins", "list", call("builtins", "map", SYSTEM, plain([SHELL])))),
    ("builtins.filter",               call("builtins", "set", call("builtins", "filter", SYSTEM, plain([SHELL])))),
    ("subprocess.check_call",         call("subprocess", "check_call", plain(["touch", "owned"]))),
    ("subprocess.Popen",              name("subprocess", "Popen") + tuple_of(plain(["touch", "owned"])) + b"R"),
    ("_pickle.loads",                 call("_pickle", "loads", NESTED)),
    ("pickle.loads",                  call("pickle", "loads", NESTED)),
    ("runpy._run_code",               call("runpy", "_run_code", text(CODE), b"}")),
    ("functools.partial",             call("functools", "partial", SYSTEM, text(SHELL)) + b")R"),
    ("operator.methodcaller",         call("operator", "methodcaller", text("system"), text(SHELL)) + ON_OS),
    ("operator.attrgetter",           call("operator", "attrgetter", text("system")) + ON_OS + RUN_IT),
    ("numpy.testing._private.utils.runstring", call("numpy.testing._private.utils", "runstring", text(CODE), b"}")),
)  # fmt: skip

# what the refusal says               what would do harm elsewhere, or is out of place
SHAPED = (
    ("'numpy.fromfile'",              call("numpy", "fromfile", text("/etc/passwd"))),
    ("'numpy.load'",                  call("numpy", "load", text("/etc/passwd"))),
    ("'builtins.open'",               call("builtins", "open", text("/etc/passwd"))),
    ("'copyreg._reconstructor'",      call("copyreg", "_reconstructor", SYSTEM, name("builtins", "object"), b"N")),
    ("'copyreg.__newobj__'",          call("copyreg", "__newobj__", name("subprocess", "Popen"))),
    ("'torch.load'",                  call("torch", "load", text("other.pt"))),
    ("'torch.serialization.load'",    call("torch.serialization", "load", text("other.pt"))),
    ("'torch.hub.load'",              call("torch.hub", "load", text("a/b"), text("c"))),
    ("'torch.jit.load'",              call("torch.jit", "load", text("other.pt"))),
    ("'torch._utils.os.system'",      by_stack("torch._utils", "os.system")),
    ("'torch.nn.modules.linear.Linear'", name("torch.nn.modules.linear", "Linear") + b")\x81}b"),
    ("'torch.storage._load_from_bytes'", call("torch.storage", "_load_from_bytes", NESTED)),
    ("'argparse.Namespace.__init__'", by_stack("argparse", "Namespace.__init__")),
    ("'fairseq.__class__\\n'",        by_stack("fairseq", "__class__\n")),
    ("'\\x1b[2J.x'",                  by_stack("\x1b[2J", "x")),
    ("'fairseqs.evil'",               by_stack("fairseqs", "evil")),
    ("'.'",                           by_stack("", "")),
    ("a name that is no text",        plain([1]) + text("x") + b"\x93"),
    ("instruction EXT1",              b"\x82\xf0"),
    ("instruction EXT2",              b"\x83\xf0\xf0"),
    ("instruction EXT4",              b"\x84\xf0\xf0\xf0\x00"),
    ("instruction PERSID",            b"Pos.system\n"),
    ("instruction NEXT_BUFFER",       b"\x97"),
    ("instruction BYTEARRAY8",        b"\x96" + bytes(8)),
    ("sets attributes on a Global",   name("torch._utils", "_rebuild_tensor_v2") + dict_of(__code__=plain(1)) + b"b"),
    ("sets attributes on a Global",   name("fairseq.tasks", "Task") + dict_of(__reduce__=plain(1)) + b"b"),
    ("sets attributes on a Tensor",   tensor() + dict_of(read=plain(1)) + b"b"),
    ("sets attributes on a Storage",  storage() + dict_of(start=plain(0)) + b"b"),
    ("sets attributes on a list",     plain([]) + b"}b"),
    ("sets items of a Tensor",        tensor() + plain("read") + plain(1) + b"s"),
    ("appends to a Global",           name("torch", "Size") + plain(1) + b"a"),
    ("calls a Tensor",                tensor() + b")R"),
    ("calls a Record",                call("fairseq.tasks", "Task") + b")R"),
    ("calls a str",                   text("os.system") + RUN_IT),
    ("calls a Global",                name("argparse", "Namespace") + plain([1]) + b"R"),
    ("has a tuple as a key",          plain({((((1,),),),): 1})),
    ("has a Tensor as a key",         b"}" + tensor() + plain(1) + b"s"),
    ("takes from an empty stack",     b"000\x85"),
    ("a name of 201 letters",         by_stack("fairseq", "a" * 194)),
    ("calls with 17 arguments",       call("fairseq", "A", *[b"N"] * 17)),
    ("instruction NEWOBJ_EX",         name("fairseq", "A") + b")}\x92"),
    ("has a int as a key",            plain({1 << 63: 1})),
    ("it is damaged",                 b"h\x07"),
    ("it is damaged",                 b"(" + plain(1) + b"d"),
    ("it is damaged",                 b"\xff"),
    ("it is damaged",                 b"L" + b"9" * 5000 + b"L\n"),
    ("it is damaged",                 b"\x8d" + b"\xff" * 8),
    ("it is damaged",                 call("torch._utils", "_rebuild_tensor_v2")),
)  # fmt: skip


def refusal(path) -> str:
    with pytest.raises(CheckpointFileError, match="cannot be read as a checkpoint of PyTorch") as caught:
        read_pickle(path)
    return str(caught.value)


@pytest.mark.parametrize(("named", "pickled"), REAL, ids=[named for named, _ in REAL])
def test_the_attack_works_on_pythons_own_unpickler_and_is_refused_by_name(tmp_path, monkeypatch, named, pickled):
    monkeypatch.chdir(tmp_path)
    code = "import pickle, sys\ntry: pickle.loads(sys.stdin.buffer.read())\nexcept Exception: pass"
    subprocess.run([sys.executable, "-c", code], input=b"\x80\x02" + pickled + b".", check=True)
    for _ in range(50):  # a process that was started, not waited for
        time.sleep(0.02 * (not (tmp_path / "owned").exists()))
    (tmp_path / "owned").unlink()
    for write in (write_zip, write_legacy):
        message = refusal(write(tmp_path / "a.bin", dict_of(w=tensor(), v=pickled)))
        assert f"it names {named!r}" in message
        assert "Nothing of it was run" in message
        assert "save its state_dict() alone" in message
    assert not (tmp_path / "owned").exists()


@BOTH
@pytest.mark.parametrize(("said", "pickled"), SHAPED, ids=[repr(said) for said, _ in SHAPED])
def test_what_no_checkpoint_needs_is_refused(tmp_path, write, said, pickled):
    assert said in refusal(write(tmp_path / "a.bin", dict_of(w=tensor(), v=pickled)))


@BOTH
def test_an_attack_in_the_place_of_a_tensors_parts_is_refused(tmp_path, write):
    for pickled in (tensor(held=RUN), tensor(hooks=RUN), tensor(held=tuple_of(text("storage"), RUN) + b"Q")):
        assert "'os.system'" in refusal(write(tmp_path / "a.bin", dict_of(w=pickled)))


def test_an_attack_in_the_head_of_the_older_form_is_refused(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"\x80\x02" + RUN + b".")
    assert "'os.system'" in refusal(tmp_path / "a.pt")


def test_the_registry_of_extensions_is_not_asked(tmp_path):
    copyreg.add_extension("os", "getcwd", 0xF0)
    try:
        assert callable(pickle.loads(b"\x80\x02\x82\xf0."))
        assert "instruction EXT1" in refusal(write_zip(tmp_path / "a.bin", b"\x82\xf0"))
    finally:
        copyreg.remove_extension("os", "getcwd", 0xF0)


@pytest.mark.parametrize("state", [dict_of(__class__=plain("os"), __setstate__=plain(1)), tuple_of(b"N", plain({}))])
def test_an_object_of_fairseq_stays_a_note_whatever_it_says_of_itself(tmp_path, state):
    made = name("fairseq.data.dictionary", "Dictionary") + b")\x81" + state + b"b"
    tree = read_pickle(write_zip(tmp_path / "a.pt", dict_of(w=made, v=by_stack("fairseq", "os.system"))))
    assert type(tree["w"]) is Record
    assert (tree["w"].class_name, tree["w"].args) == ("fairseq.data.dictionary.Dictionary", ())
    assert "fairseq" not in sys.modules


def test_mappings_and_sets_of_other_classes_keep_what_was_put_in(tmp_path):
    counted = call("collections", "defaultdict", name("builtins", "int")) + plain("a") + plain(1) + b"s"
    listed = dict_of(d=counted, s=b"\x8f(" + plain(1) + b"\x90", f=b"(" + plain(2) + b"\x91", p=b"(" + b"N1" + b"\x88")
    tree = read_pickle(write_zip(tmp_path / "a.pt", listed))
    assert [tree[key].items for key in "dsf"] == [[("a", 1)], [1], [2]]
    assert repr(tree["d"]) == "Record('collections.defaultdict')"


def test_a_type_that_omegaconf_notes_is_a_note(tmp_path):
    noted = call("_operator", "getitem", name("typing", "List"), name("builtins", "int"))
    tree = read_pickle(write_zip(tmp_path / "a.pt", dict_of(w=noted)))
    assert tree["w"].class_name == "_operator.getitem"
    assert tree["w"].args == (Global("typing.List"), Global("builtins.int"))


def test_instructions_of_protocol_0_are_understood(tmp_path):
    made = b"((ifairseq\nA\n(dp5\nS'key'\nI7\nsb(lp7\nI1\nag5\n(cfairseq\nB\nL2L\not"
    built, listed, state, called = read_pickle(write_zip(tmp_path / "a.pt", made))
    assert (built.class_name, built.state, listed) == ("fairseq.A", {"key": 7}, [1])
    assert built.state is state
    assert (called.class_name, called.args) == ("fairseq.B", (2,))


def test_reading_imports_nothing(tmp_path):
    path = write_zip(tmp_path / "a.pt", dict_of(v=by_stack("fairseq.antigravity", "this"), w=call("omegaconf", "A")))
    before = set(sys.modules)
    read_pickle(path)
    assert set(sys.modules) == before


DEEP = 50_000
BOMBS = {
    "deep lists": b"]" * DEEP + b"a" * (DEEP - 1),
    "deep tuples": b")" + b"\x85" * DEEP,
    "deep states": (name("fairseq", "A") + b")\x81") * DEEP + b"b" * (DEEP - 1),
    "doubling tuples": b")" + b"2\x86" * DEEP,
    "a list in itself": b"]2a",
    "a memo of holes": b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_costs_no_more_than_its_bytes(tmp_path, bomb):
    path = write_zip(tmp_path / "a.pt", BOMBS[bomb])
    tracemalloc.start()
    try:
        read_pickle(path)  # returns, and does not overflow the stack
        assert tracemalloc.get_traced_memory()[1] < 8_000_000 + 200 * len(BOMBS[bomb])
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("place", ["shape", "key", "dict", "callee", "tree"])
def test_no_message_spells_out_a_tree_without_end(tmp_path, place):
    bomb = b")" + b"2\x86" * 200
    pickled = {
        "shape": call("torch._utils", "_rebuild_tensor_v2", storage(), plain(0), bomb, bomb, b"N", b"N"),
        "key": tuple_of(text("storage"), name("torch", "FloatStorage"), bomb, b"N", plain(1)) + b"Q",
        "dict": b"}" + bomb + b"Ns",
        "callee": bomb + b")R",
        "tree": call("torch._utils", "_rebuild_parameter", bomb),
    }[place]
    assert len(refusal(write_zip(tmp_path / "a.pt", pickled))) < 1000


def test_a_pickle_of_endless_length_is_not_read(tmp_path):
    pickled = plain(bytes(9 << 20))
    assert "more than 8388608 are not read" in refusal(write_zip(tmp_path / "a.pt", pickled))
    assert "it is damaged" in refusal(write_legacy(tmp_path / "b.pt", pickled))


def test_calls_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("convert.readers.pickle_machine.MAX_CALLS", 100)
    many = b"](" + call("fairseq", "A") * 101 + b"e"
    assert "in call 101; no checkpoint needs so many" in refusal(write_zip(tmp_path / "a.pt", many))
