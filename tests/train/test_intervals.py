import numpy as np
import pytest

from train.edits import Errors
from train.intervals import FEWEST, difference, interval


def drawn(rate: float, utterances: int, seed: int = 0, words: int = 10) -> list[Errors]:
    edits = np.random.default_rng(seed).binomial(words, rate, utterances)
    return [Errors(int(n), 0, 0, words) for n in edits]


def test_the_interval_holds_the_truth_nineteen_times_in_twenty():
    held = [low <= 0.2 <= high for low, high in (interval(drawn(0.2, 100, seed)) for seed in range(60))]
    assert 51 <= sum(held) <= 60  # 57 expected


def test_the_interval_has_the_width_that_theory_gives():
    low, high = interval(drawn(0.2, 400))
    assert high - low == pytest.approx(2 * 1.96 * (0.2 * 0.8 / 4000) ** 0.5, rel=0.1)


def test_the_same_errors_give_the_same_interval_always():
    assert interval(drawn(0.2, 30)) == interval(drawn(0.2, 30))


def test_too_few_utterances_have_no_interval():
    few = drawn(0.2, FEWEST - 1)
    assert interval(few) is None
    assert (difference(few, few).low, difference(few, few).p) == (None, None)
    assert not difference(few, few).is_significant


@pytest.mark.parametrize(("insertions", "rate"), [(0, 0.0), (2, 1.0)])
def test_empty_references_alone_have_an_interval_too(insertions, rate):
    assert interval([Errors(0, 0, insertions, 0)] * FEWEST) == (rate, rate)


def test_a_system_is_not_different_from_itself():
    same = difference(drawn(0.2, 50), drawn(0.2, 50))
    assert (same.rate, same.low, same.high, same.p, same.is_significant) == (0.0, 0.0, 0.0, 1.0, False)


def test_a_clear_difference_is_significant_and_has_its_sign():
    found = difference(drawn(0.3, 200), drawn(0.1, 200, seed=1))
    assert -0.25 < found.low < found.rate < found.high < -0.15
    assert found.p == pytest.approx(2 / 10_001)
    assert found.is_significant


def test_chance_is_called_significant_one_time_in_twenty():
    called = [difference(drawn(0.2, 60, seed), drawn(0.2, 60, 1000 + seed)).is_significant for seed in range(100)]
    assert sum(called) <= 12


def test_pairing_finds_what_two_intervals_hide():
    hard = drawn(0.4, 100)  # hard for both: the intervals of the two overlap
    easier = [Errors(max(0, e.edits - (i % 4 == 0)), 0, 0, e.length) for i, e in enumerate(hard)]
    assert interval(easier)[1] > interval(hard)[0]
    assert difference(hard, easier).is_significant


def test_other_references_cannot_be_compared():
    with pytest.raises(ValueError, match="5 and 6 utterances of different lengths"):
        difference(drawn(0.2, 5), drawn(0.2, 6))
