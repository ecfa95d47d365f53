"""Whatever lists the clips, the records are the same."""

import json
import tarfile

import numpy as np
import pytest
import soundfile

from data_tools.make_tfrecords import Options, make_tfrecords
from data_tools.scan import parse_fields, read_records

RATE_HZ = 16_000
TEXTS = ("ONE", "TWO THREE", "FOUR")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Three clips, each a file, and one file with all of them a second apart."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    sounds = [(rng.normal(0, 3000, RATE_HZ + 1600 * i)).astype(np.int16) for i in range(3)]
    for i, sound in enumerate(sounds):
        soundfile.write(folder / f"{i}.wav", sound, RATE_HZ)
    gap = np.zeros(RATE_HZ, np.int16)
    soundfile.write(folder / "long.flac", np.concatenate([part for sound in sounds for part in (gap, sound)]), RATE_HZ)
    return folder


def starts():
    return [i + 1 + sum(1 + 0.1 * j for j in range(i)) for i in range(3)]


def table(clips):
    rows = "".join(f"{i}.wav\t{text}\n" for i, text in enumerate(TEXTS))
    (clips / "m.tsv").write_text(f"path\ttranscript\n{rows}")
    return {"manifest": clips / "m.tsv", "audio_root": clips}


def pieces(clips):
    rows = "".join(
        json.dumps({"audio_filepath": "long.flac", "offset": start, "duration": 1 + i / 10, "text": text}) + "\n"
        for i, (start, text) in enumerate(zip(starts(), TEXTS, strict=True))
    )
    (clips / "m.jsonl").write_text(rows)
    columns = {"path": "audio_filepath", "start": "offset", "transcript": "text"}
    return {"manifest": clips / "m.jsonl", "audio_root": clips, "columns": columns}


def audio_folder(clips):
    rows = "".join(f'"{i}.wav","{text}"\n' for i, text in enumerate(TEXTS))
    (clips / "metadata.csv").write_text(f"file_name,transcription\n{rows}")
    return {"audio_folder": clips}


def lhotse(clips):
    recording = {"id": "long", "duration": 6.3, "sources": [{"type": "file", "channels": [0], "source": "long.flac"}]}
    cuts = []
    for i, (start, text) in enumerate(zip(starts(), TEXTS, strict=True)):
        said = [{"id": f"s{i}", "start": 0.0, "duration": 1 + i / 10, "text": text}]
        cuts.append({"id": str(i), "start": start, "duration": 1.0, "channel": 0, "supervisions": said})
    lines = "".join(json.dumps(cut | {"recording": recording, "type": "MonoCut"}) + "\n" for cut in cuts)
    (clips / "cuts.jsonl").write_text(lines)
    return {"lhotse": clips / "cuts.jsonl", "audio_root": clips}


def webdataset(clips):
    with tarfile.open(clips / "x.tar", "w") as file:
        for i, text in enumerate(TEXTS):
            (clips / f"{i}.txt").write_text(text)
            file.add(clips / f"{i}.wav", f"{i}.wav")
            file.add(clips / f"{i}.txt", f"{i}.txt")
    return {"webdataset": clips / "x.tar"}


def contents(index) -> list[tuple[bytes, bytes]]:
    (shard,) = index.shards("train")
    fields = map(parse_fields, read_records(index.folder / shard.file, shard.bytes))
    return [(one["audio"], one["text"]) for one in fields]


def test_the_same_clips_are_the_same_records_whatever_lists_them(clips, tmp_path):
    written = {
        layout.__name__: contents(make_tfrecords(Options(out=tmp_path / layout.__name__, workers=1, **layout(clips))))
        for layout in (table, pieces, audio_folder, lhotse, webdataset)
    }
    assert [text.decode() for _, text in written["table"]] == list(TEXTS)
    assert [len(audio) // 2 for audio, _ in written["table"]] == [16_000, 17_600, 19_200]
    assert [name for name, records in written.items() if records != written["table"]] == []
