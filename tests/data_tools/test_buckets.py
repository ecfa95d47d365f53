from itertools import combinations

import numpy as np
import pytest

from data_tools.buckets import plan_buckets

TENTH = 1_600  # samples in 0.1 s, the grain of the edges


def padded(edges, lengths):
    return sum(min(edge for edge in edges if edge >= length) for length in lengths)


def plan(lengths, labels=None, batch_seconds=10.0, max_buckets=3):
    lengths = np.asarray(lengths)
    return plan_buckets(lengths, np.ones_like(lengths) if labels is None else labels, batch_seconds, max_buckets)


@pytest.mark.parametrize("max_buckets", [1, 2, 3, 4])
def test_no_other_edges_need_less_padding(max_buckets):
    lengths = np.random.default_rng(max_buckets).choice(12, 40) * TENTH + TENTH
    edges = sorted(set(lengths.tolist()))
    best = min(padded((*few, edges[-1]), lengths) for few in combinations(edges[:-1], max_buckets - 1))
    assert padded(plan(lengths, max_buckets=max_buckets).edges, lengths) == best


def test_there_are_no_more_buckets_than_lengths():
    assert plan([TENTH, 2 * TENTH], max_buckets=9).edges == (TENTH, 2 * TENTH)


def test_every_record_fits_the_last_bucket():
    lengths = np.random.default_rng(0).integers(400, 100_000, 500)
    labels = np.random.default_rng(1).integers(1, 60, 500)
    buckets = plan(lengths, labels)
    assert buckets.edges[-1] >= lengths.max()
    assert buckets.label_widths[-1] == labels.max()


def test_a_batch_holds_no_more_padded_seconds_than_asked():
    buckets = plan(np.repeat([TENTH * 10, TENTH * 40, TENTH * 100], 50), batch_seconds=25)
    assert buckets.edges == (16_000, 64_000, 160_000)
    assert buckets.batch_sizes == (25, 6, 2)


def test_a_record_longer_than_a_batch_is_alone():
    assert plan([160_000] * 3, batch_seconds=4).batch_sizes == (1,)


def test_a_batch_is_never_larger_than_the_corpus():
    assert plan([16_000] * 3, batch_seconds=100).batch_sizes == (3,)


def test_labels_of_a_bucket_have_room_for_all_that_are_as_short():
    buckets = plan([TENTH, 5 * TENTH, 9 * TENTH], np.array([30, 10, 20]))
    assert buckets.label_widths == (30, 30, 30)


def test_an_hour_long_record_is_planned_at_once():
    assert plan([16_000, 16_000 * 3_600]).edges[-1] >= 16_000 * 3_600


def test_no_records_are_refused():
    with pytest.raises(ValueError, match="there is none. Check the split"):
        plan([])


@pytest.mark.parametrize(("seconds", "count"), [(0, 3), (10, 0)])
def test_numbers_that_make_no_batch_are_refused(seconds, count):
    with pytest.raises(ValueError, match=f"batch_seconds={seconds} and max_buckets={count} must be above 0"):
        plan([16_000], batch_seconds=seconds, max_buckets=count)
