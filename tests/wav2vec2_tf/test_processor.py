"""The processor: transformers' normalisation (golden/recreate_tokenizer.py), its files, the port's two modes."""

import json
from pathlib import Path

import numpy as np
import pytest

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.features import FeatureSettings
from wav2vec2_tf.processor import Wav2Vec2Processor
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

GOLDENS = Path(__file__).parents[1] / "golden"
GOLDEN = json.loads((GOLDENS / "tokenizer.json").read_text(encoding="utf-8"))["features"]
SPEECH = [np.array(row, np.float32) for row in GOLDEN["speech"]]


@pytest.fixture
def processor():
    return Wav2Vec2Processor()


@pytest.mark.parametrize("row", [0, 1])
def test_normalisation_equals_transformers(processor, row):
    values = processor(SPEECH[row], sampling_rate=16_000)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, GOLDEN["single"][row], atol=1e-6)


def test_a_padded_batch_equals_transformers(processor):
    batch = processor.pad(SPEECH)
    np.testing.assert_allclose(batch.input_values, GOLDEN["padded"], atol=1e-6)
    np.testing.assert_array_equal(batch.attention_mask, GOLDEN["attention_mask"])
    assert batch.num_samples.tolist() == [30, 47]


def test_padding_leaves_real_samples_unchanged(processor):
    np.testing.assert_array_equal(processor.pad(SPEECH).input_values[0, :30], processor(SPEECH[0]))


def test_rows_of_a_batch_are_normalised_each_on_its_own(processor):
    rows = np.stack([SPEECH[0], SPEECH[0] * 3 + 1])
    np.testing.assert_allclose(processor(rows)[1], processor(rows)[0], atol=1e-3)


def test_samples_stay_as_they_are_where_the_checkpoint_says_so():
    processor = Wav2Vec2Processor(feature=FeatureSettings(do_normalize=False, padding_value=0.5))
    np.testing.assert_array_equal(processor(SPEECH[0]), SPEECH[0])
    assert processor.pad(SPEECH).input_values[0, 30:].tolist() == [0.5] * 17


def test_int16_samples_equal_their_floats(processor):
    samples = np.array([100, -200, 300, 32_767], np.int16)
    np.testing.assert_array_equal(processor(samples), processor(samples / 32768))


def test_digital_silence_stays_silent(processor):
    np.testing.assert_array_equal(processor(np.zeros(5)), np.zeros(5, np.float32))


@pytest.mark.parametrize("call", ["__call__", "pad"])
def test_another_sampling_rate_is_refused(processor, call):
    with pytest.raises(ValueError, match=r"at 16000 Hz, this is at 8000 Hz\. Resample"):
        getattr(processor, call)([SPEECH[0]], sampling_rate=8_000)


@pytest.mark.parametrize(
    ("speech", "message"),
    [
        ([0.0, np.nan, 1.0], "speech: sample 1 is nan"),
        ([[0.0, 1.0], [np.inf, 0.0]], "speech: sample 2 is inf"),
        ([], r"needs samples .*got \(0,\)"),
        (np.zeros((2, 3, 4)), r"axes \[S\] or \[B, S\]; got \(2, 3, 4\)"),
        (np.zeros((100, 2)), r"shape \(100, 2\) looks like \[S, channels\]"),
        ([1, 2, 3], "not int64"),
        (SPEECH, r"several lengths use pad\(\)"),
    ],
)
def test_what_is_no_speech_is_refused(processor, speech, message):
    with pytest.raises(ValueError, match=message):
        processor(speech)


def test_pad_says_which_utterance_is_bad(processor):
    with pytest.raises(ValueError, match="utterance 1: sample 0 is nan"):
        processor.pad([[0.0, 1.0], [np.nan]])


def test_pad_takes_one_axis_per_utterance(processor):
    with pytest.raises(ValueError, match=r"utterance 0: needs samples with the axes \[S\]; got \(1, 30\)"):
        processor.pad([SPEECH[0][None]])


def test_an_empty_batch_is_refused(processor):
    with pytest.raises(ValueError, match="at least one utterance"):
        processor.pad([])


def test_logits_become_one_text_per_row(processor):
    ids = np.array([[11, 11, 0, 10], [7, 0, 7, 5]])
    assert processor.batch_decode(np.eye(32)[ids], num_frames=[4, 3]) == ["HI", "AA"]
    assert processor.batch_decode(np.array([[15, 15, 0, 0]]), group_tokens=False) == ["LL"]


def test_decode_of_a_batch_is_refused(processor):
    with pytest.raises(ValueError, match=r"one utterance; got shape \(2, 3\). Use batch_decode"):
        processor.decode(np.zeros((2, 3), int))


