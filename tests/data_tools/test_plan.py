import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from data_tools.buckets import Buckets, plan_buckets
from data_tools.index import Index, Shard
from data_tools.plan import plan_epoch

LENGTHS = np.random.default_rng(0).integers(16_000, 96_000, 230)
LABELS = np.random.default_rng(1).integers(5, 20, 230)


def index_of(num_shards=5, lengths=LENGTHS, labels=LABELS):
    shards = tuple(
        Shard(f"train-{i}", len(some), 1_000, some, few)
        for i, (some, few) in enumerate(
            zip(np.array_split(lengths, num_shards), np.array_split(labels, num_shards), strict=True)
        )
    )
    return Index(Path("corpus"), 16_000, (), {}, {}, {"train": shards})


INDEX = index_of()
BUCKETS = plan_buckets(LENGTHS, LABELS, batch_seconds=60, max_buckets=4)


def plan(index=INDEX, buckets=BUCKETS, **more):
    return plan_epoch(index, "train", buckets, **more)


def batches_of(plan, buckets=BUCKETS):
    """Lists (bucket, places in the index) per batch; -1 where a row is filled up."""
    ends = plan.first_row + np.array(buckets.batch_sizes)[plan.bucket]
    spans = zip(plan.bucket.tolist(), plan.first_row, ends, strict=True)
    return [(bucket, plan.record[start:end].tolist()) for bucket, start, end in spans]


def records(plan, **more):
    return [place for _, rows in batches_of(plan, **more) for place in rows if place >= 0]


def fields(plan):
    return [np.asarray(value).tolist() for value in (plan.bucket, plan.first_row, plan.record, plan.speed)]


@pytest.mark.parametrize("more", [{}, dict(seed=1), dict(seed=1, window_bytes=2_500), dict(seed=1, speeds=(0.8, 1.2))])
def test_every_record_is_in_one_batch(more):
    assert sorted(records(plan(**more))) == list(range(230))


def test_every_record_fits_its_batch():
    for bucket, rows in batches_of(plan(seed=1)):
        assert all(
            LENGTHS[i] <= BUCKETS.edges[bucket] and LABELS[i] <= BUCKETS.label_widths[bucket] for i in rows if i >= 0
        )


@pytest.mark.parametrize("more", [{}, dict(window_bytes=2_500), dict(shortest_first=True)])
def test_one_of_the_shortest_batches_is_short_of_rows(more):
    each = plan(seed=1, **more)
    short = [place for place, (_, rows) in enumerate(batches_of(each)) if -1 in rows]
    assert len(short) == 1
    assert each.bucket[short[0]] == 0
    assert short[0] >= each.first_batch[-2]  # in the last window


def test_windows_cost_no_padding():
    sizes = np.array(BUCKETS.batch_sizes) * BUCKETS.edges
    padded = [sizes[plan(seed=1, window_bytes=window_bytes).bucket].sum() for window_bytes in (10**6, 2_500, 1)]
    assert max(padded) <= padded[0] + sizes.max()


@pytest.mark.parametrize("num_hosts", [1, 2])
def test_a_window_has_records_of_its_shards_and_those_carried_into_it(num_hosts):
    index, plans = hosts(num_hosts, 12, seed=1, window_bytes=2_500)
    begins = np.cumsum([0] + [shard.records for shard in index.shards("train")])
    for each in plans:
        assert len(each.carried[0]) == 0
        assert all(len(carried) for carried in each.carried[1:])
        listed = batches_of(each)
        left = set()
        for w, files in enumerate(each.window_files):
            assert each.carried[w].tolist() == sorted(left)
            own = {place for i in files for place in range(begins[i], begins[i + 1])}
            batches = listed[each.first_batch[w] : each.first_batch[w + 1]]
            used = {place for _, rows in batches for place in rows if place >= 0}
            assert used <= left | own
            left = {place for carried in each.carried[w + 1 : w + 2] for place in carried.tolist()}
            assert left <= set(each.carried[w].tolist()) | own
            assert not left & used


def test_what_has_waited_comes_in_few_batches():
    for w, carried in enumerate((each := plan(seed=1, window_bytes=2_500)).carried):
        listed = batches_of(each)[each.first_batch[w] : each.first_batch[w + 1]]
        mixed = [bucket for bucket, rows in listed if set(rows) & set(carried.tolist())]
        assert len(mixed) == len(set(mixed))


def test_what_waits_for_other_hosts_is_bounded():
    kinds = [np.full(20, 16_000 * seconds) for seconds in (6, 1)] * 40  # one host gets the long clips, window by window
    lengths = np.concatenate(kinds)
    shards = tuple(Shard(f"{i}", 20, 1_000, kind, kind * 0 + 5) for i, kind in enumerate(kinds))
    index = Index(Path("corpus"), 16_000, (), {}, {}, {"train": shards})
    buckets = Buckets((16_000, 96_000), (12, 2), (5, 5))
    plans = [plan(index, buckets, num_hosts=2, host=host, window_bytes=1_000) for host in (0, 1)]
    assert len(plans[0].carried) == 40
    waiting = [lengths[carried].sum() for each in plans for carried in each.carried]
    assert 0 < max(waiting) <= 9 * (12 * 16_000 + 2 * 96_000)
    assert sorted(place for each in plans for place in records(each, buckets=buckets)) == list(range(len(lengths)))


