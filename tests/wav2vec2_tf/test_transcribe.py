"""Transcription: files of any kind to text, one clear error per bad file, the rest go on."""

import io
import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.processor import Wav2Vec2Processor
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.transcribe import main
from wav2vec2_tf.transcriber import Transcriber

GOLDEN = Path(__file__).parents[1] / "golden"
CONFIG = Wav2Vec2Config(
    vocab_size=32,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    conv_dim=(8,) * 7,
    num_conv_pos_embeddings=4,
    num_conv_pos_embedding_groups=2,
)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    """A tiny model with random weights whose head prefers no label, so that every frame may differ."""
    import keras

    from wav2vec2_tf.model_ctc import Wav2Vec2ForCTC

    keras.utils.set_random_seed(3)
    model = Wav2Vec2ForCTC(CONFIG)
    model.lm_head.kernel.assign(np.random.default_rng(3).normal(size=model.lm_head.kernel.shape))
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    Wav2Vec2Processor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def transcriber(model_dir):
    return Transcriber.from_pretrained(model_dir)


@pytest.fixture
def wav(tmp_path):
    def write(name="clip.wav", num_samples=20_000, rate_hz=16_000, **how):
        samples = np.random.default_rng(num_samples).normal(size=num_samples) * 0.1
        soundfile.write(tmp_path / name, samples, rate_hz, **how)
        return str(tmp_path / name)

    return write


def test_text_is_the_unpadded_models_best_path(transcriber, wav):
    path = wav()
    values = transcriber.processor(soundfile.read(path)[0])
    logits = transcriber.model(values[None]).numpy()
    expected = transcriber.processor.batch_decode(logits)[0]
    assert expected
    assert transcriber.transcribe(path).text == expected


def test_bytes_open_files_and_paths_are_one(transcriber, wav, tmp_path):
    path = wav()
    with open(path, "rb") as file:
        heard = {transcriber.transcribe(source).text for source in (path, tmp_path / "clip.wav", file)}
    with open(path, "rb") as file:
        heard.add(transcriber.transcribe(file.read()).text)
    assert len(heard) == 1


def test_duration_is_the_recordings_own(transcriber, wav):
    assert transcriber.transcribe(wav(num_samples=8_000, rate_hz=8_000)).duration_seconds == 1.0


def test_a_clip_without_a_frame_is_refused(transcriber, wav):
    with pytest.raises(ValueError, match=r"clip.wav holds 399 samples at 16000 Hz; the model's first frame takes 400"):
        transcriber.transcribe(wav(num_samples=399))
    assert transcriber.transcribe(wav(num_samples=400)).duration_seconds == 0.025


def test_one_file_prints_its_text_alone(model_dir, transcriber, wav, capsys):
    path = wav("clip.flac")
    assert main(["--model", str(model_dir), path]) == 0
    assert capsys.readouterr().out == transcriber.transcribe(path).text + "\n"


def test_a_bad_file_is_reported_and_the_rest_go_on(model_dir, wav, tmp_path, capsys):
    good, short = wav("good.wav"), wav("short.wav", num_samples=100)
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"not audio")
    assert main(["--model", str(model_dir), str(broken), short, str(tmp_path / "absent.wav"), good]) == 1
    out, err = capsys.readouterr()
    assert re.fullmatch(r".*good\.wav\t[A-Z' ]+\n", out)
    reports = [line for line in err.splitlines() if line.startswith("transcribe: ")]
    assert [name in line for name, line in zip(("broken.wav", "short.wav", "absent.wav"), reports, strict=True)]
    assert "Traceback" not in err


def test_a_folder_without_a_model_is_one_clear_error(tmp_path, wav, capsys):
    assert main(["--model", str(tmp_path / "nowhere"), wav()]) == 1
    assert re.fullmatch(r"transcribe: There is no folder .*nowhere.*\n", capsys.readouterr().err)


def test_a_model_of_the_hub_hears_the_same(hub, model_dir, transcriber, wav, capsys):
    hub.add("org/name", {path.name: path.read_bytes() for path in model_dir.iterdir()}, branch="v1")
    hub.add("org/name", {"README.md": b"nothing"})
    path = wav("clip.flac")
    assert main(["--model", "org/name@v1", path]) == 0
    assert capsys.readouterr().out == transcriber.transcribe(path).text + "\n"
    offline = Transcriber.from_pretrained("org/name", revision="v1", local_files_only=True)
    assert offline.transcribe(path) == transcriber.transcribe(path)


def test_a_model_that_is_nowhere_is_one_clear_error(hub, wav, capsys):
    assert main(["--model", "runs/best", wav()]) == 1
    error = capsys.readouterr().err
    assert re.fullmatch(r"transcribe: There is no folder or file runs/best here, and no model runs/best .*\n", error)


def test_a_fairseq_checkpoint_is_heard(wav):
    transcriber = Transcriber.from_pretrained(GOLDEN / "fairseq" / "ctc_large.pt")
    assert set(transcriber.transcribe(wav()).text) <= set("ETAON' ")


