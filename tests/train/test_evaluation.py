import json

import pytest

from train.evaluation import Evaluation, compare, read_hypotheses


def made(*pairs, blank_ratio=0.5):
    hypotheses = tuple(compare(f"u{i}", reference, text, "ann", 1.5) for i, (reference, text) in enumerate(pairs))
    return Evaluation("dev", hypotheses, loss=1.0, blank_ratio=blank_ratio, infeasible=0)


def written(folder, text):
    (folder / "eval-dev.tsv").write_text(text, encoding="utf-8")
    return folder / "eval-dev.tsv"


def test_results_are_saved_per_utterance_and_in_sum(tmp_path):
    made(("GO ON", "GO"), ("", "UH")).save(tmp_path, {"more": 1})
    figures = json.loads((tmp_path / "eval-dev.json").read_text())
    assert (figures["wer"], figures["more"]) == (1.0, 1)
    assert (tmp_path / "eval-dev.tsv").read_text().splitlines() == [
        "id\tspeaker\tseconds\twer\tcer\treference\thypothesis",
        "u0\tann\t1.5000\t0.5000\t0.6000\tGO ON\tGO",
        "u1\tann\t1.5000\t1.0000\t1.0000\t\tUH",
    ]


def test_what_is_saved_is_read_back_the_same(tmp_path):
    evaluation = made(("GO ON", "GO"), ("", "UH"), ('SAID "NO"', ""), ("", ""))
    evaluation.save(tmp_path)
    assert read_hypotheses(tmp_path / "eval-dev.tsv") == evaluation.hypotheses


def test_a_table_of_another_program_needs_three_columns_only(tmp_path):
    (found,) = read_hypotheses(written(tmp_path, "hypothesis\tid\treference\nGO\tu\tGO ON\n"))
    assert (found.id, found.words.edits, found.speaker, found.seconds) == ("u", 1, "", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\treference\nu\tGO\n", "no column 'hypothesis'"),
        ("", "no column 'id'"),
        ("id\treference\thypothesis\n", "holds no utterance"),
        ("id\treference\thypothesis\nu\tA\tA\nu\tA\tA\n", "names 1 utterances more than once"),
        ("id\treference\thypothesis\nu\tA\n", "line 2: it ends before its last column"),
        ("id\treference\thypothesis\tseconds\nu\tA\tA\tlong\n", "seconds are 'long'"),
        ('id\treference\thypothesis\nu\t"A\tA\n' + "v\tA\tA\n" * 30_000, "A quotation mark is written twice"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_hypotheses(written(tmp_path, text))


def test_samples_show_hypotheses_under_references_across_the_split():
    shown = made(*[(f"R{i}", f"H{i}") for i in range(9)]).samples(3)
    assert [line.split()[-1] for line in shown.splitlines()] == "u0 R0 H0 u3 R3 H3 u6 R6 H6".split()


def test_a_model_that_says_nothing_gets_a_likely_cause():
    assert "learning_rate" in made(("GO", ""), blank_ratio=1.0).verdict()
    assert made(("GO", "GO"), blank_ratio=0.5).verdict() == ""


def test_distinct_characters_tell_what_a_model_says():
    assert made(("GO", "OO O"), ("ON", "N")).numbers()["distinct_characters"] == 2
