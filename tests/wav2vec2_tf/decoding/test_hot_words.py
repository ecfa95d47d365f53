import pytest

from wav2vec2_tf.decoding.hot_words import HotWords

BORDER = 9


def earned(hot, units):
    """Gives the bonus of a whole sequence."""
    state, total = hot.begin, 0.0
    for unit in units:
        state, bonus = hot.step(state, unit)
        total += bonus
    return total + hot.end(state)


@pytest.mark.parametrize(
    ("units", "bonus"),
    [((1, 2, 3), 6.0), ((5, 1, 2, 3, 5), 6.0), ((1, 2), 0.0), ((1, 2, 5, 3), 0.0), ((1, 1, 2, 3), 6.0),
     ((4,), -2.0), ((2, 4, 4), -4.0), ((1, 2, 3, 1, 2, 3), 12.0), ((2, 1), 3.0), ((2, 1, 2, 3), 9.0), ((), 0.0)],
)  # fmt: skip
def test_only_whole_phrases_earn_in_the_end(units, bonus):
    hot = HotWords({(1, 2, 3): 6.0, (4,): -2.0, (2, 1): 3.0})
    assert earned(hot, units) == pytest.approx(bonus)


def test_a_phrase_earns_as_it_comes():
    hot = HotWords({(1, 2, 3): 6.0})
    state, first = hot.step(hot.begin, 1)
    state, second = hot.step(state, 2)
    assert (first, second, hot.step(state, 3)[1], hot.step(state, 7)[1]) == (2.0, 2.0, 2.0, -4.0)


@pytest.mark.parametrize(
    ("labels", "bonus"),
    [((1, 2), 4.0), ((1, 2, BORDER), 4.0), ((1, 2, 3), 0.0), ((3, 1, 2), 0.0), ((3, BORDER, 1, 2, BORDER, 3), 4.0),
     ((1, 2, BORDER, 1, 2), 8.0), ((1,), 0.0)],
)  # fmt: skip
def test_labels_earn_as_whole_words_only(labels, bonus):
    hot = HotWords({(BORDER, 1, 2, BORDER): 4.0}, border=BORDER)
    assert earned(hot, labels) == pytest.approx(bonus)
