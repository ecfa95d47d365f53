from pathlib import Path

import numpy as np

from data_tools.clips import Rejection
from data_tools.index import Index, Shard
from data_tools.manifest import Utterance
from data_tools.report import describe, draw, histogram, rejects_table


def index_of(folder, *seconds):
    shard = Shard("train-0", len(seconds), 5_000_000, np.array(seconds) * 16_000, np.ones(len(seconds)))
    return Index(folder, 16_000, (), {}, {"silent": 2, "truncated": 1}, {"train": (shard,)})


def test_bins_have_round_widths_and_count_all():
    for longest in (0.7, 3, 17, 40, 3_000, 30_000):
        seconds = np.linspace(0.01, longest, 100)
        hist = histogram(seconds)
        assert hist.counts.sum() == 100
        assert len(hist.counts) <= 21


def test_the_report_tells_hours_utterances_and_reasons(tmp_path):
    text = describe(index_of(tmp_path, 1_800, 1_800, 3_600), seconds=10, num_read=6, seconds_written=7_200)
    assert "train                         3     2.00      1      5.0" in text
    assert "rejected: 3 of 6" in text
    assert "silent                    2  all samples are zero" in text
    assert "2.00 hours in 10.0 s, 720 times real time" in text


def test_a_run_that_went_on_boasts_of_what_it_did_only(tmp_path):
    text = describe(index_of(tmp_path, 1_800, 1_800, 3_600), seconds=10, num_read=6, seconds_written=3_600)
    assert "1.00 hours in 10.0 s, 360 times real time; the other 1.00 were there" in text


def test_the_picture_is_a_png(tmp_path):
    draw(index_of(tmp_path, 1, 2, 2.5), tmp_path / "lengths.png")
    assert (tmp_path / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_rejects_are_one_line_each_whatever_they_hold():
    odd = Utterance("a", Path("a.wav"), "", "", "train", "a.wav")
    table = rejects_table([Rejection(odd, "unreadable", "two\nlines\tand a tab")])
    assert table == "id\tpath\treason\tdetail\na\ta.wav\tunreadable\ttwo lines and a tab\n"