def test_same_seed_and_epoch_give_the_same_plan():
    assert fields(plan(seed=3, epoch=2, speeds=(0.9, 1.1))) == fields(plan(seed=3, epoch=2, speeds=(0.9, 1.1)))


@pytest.mark.parametrize("other", [dict(seed=3, epoch=1), dict(seed=4, epoch=0)])
def test_another_epoch_or_seed_gives_another_plan(other):
    assert records(plan(seed=3)) != records(plan(**other))


def test_a_global_seed_changes_nothing():
    first = fields(plan(seed=3))
    np.random.seed(7)  # noqa: NPY002
    assert fields(plan(seed=3)) == first


def test_shuffling_mixes_batches_across_buckets():
    order = [bucket for bucket, _ in batches_of(plan(seed=1))]
    assert order != sorted(order)


def test_shards_come_in_another_order_each_epoch():
    orders = {plan(seed=1, epoch=epoch, window_bytes=1_000).window_files for epoch in range(5)}
    assert len(orders) > 1


def test_without_a_seed_the_order_is_that_of_the_index():
    listed = batches_of(plan())
    assert [bucket for bucket, _ in listed] == sorted(bucket for bucket, _ in listed)
    first = [i for bucket, rows in listed if bucket == 0 for i in rows if i >= 0]
    assert first == sorted(first)


def test_a_window_holds_as_many_shards_as_fit():
    assert [len(files) for files in plan(seed=1, window_bytes=2_500).window_files] == [2, 2, 1]
    assert [len(files) for files in plan(seed=1, window_bytes=1).window_files] == [1] * 5
    assert [len(files) for files in plan(seed=1).window_files] == [5]


def test_short_to_long_holds_more_than_a_usual_window(monkeypatch):
    monkeypatch.setattr("data_tools.plan.LEAST_WINDOW_BYTES", 1)
    monkeypatch.setattr("data_tools.plan._BATCHES_PER_WINDOW", 0)
    assert len(plan(seed=1).window_files) == 5
    assert len(plan(seed=1, shortest_first=True).window_files) == 1


def test_shortest_first_sorts_the_epoch():
    order = [bucket for bucket, _ in batches_of(plan(seed=1, shortest_first=True))]
    assert order == sorted(order)
    assert records(plan(seed=1, shortest_first=True)) != records(plan(seed=2, shortest_first=True))


def test_shortest_first_needs_all_shards_in_memory():
    with pytest.raises(ValueError, match="train of corpus has more than 2500 bytes"):
        plan(seed=1, shortest_first=True, window_bytes=2_500)


def test_each_record_draws_a_speed_per_epoch():
    epochs = [plan(seed=1, epoch=epoch, speeds=(0.9, 1.0, 1.1)) for epoch in (0, 1)]
    for each in epochs:
        assert set(each.speed.round(3).astype(str)) == {"0.9", "1.0", "1.1"}
    by_record = [dict(zip(records(each), each.speed[each.record >= 0].tolist(), strict=True)) for each in epochs]
    assert by_record[0] != by_record[1]


def test_buckets_hold_clips_at_their_new_length():
    each = plan(seed=1, speeds=(0.9, 1.1))
    speeds = iter(each.speed.tolist())
    for bucket, rows in batches_of(each):
        for i in rows:
            speed = next(speeds)
            assert i < 0 or LENGTHS[i] / speed - 1 <= BUCKETS.edges[bucket]


def test_a_clip_that_would_outgrow_the_last_bucket_keeps_its_speed():
    each = plan(seed=1, speeds=(0.5,))
    speed = dict(zip(records(each), each.speed[each.record >= 0].tolist(), strict=True))
    assert speed[int(LENGTHS.argmax())] == 1.0
    assert speed[int(LENGTHS.argmin())] == 0.5


def test_a_clip_that_would_lose_the_frames_for_its_labels_keeps_its_speed():
    lengths, labels = np.array([16_000, 16_000]), np.array([20, 5])  # 49 frames; 24 at double speed
    index = index_of(1, lengths, labels)
    each = plan(index, plan_buckets(lengths, labels, 60), seed=1, speeds=(2.0,))
    assert dict(zip(each.record.tolist(), each.speed.tolist(), strict=True)) == {0: 1.0, 1: 2.0}


def test_evaluation_keeps_every_speed():
    assert set(plan(speeds=(0.9, 1.1)).speed.tolist()) == {1.0}


def test_filled_up_rows_are_marked():
    buckets = Buckets((96_000,), (100,), (20,))
    each = plan(buckets=buckets, seed=1)
    assert (each.num_batches, int((each.record < 0).sum())) == (3, 70)


