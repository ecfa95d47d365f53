import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from data_tools.index import load_index
from data_tools.inspect import main
from data_tools.inspect_page import draw, page
from data_tools.inspect_text import describe
from data_tools.pages import shown
from data_tools.survey import Survey, survey
from tests.gcs_tls_server import ROOT, GcsTls


@pytest.fixture
def folder(shards, tmp_path):
    return shutil.copytree(shards, tmp_path / "shards")


@pytest.fixture(scope="module")
def found(shards):
    return survey(load_index(shards), every_shard=True)


def changed(found, **more) -> Survey:
    return Survey(**(vars(found) | more))


def flip(folder, file, at):
    data = bytearray((folder / file).read_bytes())
    data[at] ^= 1
    (folder / file).write_bytes(data)


def test_sound_shards_end_with_status_0_and_two_files(folder, capsys):
    assert main([str(folder), "--verify"]) == 0
    assert (folder / "inspection.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "inspection.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert "checked: 47 of 47 records, nothing wrong\n" in capsys.readouterr().out


def test_a_flipped_byte_ends_with_status_1_and_is_named(folder, capsys):
    flip(folder, "train-00002-of-00006.tfrecord", 500)
    assert main([str(folder), "--verify"]) == 1
    told = capsys.readouterr().out
    assert "WRONG: 1 findings in 47 of 47 records" in told
    assert re.search(r"train-00002-of-00006.tfrecord, record 0: its \d+ bytes from byte 12 on differ", told)
    assert "train-00002-of-00006.tfrecord, record 0" in (folder / "inspection.html").read_text("utf-8")


def test_inspected_shards_are_still_shards(folder):
    main([str(folder)])
    assert load_index(folder).splits.keys() == {"train", "test"}


def test_page_and_picture_go_where_told(folder, tmp_path):
    assert main([str(folder), "--out", str(tmp_path / "a/b")]) == 0
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == ["inspection.html", "inspection.png"]
    assert not (folder / "inspection.html").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["none"], "none holds no index.json"),
        (["gs://bucket/shards"], "gs://bucket/shards is none. Name one: --out"),
        (["ftp://host/shards"], "neither a local folder nor gs://"),
    ],
)
def test_a_wrong_folder_ends_with_one_line_and_status_1(arguments, complaint, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    assert not list(tmp_path.iterdir())
    told = capsys.readouterr().err
    assert told.startswith("inspect: ")
    assert complaint in told
    assert told.count("\n") == 1


def test_a_split_without_records_is_refused(folder, capsys):
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"splits": {}}))
    assert main([str(folder)]) == 1
    assert "has a split without records, or no split" in capsys.readouterr().err


def test_ctrl_c_is_told(folder, monkeypatch, capsys):
    def interrupted(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_tools.survey.survey", interrupted)
    assert main([str(folder)]) == 130
    assert "interrupted; nothing was written" in capsys.readouterr().err


def test_help_needs_no_tensorflow():
    code = "import sys; from data_tools.inspect import main; sys.modules['tensorflow'] = None; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--verify" in done.stdout


def test_the_report_tells_figures_characters_speakers_and_rejects(found):
    found.index.rejected.update(silent=2)
    told = describe(found)
    found.index.rejected.clear()
    assert re.search(r"^train +40 +0.03 +6 +3.1 +0.50 +2.45 +4.40 +2.5 +1$", told, re.MULTILINE)
    assert re.search(r"^test +7 +0.00 +1 +0.3 ", told, re.MULTILINE)
    assert "characters: 17, by count" in told
    assert "speakers of train, with minutes: s 1.6" in told
    assert "in several splits: 1 speakers, such as s (train and test)" in told
    assert "rejected: 2\nsilent  2  all samples are zero" in told


def test_the_report_says_what_was_not_looked_at(found):
    told = describe(changed(found, looked_at={"train": 8, "test": 7}))
    assert re.search(r"^train .* >= 1$", told, re.MULTILINE)
    assert "checked: 15 of 47 records, nothing wrong; --verify reads all" in told
    assert "speakers were counted in 15 of 47 records" in told


def test_many_findings_are_cut_short(found):
    told = describe(changed(found, findings=("x",) * 25))
    assert "WRONG: 25 findings" in told
    assert "... and 5 more" in told


def test_many_characters_are_cut_short(found):
    index = vars(found.index) | {"characters": {chr(0x4E00 + i): 1000 - i for i in range(300)}}
    many = changed(found, index=type(found.index)(**index))
    assert "... 200 more ..." in describe(many)
    assert "200 more" in page(many, b"")
    assert draw(many).startswith(b"\x89PNG")


@pytest.mark.parametrize(("character", "seen"), [("é", "é"), ("\u200b", "U+200B"), (" ", "' '"), ("\u0327", "U+0327")])
def test_characters_one_cannot_see_are_spelled(character, seen):
    assert shown(character) == seen


class Tags(HTMLParser):
    """Reads a page; `open` holds what was never closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(found):
    tags = Tags(page(found, draw(found)))
    assert not tags.open
    assert not {"script", "link", "iframe"} & set(tags.seen)
    sources = [value for name, value in tags.attributes if name in ("src", "href")]
    assert len(sources) == 1 + sum(map(len, found.samples.values()))
    assert all(source.startswith("data:") for source in sources)


def test_samples_sound_as_the_records_do(found):
    (sample, *_) = found.samples["test"]
    sounds = re.findall(r"data:audio/mpeg;base64,([^']+)", page(changed(found, samples={"test": [sample]}), b""))
    heard, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(sounds[0])))
    assert (rate_hz, len(heard)) == (16_000, len(sample.record.samples))
    assert abs(np.sqrt(np.mean(heard**2)) / 0.1 - 1) < 0.3  # the fixture's noise, as loud as MP3 leaves it


def test_what_a_corpus_says_is_text_and_never_markup(found):
    (sample, *_) = found.samples["test"]
    evil = "<script>alert('x')</script>"
    record = replace(sample.record, id=evil, text=evil, transcript=evil + "&", speaker=evil)
    rejected = vars(found.index) | {"rejected": {evil: 1}, "text_rules": (evil,), "characters": {"<": 3}}
    made = page(
        changed(
            found, samples={evil: [replace(sample, record=record, shard=evil)]}, rejects=((evil,) * 4,),
            findings=(evil,), index=type(found.index)(**rejected),
        ), b"",
    )  # fmt: skip
    assert "<script" not in made
    assert "<td>&lt;</td>" in made
    assert made.count("&lt;script&gt;") > 8


def test_shards_in_a_bucket_are_inspected_there(shards, tmp_path):
    with GcsTls(tmp_path) as server:
        server.bucket("inspected", {f"shards/{path.name}": path.read_bytes() for path in shards.iterdir()})
        server.fault("flip", match="GET /inspected/shards%2Ftrain-00002")
        done = subprocess.run(
            [sys.executable, "-m", "data_tools.inspect", "gs://inspected/shards", "--verify", "--out", str(tmp_path)],
            capture_output=True, text=True, cwd=ROOT, env=os.environ | server.environ, check=False,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr[-2_000:]
    assert "WRONG: 1 findings in 4" in done.stdout
    assert "train-00002-of-00006.tfrecord, record " in done.stdout
    assert (tmp_path / "inspection.html").exists()
