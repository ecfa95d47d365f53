import pytest

from data_tools.manifests import CorpusOptions, read_corpus


@pytest.mark.parametrize("names", [(), ("mls", "lhotse"), ("manifest", "librispeech")])
def test_one_corpus_is_named(tmp_path, names):
    with pytest.raises(ValueError, match=f"Name one corpus, not {len(names)}: --manifest .* --webdataset"):
        read_corpus(CorpusOptions(**dict.fromkeys(names, tmp_path)))


def test_a_manifest_needs_a_root(tmp_path):
    with pytest.raises(ValueError, match="--manifest needs --audio_root"):
        read_corpus(CorpusOptions(manifest=tmp_path))


def test_a_corpus_without_utterances_is_refused(tmp_path):
    (tmp_path / "train.tsv").write_text("path\tsentence\tclient_id\n")
    with pytest.raises(ValueError, match="--common_voice .* lists no utterance"):
        read_corpus(CorpusOptions(common_voice=tmp_path))


def test_every_layout_is_read(tmp_path):
    (tmp_path / "m.csv").write_text("file,transcript\na.wav,x\n")
    (one,) = read_corpus(CorpusOptions(manifest=str(tmp_path / "m.csv"), audio_root=tmp_path, columns={"path": "file"}))
    assert one.audio == str(tmp_path / "a.wav")
    for name in ("librispeech", "mls", "common_voice", "audio_folder", "lhotse", "webdataset"):
        with pytest.raises(ValueError, match=f"{tmp_path} (holds no|is no)"):
            read_corpus(CorpusOptions(**{name: tmp_path / "."}))
