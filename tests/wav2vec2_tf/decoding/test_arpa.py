import gzip
from pathlib import Path

import pytest

from wav2vec2_tf.decoding.arpa import readable, words_of, write_arpa
from wav2vec2_tf.decoding.ngram import estimate


@pytest.fixture
def model():
    return estimate([["GO", "ON"], ["NO"]], 2)


def without_end(path):
    """What KenLM users edit by hand: a model whose text had no ends."""
    lines = [line for line in path.read_text("utf-8").splitlines(keepends=True) if "</s>" not in line]
    path.write_text("".join(lines).replace("ngram 1=6", "ngram 1=5").replace("ngram 2=5", "ngram 2=3"), "utf-8")
    return path


@pytest.mark.parametrize("name", ["lm.arpa", "lm.arpa.gz"])
def test_the_words_of_a_file_are_found(tmp_path, model, name):
    write_arpa(tmp_path / name, model)
    assert sorted(words_of(tmp_path / name)) == ["GO", "NO", "ON"]
    with readable(tmp_path / name) as path:
        assert path == str(tmp_path / name)


def test_the_words_of_a_kenlm_binary_are_at_its_end(tmp_path):
    path = tmp_path / "lm.bin"
    head = b"mmap lm http://kheafield.com/code format version 5\n\0"
    path.write_bytes(head + b"\7" * 99 + b"<unk>\0<s>\0</s>\0GO\0ON\0")
    assert words_of(path) == ["GO", "ON"]
    path.write_bytes(path.read_bytes()[:90])
    with pytest.raises(ValueError, match="holds no list of its words"):
        words_of(path)


def test_a_missing_sentence_end_is_put_in_and_said(tmp_path, model):
    path = tmp_path / "lm.arpa"
    write_arpa(path, model)
    with pytest.warns(UserWarning, match="has no </s>"), readable(without_end(path)) as copy:
        lines = Path(copy).read_text("utf-8").splitlines()
    assert "ngram 1=6" in lines
    assert "0\t</s>" in lines[lines.index("\\1-grams:") :]
    assert "</s>" not in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"GO ON\n", "no line 'ngram 1="), (b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1\tGO\n", "head says 3 words, 1 are"),
     (b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1\n", "is no ARPA"), (gzip.compress(b"\\data\\")[:-4], "is no ARPA"),
     (b"\\data\\\nngram 1=1\n\n\\1-grams:\n-1\t<unk>\n", "knows no words")],
)  # fmt: skip
def test_what_is_no_language_model_is_refused(tmp_path, content, says):
    path = tmp_path / "lm.arpa"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        words_of(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no language model .*lm.arpa"):
        words_of(tmp_path / "lm.arpa")


def test_a_file_appears_whole_or_not_at_all(tmp_path, model, files_end_at):
    with files_end_at(100), pytest.raises(OSError, match="lm.arpa"):
        write_arpa(tmp_path / "lm.arpa", model)
    assert not list(tmp_path.iterdir())
