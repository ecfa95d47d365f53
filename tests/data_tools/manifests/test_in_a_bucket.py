"""Every layout is read from a bucket as it is from a folder, through the real client (tests/gcs_tls_server.py)."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.gcs_tls_server import GcsTls

ROOT = Path(__file__).parents[3]

# layout, place in the bucket, root of the audio, what is expected
CORPORA = [
    ("manifest", "corpora/table/m.tsv", "corpora/table", "a.wav TABLE train sound of table"),
    ("librispeech", "corpora/libri", "corpora", "1-2-0 LIBRI dev sound of libri"),
    ("mls", "corpora/mls", "corpora", "1_2_3 MLS test sound of mls"),
    ("common_voice", "corpora/cv/", "corpora", "clips/a.mp3 CV train sound of cv"),
    ("audio_folder", "corpora/folder", "corpora", "dev/a.wav FOLDER dev sound of folder"),
    ("lhotse", "corpora/lhotse", "corpora/lhotse", "c CUT dev sound of cut"),
    ("webdataset", "corpora/tars", "corpora", "train-0.tar/k TAR train sound of tar"),
    ("manifest", "nobody/m.tsv", "nobody", "ManifestError gs://nobody/m.tsv: no such manifest. Check --manifest."),
    ("librispeech", "nobody/x", "nobody", "FileNotFoundError There is no bucket"),
    ("webdataset", "nobody/x.tar", "nobody", "ManifestError gs://nobody/x.tar: no such file. Check --webdataset."),
    ("table", "corpora/table", "corpora/table", "AudioError There is no bucket"),
]

SCRIPT = """
import json, sys
from data_tools.manifests import CorpusOptions, read_corpus
from data_tools.sources import open_audio

def told(name, place, root):
    try:
        if name == "table":
            return open_audio(f"gs://{place}/none.wav")
        (u,) = read_corpus(CorpusOptions(**{name: "gs://" + place}, audio_root="gs://" + root))
        return " ".join([u.id, u.text, u.split, open_audio(u.audio).decode()])
    except Exception as error:
        return f"{type(error).__name__} {error}"

print(json.dumps([told(*corpus) for corpus in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What a process tells that has the server for its Google."""
    pytest.importorskip("gcsfs")
    with GcsTls(tmp_path_factory.mktemp("tls")) as server:
        server.bucket("corpora", objects())
        surroundings = os.environ | server.environ
        surroundings.pop("STORAGE_EMULATOR_HOST", None)
        asked = json.dumps([corpus[:3] for corpus in CORPORA])
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, asked], capture_output=True, text=True, env=surroundings, cwd=ROOT,
            timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def objects():
    cut = {"id": "c", "start": 0, "duration": 1, "channel": 0, "type": "MonoCut"}
    cut["supervisions"] = [{"id": "s", "start": 0, "duration": 1, "text": "CUT"}]
    cut["recording"] = {"id": "r", "duration": 9, "sources": [{"type": "file", "channels": [0], "source": "a.wav"}]}
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as file:
        for name, content in (("k.wav", b"sound of tar"), ("k.txt", b"TAR")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return {
        "table/m.tsv": b"path\ttranscript\na.wav\tTABLE\n",
        "table/a.wav": b"sound of table",
        "libri/dev/1/2/1-2.trans.txt": b"1-2-0 LIBRI\n",
        "libri/dev/1/2/1-2-0.flac": b"sound of libri",
        "mls/test/transcripts.txt": b"1_2_3\tMLS\n",
        "mls/test/audio/1/2/1_2_3.opus": b"sound of mls",
        "cv/train.tsv": b"client_id\tpath\tsentence\nx\ta.mp3\tCV\n",
        "cv/clips/a.mp3": b"sound of cv",
        "folder/dev/metadata.csv": b"file_name,transcription\na.wav,FOLDER\n",
        "folder/dev/a.wav": b"sound of folder",
        "lhotse/cuts_dev.jsonl.gz": gzip.compress(json.dumps(cut).encode()),
        "lhotse/a.wav": b"sound of cut",
        "tars/train-0.tar": tar.getvalue(),
    }


@pytest.mark.parametrize("i", range(len(CORPORA)), ids=[f"{name}-{place}" for name, place, _, _ in CORPORA])
def test_a_corpus_in_a_bucket_is_read_or_told(answers, i):
    assert answers[i].startswith(CORPORA[i][3])
