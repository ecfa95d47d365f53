import json

import pytest

from train.evaluation import Evaluation, compare
from train.report import by_length, by_speaker, make_report, worst
from train.report_text import describe


def made(*rows):
    """An evaluation of (reference, hypothesis, speaker, seconds)."""
    hypotheses = tuple(compare(f"u{i:02d}", *row) for i, row in enumerate(rows))
    return Evaluation("dev", hypotheses, loss=1.0, blank_ratio=0.5, infeasible=0)


MIXED = made(
    ("GO ON NOW", "GO IN NOW", "ann", 3.0), ("GO", "GO", "ann", 1.0), ("", "", "bob", 0.5), ("", "UH HUH", "bob", 0.5),
    ("GO ON", "", "bob", 2.0), ("NOW ON", "NOW IN", "cleo", 2.0),
)  # fmt: skip


@pytest.fixture(scope="module")
def report():
    return make_report(MIXED)


def test_the_order_of_reading_changes_nothing(report):
    turned = Evaluation("dev", MIXED.hypotheses[::-1], 1.0, 0.5, 0)
    assert make_report(turned).numbers() == report.numbers()


def test_empty_references_and_hypotheses_are_counted(report):
    assert (report.empty_references, report.empty_hypotheses, report.right) == (2, 2, 2)
    assert "nothing heard in 2, nothing said in 2" in describe(report)


def test_a_split_without_any_word_is_told_all_the_same():
    told = describe(make_report(made(("", "", "", None))))
    assert told.startswith("WER 0.00 %, 0 edits in 0 words")
    assert "by speaker" not in told


def test_everything_told_is_saved_as_json(report):
    saved = json.loads(json.dumps(report.numbers()))
    assert saved["words"] == {"substitutions": 2, "deletions": 2, "insertions": 2, "length": 8}
    assert saved["word_confusions"][0] == {"said": "ON", "heard": "IN", "count": 2, "occurrences": 3}
    assert [one["name"] for one in saved["speakers"]] == ["bob", "cleo", "ann"]
    assert saved["wer_interval"][0] <= 6 / 8 <= saved["wer_interval"][1]
    assert sum(one["utterances"] for one in saved["lengths"]) == 6


def test_speakers_add_up_and_the_worst_comes_first():
    groups = by_speaker(MIXED.hypotheses)
    assert [(one.name, one.words.rate, one.seconds) for one in groups] == [
        ("bob", 2.0, 3.0),
        ("cleo", 0.5, 2.0),
        ("ann", 0.25, 4.0),
    ]
    assert sum(one.words.edits for one in groups) == MIXED.words.edits


def test_unknown_speakers_are_a_group_beside_known_ones_and_none_alone():
    some = made(("A", "A", "", 1.0), ("A", "B", "ann", 1.0)).hypotheses
    assert [one.name for one in by_speaker(some)] == ["ann", ""]
    assert by_speaker(some[:1]) == ()


def test_groups_by_length_are_about_as_large_and_miss_nobody():
    some = made(*[("A", "A", "", 1 + i / 10) for i in range(60)]).hypotheses
    groups = by_length(some)
    assert [one.utterances for one in groups] == [12, 12, 11, 12, 13]
    assert [one.name for one in groups][:2] == ["1.0\N{EN DASH}2.1 s", "2.2\N{EN DASH}3.3 s"]


def test_utterances_of_one_length_are_one_group_and_of_unknown_length_none():
    assert [one.utterances for one in by_length(made(*[("A", "A", "", 2.0)] * 30).hypotheses)] == [30]
    assert by_length(made(("A", "A", "", None)).hypotheses) == ()


def test_the_worst_are_those_with_most_words_wrong_and_right_ones_are_left_out(report):
    assert [h.id for h in worst(MIXED.hypotheses)] == ["u03", "u04", "u00", "u05"]


def test_what_was_said_stands_above_what_was_heard(report):
    lines = describe(make_report(made(("TURN LEFT NOW", "TURN BEFT", "", None)))).splitlines()
    assert lines[-2:] == ["    said   TURN LEFT NOW", "    heard  TURN BEFT"]


def test_a_long_utterance_is_told_in_several_lines():
    told = describe(make_report(made(("WORD " * 60, "WORT " * 60, "", None)))).splitlines()
    assert max(map(len, told)) < 120
    assert sum(line.count("WORT") for line in told if line.startswith("    heard")) == 60


def test_what_is_mistaken_once_gives_way_to_what_is_mistaken_often(report):
    told = describe(report).splitlines()
    first = told.index("words mistaken most often") + 2
    assert [line.split() for line in told[first : first + 3]] == [["ON", "IN", "2", "3"], "... and 4 more".split(), []]