def test_a_saved_processor_comes_back_equal(tmp_path):
    feature = FeatureSettings(
        do_normalize=False, return_attention_mask=True, extra={"processor_class": "Wav2Vec2Processor"}
    )
    tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "ä": 1}, do_lower_case=True)
    Wav2Vec2Processor(tokenizer=tokenizer, feature=feature).save_pretrained(tmp_path)
    again = Wav2Vec2Processor.from_pretrained(tmp_path)
    assert again.tokenizer.vocab == tokenizer.vocab
    assert again.tokenizer.do_lower_case
    assert again.feature.to_dict() == feature.to_dict()


def test_the_newer_processor_config_is_read(tmp_path):
    Wav2Vec2CTCTokenizer.standard().save_pretrained(tmp_path)
    settings = {
        "feature_extractor": {"sampling_rate": 8_000, "do_normalize": False},
        "processor_class": "Wav2Vec2Processor",
    }
    (tmp_path / "processor_config.json").write_text(json.dumps(settings))
    assert Wav2Vec2Processor.from_pretrained(tmp_path).feature == FeatureSettings(
        sampling_rate=8_000, do_normalize=False
    )


def test_a_folder_without_audio_settings_is_refused(tmp_path):
    Wav2Vec2CTCTokenizer.standard().save_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="how to normalise audio is unknown"):
        Wav2Vec2Processor.from_pretrained(tmp_path)


def test_an_absent_folder_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere"):
        Wav2Vec2Processor.from_pretrained(tmp_path / "nowhere")


# ---- the hub ----


@pytest.fixture
def folder(tmp_path):
    vocab = {"eng": {"<pad>": 0, "a": 1}, "swe": {"<pad>": 0, "å": 1}}
    tokenizer = Wav2Vec2CTCTokenizer(vocab, target_lang="eng")
    Wav2Vec2Processor(tokenizer=tokenizer, feature=FeatureSettings(do_normalize=False)).save_pretrained(tmp_path / "p")
    return tmp_path / "p"


def test_a_processor_of_the_hub_is_read_without_the_weights(hub, folder):
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.add("org/mms", files | {"model.safetensors": b"x" * 5000}, branch="v1")
    hub.models["org/mms"].branches["main"] = hub.models["org/mms"].branches["v1"]
    processor = Wav2Vec2Processor.from_pretrained("org/mms@v1", target_lang="swe")
    assert processor.tokenizer.encode("å") == [1]
    assert not processor.feature.do_normalize
    assert not [line for line in hub.requests if "safetensors" in line]
    again = Wav2Vec2Processor.from_pretrained("org/mms", revision="v1", local_files_only=True)
    assert again.tokenizer.target_lang == "eng"


def test_a_processor_goes_to_the_hub_and_comes_back(hub, processor):
    from tests.hub_server import TOKEN

    assert processor.push_to_hub("org/mine", token=TOKEN) == f"{hub.url}/org/mine"
    assert Wav2Vec2Processor.from_pretrained("org/mine").feature.to_dict() == processor.feature.to_dict()
    assert Wav2Vec2CTCTokenizer.from_pretrained("org/mine").vocab == processor.tokenizer.vocab


@pytest.mark.parametrize("missing", ["vocab.json", "preprocessor_config.json"])
def test_a_model_of_the_hub_without_processor_files_is_told(hub, folder, missing):
    hub.add("org/body", {path.name: path.read_bytes() for path in folder.iterdir() if path.name != missing})
    with pytest.raises(FileNotFoundError, match=f"org/body.*{missing}|{missing} in .*"):
        Wav2Vec2Processor.from_pretrained("org/body")


