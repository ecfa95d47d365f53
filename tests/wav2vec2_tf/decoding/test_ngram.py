import csv
from pathlib import Path

import pytest

from tests.brute_force import Arpa
from wav2vec2_tf.decoding.ngram import estimate

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden" / "lmplz" / "model.arpa"
ORDER = 3


def sentences():
    """The first transcripts of the corpus in the box, and a last one whose word comes once.

    lmplz takes the last n-gram of each length, in its own order, with its plain count into the statistics for
    discounts. After a word that comes once this makes no difference.
    """
    with open(ROOT / "data_tools" / "sample" / "manifest.tsv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [row["transcript"].split() for row in rows[:400]] + [["ONCE"]]


def test_probabilities_and_backoffs_are_those_of_lmplz():
    wanted = Arpa(GOLDEN).grams
    found = {gram: value for table in estimate(sentences(), ORDER) for gram, value in table.items()}
    assert found.keys() == wanted.keys()
    for gram, (log10_prob, *backoff) in wanted.items():
        assert found[gram].log10_prob == pytest.approx(log10_prob, abs=2e-6), gram
        assert found[gram].log10_backoff == pytest.approx(sum(backoff), abs=2e-6), gram


@pytest.mark.parametrize("before", [(), ("<s>",), ("NEVER",), ("ONE", "TWO")])
def test_probabilities_of_all_next_words_sum_to_one(tmp_path, before):
    from wav2vec2_tf.decoding.arpa import write_arpa

    model = estimate([line.split() for line in ["ONE TWO ONE", "ONE TWO", "TWO", "ONE ONE TWO"]], ORDER)
    write_arpa(tmp_path / "lm.arpa", model)
    arpa = Arpa(tmp_path / "lm.arpa")
    assert sum(10 ** arpa.score(word, before) for word in ("ONE", "TWO", "</s>", "<unk>")) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("lines", "order", "says"),
    [([], 2, "no word to learn"), ([[]], 2, "no word to learn"), ([["A", "<s>"]], 2, "'A <s>' holds one of the marks"),
     ([["A"]], 0, "got order 0")],
)  # fmt: skip
def test_what_makes_no_model_is_refused(lines, order, says):
    with pytest.raises(ValueError, match=says):
        estimate(lines, order)
