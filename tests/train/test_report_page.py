from html.parser import HTMLParser

import numpy as np
import pytest

from tests.train.test_report import MIXED, made
from train.page_parts import groups_table, marked
from train.report import make_report
from train.report_page import page

VOID = {"meta", "br", "img"}


class Tags(HTMLParser):
    """Complains of a tag that is not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(html):
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    return tags.text


@pytest.fixture(scope="module")
def html():
    audio = {"u03": np.arange(800, dtype=np.int16)}
    return page(make_report(MIXED), "model on <dev>", ["shards: a & b"], audio)


def test_the_page_is_whole_and_says_what_the_terminal_says(html):
    text = read(html)
    for what in ("model on <dev>", "shards: a & b", "75.00 %", "6 edits in 8", "By speaker", "nothing said in 2"):
        assert what in text


def test_the_page_plays_the_audio_there_is(html):
    assert html.count("<audio") == 1
    assert html.count("class=clip") == 4


def test_the_plots_are_inside(html):
    assert html.count("<img alt='WER by") == 2
    assert html.count("data:image/svg+xml;base64,") == 3


def test_a_page_without_speakers_lengths_and_errors_is_whole():
    text = read(page(make_report(made(("", "", "", None))), "t", [], {}))
    assert "Utterances that cost most" not in text


def test_many_speakers_are_drawn_without_names_and_listed_where_one_asks_for_them():
    rows = [("GO", "GO" if i % 3 else "NO", f"speaker-{i:03d}", 1.0) for i in range(150)]
    html = page(make_report(made(*rows)), "t", [], {})
    assert "<details><summary>150 rows</summary>" in html
    assert "speaker-149" in read(html)


def test_a_very_long_table_is_cut_off():
    text = read(groups_table(("speaker", "WER %"), [(f"s{i:04d}", "1.0") for i in range(1001)]))
    assert "s0999" in text
    assert "s1000" not in text
    assert "... and 1 more" in text


@pytest.mark.parametrize(
    ("reference", "hypothesis", "html"),
    [
        ("GO ON", "GO IN", "GO <del>ON</del> <ins>IN</ins>"),
        ("GO ON", "GO", "GO <del>ON</del>"),
        ("", "UH", "<ins>UH</ins>"),
        ("今天好", "今夫好", "今<del>天</del><ins>夫</ins>好"),
        ("A < B", "A", "A <del>&lt;</del> <del>B</del>"),
        ("", "", ""),
    ],
)
def test_edits_are_marked_in_the_text(reference, hypothesis, html):
    assert marked(reference, hypothesis) == html
