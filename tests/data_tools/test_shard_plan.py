from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from data_tools import shard_plan
from data_tools.clips import Job
from data_tools.manifest import Utterance
from data_tools.shard_plan import measure_seconds, plan_shards, record_sizes, seconds_per_byte
from data_tools.sources import TarMember
from data_tools.workers import Workers


def jobs(count, splits=("train",)):
    return [
        Job(Utterance(f"u{i}", f"{i}.wav", "Yes.", "s", splits[i % len(splits)], f"{i}.wav"), "YES")
        for i in range(count)
    ]


def ids(plan, corpus):
    return {task.file: [job.utterance.id for job in task.jobs] for task in plan.tasks(corpus)}


def test_every_utterance_is_in_one_shard_of_its_split_in_the_order_of_the_corpus():
    corpus = jobs(5, ("train", "dev"))
    plan = plan_shards(corpus, [1.0] * 5, 80_000, "pcm")
    assert ids(plan, corpus) == {
        "train-00000-of-00002.tfrecord": ["u0", "u2"],
        "train-00001-of-00002.tfrecord": ["u4"],
        "dev-00000-of-00001.tfrecord": ["u1", "u3"],
    }
    assert plan.num_shards == 3


def test_no_shard_is_planned_larger_than_asked_unless_one_record_is():
    corpus, seconds = jobs(4), [0.5, 0.5, 5.0, 0.5]
    tasks = list(plan_shards(corpus, seconds, 40_000, "pcm").tasks(corpus))
    assert [len(task.jobs) for task in tasks] == [2, 1, 1]
    assert [task.estimated_bytes <= 40_000 for task in tasks] == [True, False, True]


def test_a_seed_shuffles_within_splits_and_the_same_seed_does_the_same():
    corpus = jobs(40, ("train", "dev"))
    kept, once, again, other = (plan_shards(corpus, [1.0] * 40, 10**9, "pcm", seed) for seed in (None, 1, 1, 2))
    assert ids(once, corpus) == ids(again, corpus)
    assert len({str(ids(plan, corpus)) for plan in (kept, once, other)}) == 3
    for file, members in ids(once, corpus).items():
        assert sorted(members) == sorted(ids(kept, corpus)[file])


def test_flac_is_expected_to_take_half_the_room():
    pcm, flac = (record_sizes(jobs(2), [10.0, 20.0], encoding) for encoding in ("pcm", "flac"))
    assert pcm[0] == pytest.approx(2 * flac[0], rel=0.01)


def test_an_unknown_length_counts_as_the_mean_and_as_ten_seconds_where_none_is_known():
    np.testing.assert_array_equal(record_sizes(jobs(3), [1.0, None, 3.0], "pcm") // 32_000, [1, 2, 3])
    np.testing.assert_array_equal(record_sizes(jobs(2), [None, None], "pcm") // 32_000, [10, 10])


def measured(*utterances):
    with Workers(1) as workers:
        return [seconds for _, some in measure_seconds(utterances, workers) for seconds in some]


def test_lengths_come_from_the_manifest_then_from_the_header_and_never_from_a_bucket(corpus):
    path = corpus.add("x", seconds=2)
    tar = TarMember(path, 0, path.stat().st_size)

    def utterance(audio, start=0.0, duration=None):
        return Utterance("u", audio, "x", "", "train", "", start, duration)

    assert measured(
        utterance("none.wav", 1.0, 7.5), utterance(path), utterance(path, 0.5), utterance(tar), utterance("gs://b/a.wav"),
        utterance(corpus.root / "none.wav"), utterance(TarMember(corpus.root / "none.tar", 0, 9)),
    ) == [7.5, 2.0, 1.5, 2.0, None, 0.0, 0.0]  # fmt: skip


def test_lengths_are_asked_for_in_pieces(monkeypatch, corpus):
    monkeypatch.setattr(shard_plan, "_CHUNK", 2)
    utterances = [Utterance("u", "", "x", "", "train", "", 0.0, float(i)) for i in range(5)]
    with Workers(1) as workers:
        assert list(measure_seconds(utterances, workers)) == [(0, [0.0, 1.0]), (2, [2.0, 3.0]), (4, [4.0])]


@pytest.fixture
def many(corpus, monkeypatch):
    """Forty files of one kind, of which ten would be probed."""
    monkeypatch.setattr(shard_plan, "_PROBES", 5)
    return [Utterance("u", corpus.add("x", seconds=1 + i / 9), "x", "", "train", "") for i in range(40)]


def test_the_size_of_a_file_is_enough_where_it_tells_the_length(many, monkeypatch):
    exact = measured(*many)
    rates = seconds_per_byte(many)
    monkeypatch.setattr(shard_plan.audio, "duration_seconds", None)  # no header is read from here on
    with Workers(1) as workers:
        ((_, estimated),) = measure_seconds(many, workers, rates)
    np.testing.assert_allclose(estimated, exact, rtol=0.01)


def test_headers_are_read_where_sizes_do_not_tell_the_length(many):
    wide = np.zeros((4_000, 8), np.float32)
    for utterance in many[::3]:
        soundfile.write(utterance.audio, wide, 16_000)
    assert seconds_per_byte(many) == {}


def test_headers_are_read_where_files_are_few_or_pieces_are_wanted(many):
    assert seconds_per_byte(many[:20]) == {}
    assert seconds_per_byte([replace(utterance, start_seconds=0.5) for utterance in many]) == {}
    assert seconds_per_byte([replace(utterance, audio="gs://b/a.wav") for utterance in many]) == {}


def test_a_file_that_is_gone_has_no_length(many):
    with Workers(1) as workers:
        ((_, lengths),) = measure_seconds([replace(many[0], audio=Path("none.wav"))], workers, {".wav": 1.0})
    assert lengths == [0.0]