def test_a_model_that_was_only_pretrained_transcribes_nothing(model_dir, tmp_path):
    shutil.copytree(model_dir, tmp_path / "body")
    weights = load_file(tmp_path / "body" / "model.safetensors")
    body = {name: array for name, array in weights.items() if not name.startswith("lm_head")}
    save_file(body, tmp_path / "body" / "model.safetensors")
    config = json.loads((tmp_path / "body" / "config.json").read_text("utf-8")) | {"architectures": ["Wav2Vec2Model"]}
    (tmp_path / "body" / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match="nothing to transcribe with: .* lm_head starts at random"):
        Transcriber.from_pretrained(tmp_path / "body")


def test_a_tokenizer_with_another_blank_is_refused(transcriber):
    tokenizer = Wav2Vec2CTCTokenizer({"a": 0, "<pad>": 1})
    with pytest.raises(ValueError, match=r"blank is 0 .*the tokenizer's is 1 \('<pad>' in vocab.json\)"):
        Transcriber(transcriber.model, Wav2Vec2Processor(tokenizer=tokenizer))


def test_a_folder_without_weights_is_one_clear_error(model_dir, tmp_path, wav, capsys):
    shutil.copytree(model_dir, tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    assert main(["--model", str(tmp_path / "model"), wav()]) == 1
    assert "model.safetensors" in capsys.readouterr().err


def test_odd_files_end_in_text_or_an_error_of_their_own(model_dir, speech_dir, capsys):
    files = sorted(str(path) for path in (speech_dir / "wild" / "odd").iterdir() if path.is_file())
    main(["--model", str(model_dir), *files])
    out, err = capsys.readouterr()
    reports = [line for line in err.splitlines() if line.startswith("transcribe: ")]
    assert len(out.splitlines()) + len(reports) == len(files)
    assert "mp3_named_wav" in out


def test_several_formats_go_to_a_folder(model_dir, transcriber, wav, tmp_path, capsys):
    path = wav("deep.name.wav")
    out = tmp_path / "out"
    assert main(["--model", str(model_dir), "--out", str(out), "--format", "txt,srt,json", path]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["deep.name.json", "deep.name.srt", "deep.name.txt"]
    assert (out / "deep.name.txt").read_text("utf-8") == transcriber.transcribe(path).text + "\n"
    words = json.loads((out / "deep.name.json").read_text("utf-8"))["words"]
    assert [word["text"] for word in words] == transcriber.transcribe(path).text.split()
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "1 of 1 recordings were transcribed" in printed.err


def test_a_folder_of_transcripts_lacks_those_that_failed(model_dir, wav, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    wav("in/a.wav")
    (tmp_path / "in" / "b.wav").write_bytes(b"nothing")
    arguments = ["--model", str(model_dir), "--out", str(tmp_path / "out"), "--format", "vtt"]
    assert main([*arguments, str(tmp_path / "in")]) == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.vtt"]
    error = capsys.readouterr().err
    assert "transcribe: " in error
    assert "1 of 2 recordings were transcribed" in error


def test_one_recording_may_be_printed_in_any_format(model_dir, wav, monkeypatch, capsys):
    with open(wav(), "rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(file.read())))
    assert main(["--model", str(model_dir), "--format", "ctm", "-"]) == 0
    assert all(line.startswith("stdin 1 ") for line in capsys.readouterr().out.splitlines())


def test_several_recordings_in_another_format_need_a_folder(model_dir, wav, capsys):
    assert main(["--model", str(model_dir), "--format", "srt", wav("a.wav"), wav("b.wav")]) == 1
    assert "Say where files go: --out FOLDER" in capsys.readouterr().err


def test_a_recording_in_a_bucket_is_heard_like_a_file(model_dir, transcriber, wav, monkeypatch, capsys):
    from data_tools import gcs

    path = wav()
    monkeypatch.setattr(gcs, "open_read", lambda url: io.BytesIO(Path(path).read_bytes()))
    assert main(["--model", str(model_dir), "gs://bucket/clip.wav"]) == 0
    assert capsys.readouterr().out == transcriber.transcribe(path).text + "\n"


def test_a_hot_word_without_its_weight_is_refused(model_dir, wav, capsys):
    assert main(["--model", str(model_dir), "--hot_word", "PITTSBURGH", wav()]) == 1
    assert "--hot_word PITTSBURGH: write WORDS=NATS, such as PITTSBURGH=10" in capsys.readouterr().err


def test_hot_words_are_searched_for(model_dir, transcriber, wav, capsys):
    pytest.importorskip("flashlight.lib.text")
    path = wav()
    assert main(["--model", str(model_dir), "--hot_word", "QQ=1000", path]) == 0
    assert capsys.readouterr().out.count("Q") > transcriber.transcribe(path).text.count("Q")