def test_a_record_that_fits_no_bucket_is_named():
    with pytest.raises(ValueError, match=r"corpus, train: record \d+ has \d+ samples and \d+ labels, the largest"):
        plan(buckets=Buckets((16_000, 32_000), (4, 2), (20, 20)))


def test_a_million_records_are_planned_within_seconds():
    lengths = np.random.default_rng(0).integers(16_000, 320_000, 1_000_000)
    labels = np.full(1_000_000, 30)
    index = index_of(1_000, lengths, labels)
    buckets = plan_buckets(lengths, labels, 320)
    assert plan(index, buckets, seed=1, window_bytes=4_000).num_batches > 30_000


def test_records_are_shuffled_before_they_are_cut_into_batches():
    one = index_of(1)
    epochs = [batches_of(plan(one, seed=1, epoch=epoch)) for epoch in (0, 1)]
    groups = [{frozenset(rows) for _, rows in listed} for listed in epochs]
    assert not groups[0] & groups[1]


def test_a_clip_with_many_labels_goes_where_there_is_room_for_them():
    buckets = Buckets((64_000, 96_000), (10, 10), (8, 20))
    for bucket, rows in batches_of(plan(buckets=buckets, seed=1), buckets=buckets):
        assert bucket == 1 or all(LABELS[i] <= 8 for i in rows)


@pytest.mark.parametrize(
    ("more", "digest"),
    [
        ({}, "07d1c94934bf"),
        (dict(seed=1), "3c6b11d2510e"),
        (dict(seed=1, epoch=3, window_bytes=2_500, speeds=(0.9, 1.0, 1.1)), "5f626257065f"),
        (dict(seed=7, shortest_first=True), "3cedc247ef00"),
    ],
)
def test_the_order_is_that_of_its_version(more, digest):
    each = plan(**more)
    listed = json.dumps([fields(each), [list(files) for files in each.window_files]])
    assert hashlib.sha256(listed.encode()).hexdigest()[:12] == digest


HOSTS = [(2, 5), (3, 5), (5, 5), (4, 1), (7, 40)]  # hosts, shards


def hosts(num_hosts, num_shards, lengths=LENGTHS, labels=LABELS, **more):
    index = index_of(num_shards, lengths, labels)
    return index, [plan(index, num_hosts=num_hosts, host=host, **more) for host in range(num_hosts)]


@pytest.mark.parametrize("more", [{}, dict(seed=1, speeds=(0.9, 1.1)), dict(seed=1, window_bytes=1)])
@pytest.mark.parametrize(("num_hosts", "num_shards"), HOSTS)
def test_hosts_share_all_records_without_overlap(num_hosts, num_shards, more):
    _, plans = hosts(num_hosts, num_shards, **more)
    listed = [place for each in plans for place in records(each)]
    assert sorted(listed) == list(range(230))


@pytest.mark.parametrize(("num_hosts", "num_shards"), HOSTS)
def test_hosts_have_the_same_shapes_in_the_same_order(num_hosts, num_shards):
    _, plans = hosts(num_hosts, num_shards, seed=1, window_bytes=2_500)
    assert len({(tuple(each.bucket.tolist()), tuple(each.first_batch.tolist())) for each in plans}) == 1


def test_every_record_of_a_host_fits_its_batch():
    _, plans = hosts(3, 5, seed=1)
    for each in plans:
        for bucket, rows in batches_of(each):
            assert all(LENGTHS[i] <= BUCKETS.edges[bucket] for i in rows if i >= 0)


def test_hosts_read_whole_shards_of_their_own_where_these_can_be_dealt_out():
    even = np.full(240, 16_000)
    _, plans = hosts(3, 6, even, np.full(240, 5), buckets=plan_buckets(even, even * 0 + 5, 60), seed=1)
    read = [file for each in plans for files in each.window_files for file in files]
    assert sorted(read) == list(range(6))


def test_what_is_missing_is_missing_in_the_shortest_batches():
    _, plans = hosts(3, 5, seed=1, shortest_first=True)
    for each in plans:
        short = [bucket for bucket, rows in batches_of(each) if -1 in rows]
        assert set(short) <= {0}


def test_a_host_without_records_goes_along_with_empty_batches():
    lengths, labels = np.array([16_000, 17_000]), np.array([5, 5])
    _, plans = hosts(3, 1, lengths, labels, buckets=plan_buckets(lengths, labels, 60), seed=1)
    assert sorted(len(records(each)) for each in plans) == [0, 1, 1]
    assert len({each.num_batches for each in plans}) == 1


@pytest.mark.parametrize(("num_hosts", "host"), [(2, 2), (2, -1), (0, 0)])
def test_a_host_that_is_not_among_the_hosts_is_refused(num_hosts, host):
    with pytest.raises(ValueError, match=f"host={host} of num_hosts={num_hosts}: hosts are counted from 0"):
        plan(num_hosts=num_hosts, host=host)