def test_an_interrupted_download_leaves_no_processor(hub, folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    hub.add("org/mms", {path.name: path.read_bytes() for path in folder.iterdir()})
    hub.fault = "cut"
    with pytest.raises(ConnectionError, match="could not be fetched"):
        Wav2Vec2Processor.from_pretrained("org/mms")
    with pytest.raises(FileNotFoundError, match="no such model in the cache"):
        Wav2Vec2Processor.from_pretrained("org/mms", local_files_only=True)


# ---- fairseq ----


@pytest.mark.parametrize(("name", "do_normalize"), [("ctc_base", False), ("ctc_large", True)])
def test_a_fine_tuned_fairseq_checkpoint_brings_its_own_processor(name, do_normalize):
    processor = Wav2Vec2Processor.from_pretrained(GOLDENS / "fairseq" / f"{name}.pt")
    assert processor.feature.do_normalize == do_normalize
    assert processor.tokenizer.pad_token_id == 0  # fairseq's blank, <s> there
    assert processor.decode([7, 7, 0, 6, 4, 10]) == "AT '"


def test_a_fairseq_checkpoint_of_the_hub_comes_with_its_dictionary(hub):
    files = {name: (GOLDENS / "fairseq" / name).read_bytes() for name in ("ctc_large.pt", "dict.ltr.txt")}
    hub.add("org/fairseq", files)
    processor = Wav2Vec2Processor.from_pretrained("org/fairseq")
    assert processor.tokenizer.vocab["N"] == 9
    settings = {"preprocessor_config.json": b'{"sampling_rate": 8000}', "vocab.json": b'{"<pad>": 0, "N": 1}'}
    hub.add("org/fairseq", settings)
    assert Wav2Vec2Processor.from_pretrained("org/fairseq").tokenizer.vocab["N"] == 1


def test_files_beside_a_fairseq_checkpoint_win(tmp_path, processor):
    (tmp_path / "model.pt").write_bytes((GOLDENS / "fairseq" / "ctc_base.pt").read_bytes())
    processor.save_pretrained(tmp_path)
    assert len(Wav2Vec2Processor.from_pretrained(tmp_path / "model.pt").tokenizer) == 32


def test_a_pretrained_fairseq_checkpoint_has_no_processor():
    with pytest.raises(FileNotFoundError, match=r"pretrained_base.pt holds no vocabulary.*save_pretrained\(folder\)"):
        Wav2Vec2Processor.from_pretrained(GOLDENS / "fairseq" / "pretrained_base.pt")


# ---- processor and model ----


def test_a_model_with_another_blank_is_refused():
    processor = Wav2Vec2Processor(tokenizer=Wav2Vec2CTCTokenizer({"a": 0, "<pad>": 1}))
    with pytest.raises(ValueError, match=r"blank is 0 .*the tokenizer's is 1 \('<pad>' in vocab.json\)"):
        processor.check_model(Wav2Vec2Config(vocab_size=6))


@pytest.mark.parametrize("vocab_size", [31, 33])
def test_a_vocabulary_of_another_size_than_the_head_is_refused(processor, vocab_size):
    processor.check_model(Wav2Vec2Config())
    with pytest.raises(ValueError, match=rf"scores {vocab_size} labels .*vocab_size.*has 32 tokens. Take both"):
        processor.check_model(Wav2Vec2Config(vocab_size=vocab_size))


def test_the_head_of_another_language_says_what_to_load(folder):
    processor = Wav2Vec2Processor.from_pretrained(folder, target_lang="swe")
    with pytest.raises(ValueError, match=r"model.load_adapter\('swe'\)"):
        processor.check_model(Wav2Vec2Config(vocab_size=9))


@pytest.mark.parametrize("values", [{"feature_extractor_type": "WhisperFeatureExtractor"}, {"feature_size": 80}])
def test_other_features_are_refused(values):
    with pytest.raises(ValueError, match="this package reads the raw waveform"):
        FeatureSettings.from_dict(values)


# ---- the earlier port ----


def test_port_speech_mode_normalises_like_the_processor(processor):
    np.testing.assert_array_equal(Wav2Vec2Processor(is_tokenizer=False)(SPEECH[0]), processor(SPEECH[0]))
    np.testing.assert_array_equal(Wav2Vec2Processor(is_tokenizer=False, do_normalize=False)(SPEECH[0]), SPEECH[0])


def test_port_text_mode_encodes_and_decodes():
    tokenizer = Wav2Vec2Processor(is_tokenizer=True)
    ids = tokenizer("it's awe-some.. 100%")
    assert tokenizer.decode(ids, group_tokens=False) == "IT'S AWE SOME"
    assert tokenizer.decode([15, 15, 0, 15, 0], skip_special_tokens=True, group_tokens=True) == "LL"
    assert tokenizer.decode(np.array([[11, 10, 0]])) == "HI"


def test_port_vocabulary_file_is_read(tmp_path):
    path = tmp_path / "vocab.json"
    path.write_text('{"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "B": 5}')
    assert Wav2Vec2Processor(is_tokenizer=True, vocab_path=path)("bb") == [5, 5]


def test_port_modes_refuse_each_others_input():
    with pytest.raises(TypeError, match=r"takes audio samples, not str.*is_tokenizer=True\)"):
        Wav2Vec2Processor(is_tokenizer=False)("text")
    with pytest.raises(TypeError, match=r"takes text, not ndarray.*is_tokenizer=False\)"):
        Wav2Vec2Processor(is_tokenizer=True)(SPEECH[0])


def test_eager_tensors_are_accepted_and_graph_tensors_refused():
    tf = pytest.importorskip("tensorflow")
    processor = Wav2Vec2Processor(is_tokenizer=False)
    np.testing.assert_array_equal(processor(tf.constant(SPEECH[0], tf.float64)), processor(SPEECH[0]))
    assert Wav2Vec2Processor(is_tokenizer=True).decode(tf.constant([[11, 10]])) == "HI"
    with pytest.raises(ValueError, match="waveform.normalize"):
        tf.function(lambda speech: processor(speech), autograph=False)(tf.zeros(10))
