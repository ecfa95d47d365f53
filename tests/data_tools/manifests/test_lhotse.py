import gzip
import json

import pytest

from data_tools.manifest import ManifestError
from data_tools.manifests.lhotse import read_lhotse


def recording(**more):
    sources = [{"type": "file", "channels": [0], "source": "long.wav"}]
    return {"id": "long", "sources": sources, "sampling_rate": 16000, "duration": 60.0, "num_samples": 960000} | more


def said(start, duration, text="hello", **more):
    fields = {"id": f"s{start}", "recording_id": "long", "start": start, "duration": duration, "channel": 0}
    return fields | {"text": text, "speaker": "anna"} | more


def cut(*supervisions, **more):
    fields = {"id": "c", "start": 10.0, "duration": 5.0, "channel": 0, "supervisions": list(supervisions)}
    return fields | {"recording": recording(), "type": "MonoCut"} | more


def read(tmp_path, *cuts, name="cuts.jsonl"):
    text = "".join(json.dumps(one) + "\n" for one in cuts)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return read_lhotse(tmp_path / name, tmp_path)


def test_a_supervision_is_a_piece_of_the_recording(tmp_path):
    (one,) = read(tmp_path, cut(said(1.5, 2.0)))
    assert (one.id, one.text, one.speaker, one.source) == ("c", "hello", "anna", "long.wav")
    assert (one.audio, one.start_seconds, one.duration_seconds) == (str(tmp_path / "long.wav"), 11.5, 2.0)


def test_several_supervisions_are_several_utterances(tmp_path):
    utterances = read(tmp_path, cut(said(0.0, 2.0, "one"), said(2.5, 2.0, "two")))
    assert [(u.id, u.text, u.start_seconds) for u in utterances] == [("s0.0", "one", 10.0), ("s2.5", "two", 12.5)]


def test_a_supervision_that_sticks_out_of_its_cut_is_taken_whole(tmp_path):
    (one,) = read(tmp_path, cut(said(-2.0, 9.0)))
    assert (one.start_seconds, one.duration_seconds) == (8.0, 9.0)


def test_a_cut_of_all_of_a_recording_has_no_times(tmp_path):
    (one,) = read(tmp_path, cut(said(0.0, 59.9995), start=0.0, duration=60.0))
    assert not one.is_segment


def test_a_cut_without_words_has_an_empty_text(tmp_path):
    assert read(tmp_path, cut(said(0.0, 1.0, None)))[0].text == ""


def test_the_channel_decides_between_the_files(tmp_path):
    sources = [{"type": "file", "channels": [i], "source": f"/abs/{i}.wav"} for i in range(2)]
    (one,) = read(tmp_path, cut(said(0.0, 1.0), channel=1, recording=recording(sources=sources)))
    assert one.audio == "/abs/1.wav"


@pytest.mark.parametrize(
    ("of_cut", "of_supervision", "expected"),
    [(1, 1, 1), ([0, 1], [0, 1], None), ([0, 1], 1, 1), ([0], 0, 0)],
)
def test_one_channel_of_a_file_with_several_is_taken_and_all_of_them_are_averaged(
    tmp_path, of_cut, of_supervision, expected
):
    spoken = said(0.0, 1.0) | {"channel": of_supervision}
    (one,) = read(tmp_path, cut(spoken, channel=of_cut, recording=recording(sources=STEREO)))
    assert (one.source, one.channel) == ("a.sph", expected)


def test_files_of_a_folder_name_the_splits(tmp_path):
    read(tmp_path, cut(said(0.0, 1.0)), name="a_cuts_dev-clean.jsonl.gz")
    read(tmp_path, cut(said(0.0, 1.0)), name="b_cuts_train.jsonl.gz")
    assert [u.split for u in read_lhotse(tmp_path, tmp_path)] == ["dev", "train"]


STEREO = [{"type": "file", "channels": [0, 1], "source": "a.sph"}]
COMMAND = [{"type": "command", "channels": [0], "source": "sph2pipe a.sph"}]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (
            cut(said(0.0, 1.0), channel=2, recording=recording(sources=STEREO)),
            r"c is channel \[2\] of long, .* \[0, 1\]. Take",
        ),
        (cut(said(0.0, 1.0), recording=recording(sources=COMMAND)), "long is of type 'command'"),
        (cut(said(0.0, 1.0), recording=recording(transforms=[{"name": "Speed"}])), "c asks for Speed"),
        ({"id": "m", "tracks": [], "type": "MixedCut"}, "m is a MixedCut"),
        ({"id": "f", "type": "MonoCut", "start": 0}, "f is a cut without a recording"),
        (cut({"id": "s"}), "is no cut .KeyError"),
        (["c"], "is no cut"),
    ],
)
def test_what_is_more_than_a_piece_of_a_file_is_refused(tmp_path, bad, complaint):
    with pytest.raises(ManifestError, match=rf"cuts.jsonl, line 2:? .*{complaint}"):
        read(tmp_path, cut(said(0.0, 1.0)), bad)


def test_a_broken_off_download_is_refused(tmp_path):
    read(tmp_path, *[cut(said(float(i), 1.0)) for i in range(300)], name="cuts.jsonl.gz")
    path = tmp_path / "cuts.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ManifestError, match="cannot be read to its end"):
        read_lhotse(path, tmp_path)


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "cuts.jsonl").write_bytes('{"id": "ä"}'.encode("latin-1"))
    with pytest.raises(ManifestError, match="is not UTF-8"):
        read_lhotse(tmp_path / "cuts.jsonl", tmp_path)


@pytest.mark.parametrize("name", ["none.jsonl", "none", "."])
def test_no_cuts(tmp_path, name):
    with pytest.raises(ManifestError, match="no such file|no folder of such files"):
        read_lhotse(tmp_path / name, tmp_path)
