import sys

import pytest

from data_tools.make_tfrecords import Options, main, make_tfrecords


@pytest.fixture
def options(corpus):
    def make(out, **more):
        fields = dict(manifest=corpus.manifest, audio_root=corpus.root, shard_megabytes=0.1, workers=1)
        return Options(out=out, **fields | more)

    for i in range(7):
        corpus.add("yes", split=("train", "dev")[i // 5])
    corpus.list("gone", "none.wav")
    return make


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.suffix not in (".txt", ".png")}


def test_beam_writes_the_same_bytes(options, tmp_path):
    pytest.importorskip("apache_beam")
    make_tfrecords(options(tmp_path / "local"))
    make_tfrecords(options(tmp_path / "beam", runner="beam"))
    assert content(tmp_path / "beam") == content(tmp_path / "local")
    assert not (tmp_path / "beam/unfinished").exists()


def test_beam_goes_on_with_what_processes_began_and_tells_of_failure(options, tmp_path, monkeypatch, capsys):
    pytest.importorskip("apache_beam")
    from data_tools import progress, writer

    def fails_at_the_last(task, recipe):
        if task.split == "dev":
            raise OSError(5, "Input/output error")
        return writer.write_shard(task, recipe)

    monkeypatch.setattr(progress, "write_shard", fails_at_the_last)
    with pytest.raises(OSError, match="Input/output error"):
        make_tfrecords(options(tmp_path / "out"))
    with pytest.raises(RuntimeError, match="Apache Beam gave up: .*Input/output error.*Finished shards are kept"):
        make_tfrecords(options(tmp_path / "out", runner="beam"))
    monkeypatch.undo()
    make_tfrecords(options(tmp_path / "out", runner="beam"))
    assert "2 of 3 shards are there already" in capsys.readouterr().out
    make_tfrecords(options(tmp_path / "local"))
    assert content(tmp_path / "out") == content(tmp_path / "local")


def test_without_beam_the_extra_is_named(options, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    given = options(tmp_path / "out")
    flags = [f"--manifest={given.manifest}", f"--audio_root={given.audio_root}", f"--out={given.out}"]
    assert main([*flags, "--runner=beam", "--workers=1"]) == 1
    assert "Apache Beam, which is not installed. Install it: pip install 'wav2vec2-tf[beam]'" in capsys.readouterr().err
