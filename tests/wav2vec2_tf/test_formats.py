"""Files of transcripts: what stands in each, and that it is what the programs that read it ask for."""

import json
import re

import numpy as np
import pytest

from wav2vec2_tf.decoding.transcript import Span, Transcript
from wav2vec2_tf.formats import FORMATS, find_format, render, write

NOTHING = Transcript("", 2.0)
HEARD = Transcript(
    'Is "it" <so>?\nNo.',
    3.0,
    words=(
        Span("Is", 0.1, 0.2, 0.9),
        Span('"it"', 0.3, 0.4, 0.8),
        Span("<so>?", 0.5, 0.8, 0.7),
        Span("No.", 1.5, 1.62, 0.12345),
    ),
    characters=(Span("I", 0.1, 0.12, 0.9), Span("S", 0.12, 0.2, 0.9)),
    confidence=0.6,
)


def intervals_of(text: str) -> list[list[tuple[float, float, str]]]:
    """Reads a TextGrid as its description says: tiers of (xmin, xmax, text)."""
    tiers = re.split(r"    item \[\d+\]:", text)[1:]
    pattern = r'intervals \[\d+\]:\s+xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "((?:[^"]|"")*)"'
    return [
        [(float(start), float(end), word.replace('""', '"')) for start, end, word in re.findall(pattern, tier)]
        for tier in tiers
    ]


def test_txt_is_the_text():
    assert render(HEARD, "txt") == 'Is "it" <so>?\nNo.\n'
    assert render(NOTHING, "txt") == "\n"


def test_json_holds_everything_and_a_word_a_line():
    text = render(HEARD, "json")
    values = json.loads(text)
    assert values["text"] == HEARD.text
    assert (values["duration_seconds"], values["confidence"]) == (3.0, 0.6)
    assert [word["text"] for word in values["words"]] == ["Is", '"it"', "<so>?", "No."]
    assert values["words"][3] == {"text": "No.", "start_seconds": 1.5, "end_seconds": 1.62, "confidence": 0.1235}
    assert [span["text"] for span in values["characters"]] == ["I", "S"]
    assert sum("start_seconds" in line for line in text.splitlines()) == 6


def test_json_of_nothing_is_json():
    assert json.loads(render(NOTHING, "json"))["words"] == []


def test_srt_numbers_its_cues_and_ends_each_with_an_empty_line():
    assert render(HEARD, "srt") == (
        '1\n00:00:00,100 --> 00:00:01,100\nIs "it" <so>?\n\n2\n00:00:01,500 --> 00:00:02,500\nNo.\n\n'
    )


def test_vtt_escapes_what_it_would_read_as_markup():
    assert render(HEARD, "vtt") == (
        'WEBVTT\n\n00:00:00.100 --> 00:00:01.100\nIs "it" &lt;so&gt;?\n\n00:00:01.500 --> 00:00:02.500\nNo.\n'
    )


def test_hours_are_counted_in_subtitles():
    late = Transcript("NO", 7300.0, (Span("NO", 7299.9996, 7300.0, 1.0),))
    assert "02:01:40,000 --> " in render(late, "srt")


def test_tsv_is_a_row_a_word():
    rows = [line.split("\t") for line in render(HEARD, "tsv").splitlines()]
    assert rows[0] == ["start_seconds", "end_seconds", "confidence", "word"]
    assert rows[1:3] == [["0.100", "0.200", "0.9000", "Is"], ["0.300", "0.400", "0.8000", '"it"']]


def test_ctm_is_recording_channel_begin_duration_word_confidence():
    assert render(HEARD, "ctm", name="my clip").splitlines()[3] == "my_clip 1 1.500 0.120 No. 0.1235"


def test_a_decoder_without_times_gives_one_row_for_the_whole_recording():
    untimed = Transcript("ONE  TWO", 2.0, confidence=0.5)
    assert render(untimed, "tsv").splitlines()[1:] == ["0.000\t2.000\t0.5000\tONE TWO"]
    assert render(untimed, "ctm") == "audio 1 0.000 2.000 ONE_TWO 0.5000\n"


def test_a_textgrid_has_no_gaps_and_ends_with_the_recording():
    words, characters = intervals_of(render(HEARD, "textgrid"))
    for tier in (words, characters):
        assert tier[0][0] == 0
        assert tier[-1][1] == 3.0
        assert all(left[1] == right[0] for left, right in zip(tier, tier[1:], strict=False))
    assert [interval for interval in words if interval[2]] == [
        (0.1, 0.2, "Is"), (0.3, 0.4, '"it"'), (0.5, 0.8, "<so>?"), (1.5, 1.62, "No."),
    ]  # fmt: skip
    assert [interval for interval in characters if interval[2]] == [(0.1, 0.12, "I"), (0.12, 0.2, "S")]


def test_a_textgrid_puts_words_that_overlap_or_last_no_time_one_after_another():
    odd = Transcript("A B C", 1.0, (Span("A", 0.1, 0.5, 1.0), Span("B", 0.4, 0.4, 1.0), Span("C", 0.9, 1.1, 1.0)))
    (words, empty) = intervals_of(render(odd, "textgrid"))
    assert words == [(0, 0.1, ""), (0.1, 0.5, "A"), (0.5, 0.501, "B"), (0.501, 0.9, ""), (0.9, 1.1, "C")]
    assert empty == [(0, 1.1, "")]


@pytest.mark.parametrize("seed", range(5))
def test_every_interval_of_a_textgrid_lasts(seed):
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.uniform(0, 3, 200)).round(rng.integers(2, 6))
    spans = tuple(Span("A", start, start + rng.choice([0.0, 0.001, 0.02, 0.1]), 1.0) for start in starts.tolist())
    words, _ = intervals_of(render(Transcript("A " * 200, 3.0, spans), "textgrid"))
    assert all(start < end for start, end, _ in words)
    assert all(left[1] == right[0] for left, right in zip(words, words[1:], strict=False))
    assert sum(text == "A" for _, _, text in words) == 200


@pytest.mark.parametrize("format", FORMATS)
def test_silence_makes_a_file_without_words(format):
    text = render(NOTHING, format)
    assert not re.search(r"\d -->|conf.*\d\.\d{4}", text)
    if format == "textgrid":
        assert intervals_of(text) == [[(0, 2.0, "")]] * 2


def test_a_file_is_written_in_utf_8_under_its_own_name(tmp_path):
    path = tmp_path / "größe.ctm"
    write(Transcript("Größe", 1.0, (Span("Größe", 0.0, 0.5, 1.0),)), path, "ctm")
    assert path.read_text("utf-8") == "größe 1 0.000 0.500 Größe 1.0000\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_format_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no format 'ass'. Choose from: txt, json, srt, vtt, tsv, ctm, textgrid"):
        find_format("ass")
    with pytest.raises(ValueError, match="no format"):
        write(HEARD, tmp_path / "clip.ass", "ass")
    assert not list(tmp_path.iterdir())
