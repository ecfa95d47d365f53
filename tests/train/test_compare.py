import json
from pathlib import Path

import pytest

from tests.train.test_report import made
from tests.train.test_report_page import read
from train.compare import main
from train.comparison import compare
from train.comparison_text import describe

WORDS = "GO ON NOW AND THEN STOP"
RIGHT = [(WORDS, WORDS, f"s{i % 3}", 1 + i / 10) for i in range(30)]
WRONG = [(WORDS, WORDS.replace("NOW", "NO") if i % 2 else WORDS, f"s{i % 3}", 1 + i / 10) for i in range(30)]


def saved(folder, rows):
    made(*rows).save(folder)
    return str(folder)


def table(folder):
    return Path(folder) / "eval-dev.tsv"


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    root = tmp_path_factory.mktemp("systems")
    return saved(root / "a", WRONG), saved(root / "b", RIGHT)


def test_the_better_system_is_named_and_all_is_written(systems, tmp_path, capsys):
    assert main([*systems, "--split", "dev", "--out", str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("B makes fewer word errors than A, and chance is an unlikely reason (p = 0.0002).")
    assert "30 utterances: B is better in 15, worse in 0, as good in 15" in told
    saved = json.loads((tmp_path / "new/compare.json").read_text())
    assert saved["wer_difference"]["rate"] == pytest.approx(-15 / 180)
    assert [one["wer"] for one in saved["systems"]] == [pytest.approx(15 / 180), 0]
    text = read((tmp_path / "new/compare.html").read_text("utf-8"))
    assert "Where B gains most" in text
    assert "Where B loses most" not in text


def test_the_other_way_round_b_loses(systems, capsys):
    assert main([*reversed(systems), "--split", "dev"]) == 0
    told = capsys.readouterr().out
    assert "B makes more word errors than A" in told
    assert "B loses most" in told


def test_a_system_compared_with_itself_shows_no_difference(systems, capsys):
    assert main([systems[0], f"{systems[0]}/eval-dev.tsv", "--split", "dev"]) == 0
    assert "No difference that these 30 utterances could show (p = 1)" in capsys.readouterr().out


def test_few_utterances_say_nothing(tmp_path):
    some = [saved(tmp_path / name, rows[:4]) for name, rows in (("a", WRONG), ("b", RIGHT))]
    found = compare(*map(table, some), tuple(some))
    assert describe(found).startswith("4 utterances are too few")


def test_groups_of_both_systems_stand_side_by_side(systems, tmp_path):
    second = tmp_path / "b.tsv"
    lines = [line.split("\t") for line in table(systems[1]).read_text().splitlines()]
    second.write_text("\n".join("\t".join([line[0], line[5], line[6]]) for line in lines) + "\n")  # no speakers there
    found = compare(table(systems[0]), second, ("a", "b"))
    assert [[one.name for one in groups] for groups in found.speakers] == [["s0", "s1", "s2"]] * 2
    assert [[one.utterances for one in groups] for groups in found.lengths] == [[10, 9, 11]] * 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (RIGHT[:-2], "lacks 2 of the 30 utterances of .*, such as u28"),
        ([*RIGHT, RIGHT[0]], "lacks 1 of the 31 utterances of .*, such as u30"),
        ([("GO", "GO", "", 1.0), *RIGHT[1:]], "u00: the reference is 'GO ON NOW AND THEN STOP' in .* and 'GO' in"),
    ],
)
def test_other_utterances_or_references_cannot_be_compared(systems, tmp_path, rows, message):
    saved(tmp_path, rows)
    with pytest.raises(ValueError, match=message):
        compare(table(systems[0]), table(tmp_path), ("a", "b"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["nowhere"], "nowhere is not there. Run train.evaluate first"),
        (["--data", "shards"], "Name a folder for it with --out"),
    ],
)
def test_what_is_missing_is_status_1_and_a_clear_line(systems, changes, message, capsys):
    arguments = [systems[0], *(changes if len(changes) == 1 else [systems[1], *changes]), "--split", "dev"]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_the_page_lets_one_listen_where_the_shards_are_given(shards, tmp_path):
    ids = [f"dev-{i:02d}.wav" for i in range(7)]
    for name, heard in (("a", "NO"), ("b", "GO")):
        lines = [f"{id}\tGO\t{heard}" for id in ids]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["id\treference\thypothesis", *lines]) + "\n")
    tables = [str(tmp_path / f"{name}.tsv") for name in "ab"]
    assert main([*tables, "--split", "dev", "--data", str(shards), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "compare.html").read_text("utf-8").count("<audio") == 7
