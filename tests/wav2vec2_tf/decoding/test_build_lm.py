import gzip
import json
import os
import stat
import sys

import pytest

from tests.brute_force import Arpa
from tests.tones import make_shards
from wav2vec2_tf.decoding.arpa import words_of
from wav2vec2_tf.decoding.build_lm import as_labels, build, main, transcripts_of
from wav2vec2_tf.decoding.searches import are_labels
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

LMPLZ = """#!{python}
import json, sys
arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
open({log!r}, "w").write(json.dumps([arguments["-o"], open(arguments["--text"]).read()]))
if {fails}:
    sys.exit("out of luck")
open(arguments["--arpa"], "w").write("\\\\data\\\\\\nngram 1=1\\n\\n\\\\1-grams:\\n-1\\tBYLMPLZ\\n\\n\\\\end\\\\\\n")
"""


@pytest.fixture(autouse=True)
def no_lmplz(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def put_lmplz(tmp_path, fails=False):
    """Stands for lmplz: keeps what it is told."""
    program = tmp_path / "bin" / "lmplz"
    program.write_text(LMPLZ.format(python=sys.executable, log=str(tmp_path / "log"), fails=fails))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def test_text_becomes_a_model_by_the_rules_of_transcripts(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("Go on!\n\n  \nNo, go.\n", "utf-8")
    with gzip.open(tmp_path / "b.txt.gz", "wt") as file:
        file.write("on\n")
    out = tmp_path / "lm.arpa"
    assert main(["--text", str(tmp_path / "a.txt"), str(tmp_path / "b.txt.gz"), "--order", "2", "--out", str(out)]) == 0
    assert "2-gram of 3 words" in capsys.readouterr().out
    assert sorted(words_of(out)) == ["GO", "NO", "ON"]
    assert ("GO", "ON") in Arpa(out).grams


def test_a_text_that_is_cut_short_or_no_text_is_named(tmp_path, capsys):
    whole = gzip.compress("".join(f"go {number} on\n" for number in range(999)).encode())
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    for name in ("cut.gz", "latin.txt"):
        assert main(["--text", str(tmp_path / name), "--out", str(tmp_path / "lm.arpa")]) == 1
        assert f"{name} is no whole text in UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "lm.arpa").exists()


def test_labels_are_told_apart_by_the_tokenizer(tmp_path):
    Wav2Vec2CTCTokenizer.standard().save_pretrained(tmp_path / "model")
    (tmp_path / "a.txt").write_text("GO ON\nGO 9\n", "utf-8")
    flags = ["--rules", "--tokenizer", str(tmp_path / "model"), "--out", str(tmp_path / "lm.arpa")]
    assert main(["--text", str(tmp_path / "a.txt"), *flags]) == 0
    assert set(words_of(tmp_path / "lm.arpa")) == set("GON|")
    assert ("G", "O", "|", "O") in Arpa(tmp_path / "lm.arpa").grams


def test_a_model_of_labels_knows_the_one_between_words_where_no_text_has_a_space(tmp_path):
    tokenizer = Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(("<pad>", "<unk>", "|", *"你好世界"))})
    sentences = list(as_labels(["你好", "世界", "你X"], tokenizer))
    assert sentences == [["你", "好"], ["世", "界"], ["|"]]
    assert are_labels([label for labels in sentences for label in labels], tokenizer)
    assert list(as_labels(["X"], tokenizer)) == []


def test_transcripts_come_from_one_split_of_shards(tmp_path):
    shards = make_shards(tmp_path / "shards", {"train": 3, "dev": 2})
    for split in ("train", "dev"):
        out = tmp_path / f"{split}.arpa"
        assert main(["--data", str(shards), "--split", split, "--order", "2", "--out", str(out)]) == 0
        said = {word for text in transcripts_of(str(shards), split) for word in text.split()}
        assert set(words_of(out)) == said


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_lmplz_does_the_work_where_it_is_installed(tmp_path, name):
    put_lmplz(tmp_path)
    assert build([["GO", "ON"], ["NO"]], 3, tmp_path / name) == "lmplz"
    assert words_of(tmp_path / name) == ["BYLMPLZ"]
    assert json.loads((tmp_path / "log").read_text()) == ["3", "GO ON\nNO\n"]


def test_what_lmplz_said_is_told_and_nothing_is_left(tmp_path):
    put_lmplz(tmp_path, fails=True)
    with pytest.raises(OSError, match=r"lmplz failed \(status 1\): out of luck"):
        build([["GO"]], 3, tmp_path / "lm.arpa")
    assert sorted(os.listdir(tmp_path)) == ["bin", "log"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [([], "Give --text FILE"), (["--text", "a.txt", "--data", "b"], "Give --text FILE"),
     (["--text", "nowhere.txt"], "nowhere.txt"), (["--data", "nowhere"], "index.json")],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_status_1(tmp_path, capsys, flags, says):
    assert main([*flags, "--out", str(tmp_path / "lm.arpa")]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("build_lm: ")
    assert says in said
