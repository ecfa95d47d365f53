import pytest

from data_tools.manifest import ManifestError
from data_tools.manifests.common_voice import read_common_voice

HEADER = "client_id\tpath\tsentence_id\tsentence\tup_votes\tage\tlocale\n"


def release(root, **splits):
    for split, lines in splits.items():
        rows = (f"{who}\t{clip}\t\t{sentence}\t2\t\tcy\n" for who, clip, sentence in lines)
        (root / f"{split}.tsv").write_text(HEADER + "".join(rows), encoding="utf-8")


def test_the_three_tables_are_the_splits(tmp_path):
    release(tmp_path, test=[("b", "2.mp3", "Dau.")], train=[("a", "1.mp3", "Un.")], validated=[("a", "1.mp3", "Un.")])
    train, test = read_common_voice(tmp_path)
    assert (train.id, train.split, train.speaker, train.text) == ("clips/1.mp3", "train", "a", "Un.")
    assert (test.audio, test.split) == (str(tmp_path / "clips/2.mp3"), "test")


def test_doubled_quotes_are_one(tmp_path):
    release(tmp_path, train=[("a", "1.mp3", '""Ie"" meddai.')])
    assert read_common_voice(tmp_path)[0].text == '"Ie" meddai.'


def test_a_split_without_lines_is_no_error(tmp_path):
    release(tmp_path, train=[("a", "1.mp3", "Un.")], dev=[])
    assert [u.split for u in read_common_voice(tmp_path)] == ["train"]


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="holds no train.tsv, dev.tsv or test.tsv"):
        read_common_voice(tmp_path)
