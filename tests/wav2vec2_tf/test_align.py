"""Alignment of recordings: the words of a text with their times, on the screen or in files, or one clear error."""

import io
import json
import sys

import numpy as np
import pytest
import soundfile

from tests.tiny import noise, perturb, tiny
from wav2vec2_tf import align as command
from wav2vec2_tf.align import align_text, main
from wav2vec2_tf.decoding.alignment import align
from wav2vec2_tf.decoding.spelling import spell
from wav2vec2_tf.decoding.transcript import Span, Transcript
from wav2vec2_tf.processor import Wav2Vec2Processor
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.transcriber import Transcriber

TOKENS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCD"]
PROCESSOR = Wav2Vec2Processor(tokenizer=Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(TOKENS)}))
TEXT = "Bad cab,\n— a dad? 7!"


@pytest.fixture(scope="module")
def transcriber():
    """A tiny model with random weights, which hears only what is near."""
    from wav2vec2_tf.model_ctc import Wav2Vec2ForCTC

    model = perturb(Wav2Vec2ForCTC(tiny("layer_norm")))
    for block in model.wav2vec2.encoder.blocks:
        block.attention.out_proj.kernel.assign(np.zeros(block.attention.out_proj.kernel.shape))
    return Transcriber(model, PROCESSOR)


@pytest.fixture(scope="module")
def folder(transcriber, tmp_path_factory):
    """A model, a recording of 2.5 s and its text."""
    folder = tmp_path_factory.mktemp("align")
    transcriber.model.save_pretrained(folder / "model")
    PROCESSOR.save_pretrained(folder / "model")
    soundfile.write(folder / "clip.wav", noise(40_000) * 0.1, 16_000, subtype="FLOAT")
    (folder / "clip.txt").write_text(TEXT, "utf-8")
    return folder


@pytest.fixture
def _loaded(transcriber, monkeypatch):
    """The command takes the model that is there, which saves the time of loading and tracing it."""
    monkeypatch.setattr(command.Transcriber, "from_pretrained", lambda *_, **__: transcriber)


def run(folder, *options, text="clip.txt", audio="clip.wav") -> int:
    text = text if text == "-" else str(folder / text)
    return main(["--model", str(folder / "model"), str(folder / audio), text, *options])


def test_words_lie_on_the_best_path_through_what_the_model_says(transcriber, folder):
    path, tokenizer = folder / "clip.wav", PROCESSOR.tokenizer
    found = align_text(transcriber, path, TEXT)
    (log_probs,) = transcriber.log_probs(path)
    expected = align(log_probs, spell(TEXT, tokenizer), tokenizer, 64 / 16_000)
    assert (found.text, found.words, found.characters) == (expected.text, expected.words, expected.characters)
    assert [word.text for word in found.words] == ["Bad", "cab, —", "a", "dad?", "7!"]


def test_a_recording_in_windows_has_the_same_times(transcriber, folder):
    windowed = Transcriber(transcriber.model, PROCESSOR, window_seconds=1.0)
    assert len(list(windowed.log_probs(folder / "clip.wav"))) > 2
    one, other = (align_text(each, folder / "clip.wav", TEXT).words for each in (transcriber, windowed))
    assert [(word.start_seconds, word.end_seconds) for word in one] == [
        (word.start_seconds, word.end_seconds) for word in other
    ]


def test_duration_is_the_recordings_own(transcriber, folder):
    assert align_text(transcriber, folder / "clip.wav", TEXT).duration_seconds == 2.5
    with open(folder / "clip.wav", "rb") as file:  # whose header is not looked at: it lacks what is no whole frame
        assert align_text(transcriber, file, TEXT).duration_seconds == pytest.approx(2.5, abs=0.01)


def test_a_table_goes_to_stdout_and_what_to_look_at_to_stderr(folder, capsys):
    assert run(folder) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[-1] for line in out.splitlines()] == ["word", "Bad", "cab, —", "a", "dad?", "7!"]
    assert "5 words in 2.5 s, confidence 0." in err
    assert "1 cannot be spelled with the model's labels and lie where something is said: 7! (" in err


@pytest.mark.usefixtures("_loaded")
def test_words_that_are_hardly_heard_are_named_and_many_make_doubt_of_it_all(folder, monkeypatch, capsys):
    words = (Span("good", 0, 1, 0.9), Span("bad", 1, 2, 0.001), Span("worse", 2, 3, 0.001))
    monkeypatch.setattr(command, "align_text", lambda *_, **__: Transcript("good bad worse", 3.0, words, (), 0.1))
    assert run(folder) == 0
    err = capsys.readouterr().err
    assert "2 are hardly heard (confidence below 0.01): bad (1.0 s), worse (2.0 s)\n" in err
    assert "Where more is said than the text has, write a # of its own into the text." in err
    assert "That is most of them: does this text belong to this recording, and to this model's language?" in err


@pytest.mark.usefixtures("_loaded")
def test_files_are_named_like_the_recording(folder, tmp_path, capsys):
    assert run(folder, "--out", str(tmp_path / "new"), "--format", "json,textgrid,ctm,srt") == 0
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["clip.TextGrid", "clip.ctm", "clip.json", "clip.srt"]
    assert json.loads((tmp_path / "new" / "clip.json").read_text("utf-8"))["duration_seconds"] == 2.5
    assert (tmp_path / "new" / "clip.ctm").read_text("utf-8").startswith("clip 1 ")
    assert "Bad cab, —\n" not in (tmp_path / "new" / "clip.srt").read_text("utf-8")  # "cab," ends a line of the text
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("_loaded")
def test_the_text_may_come_from_stdin(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("cab"))
    assert run(folder, text="-") == 0
    assert capsys.readouterr().out.endswith("\tcab\n")


@pytest.mark.usefixtures("_loaded")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "There is no word in the text ''"),
        (b"\xff\xfeA", r"bad.txt is no text in UTF-8 \(.*\). Save it as UTF-8"),
        (b"a" * 1000, "1000 labels need at least 1999 frames; the recording has 625"),
        (None, "No such file or directory: .*bad.txt"),
    ],
)
def test_a_text_that_cannot_be_aligned_is_one_clear_error(folder, text, message, capsys):
    (folder / "bad.txt").unlink(missing_ok=True)
    if text is not None:
        (folder / "bad.txt").write_bytes(text)
    assert run(folder, text="bad.txt") == 1
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = [line for line in err.splitlines() if line.startswith("align: ")]
    with pytest.raises(ValueError, match=message):
        raise ValueError(line)


@pytest.mark.usefixtures("_loaded")
def test_a_recording_that_is_not_there_is_one_clear_error(folder, capsys):
    assert run(folder, audio="absent.wav") == 1
    assert "align: " in capsys.readouterr().err


def test_several_formats_need_a_folder(folder, capsys):
    assert run(folder, "--format", "srt,vtt") == 1
    assert "align: Only one format fits on stdout. Say where files go: --out FOLDER." in capsys.readouterr().err
