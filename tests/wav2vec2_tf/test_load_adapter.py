"""Claims about MMS's adapters: another language is other adapters, another head and another vocabulary, and no more."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wav2vec2_tf import Transcriber, Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC, Wav2Vec2Processor

GOLDEN = Path(__file__).parents[1] / "golden" / "mms_adapter"
AUDIO = dict(np.load(GOLDEN / "outputs.npz"))["audio"]


def adapter(labels, seed):
    rng = np.random.default_rng(seed)
    held = load_file(GOLDEN / "model.safetensors")
    names = [name for name in held if ".adapter_layer." in name]
    drawn = {name: rng.standard_normal(held[name].shape).astype("f4") for name in names}
    width = held["lm_head.weight"].shape[1]
    head = {"lm_head.weight": rng.standard_normal((labels, width)), "lm_head.bias": rng.standard_normal(labels)}
    return drawn | {name: array.astype("f4") for name, array in head.items()}


SWEDISH, CROATIAN = adapter(17, 1), adapter(11, 2)


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(GOLDEN, tmp_path / "mms")
    save_file(SWEDISH, tmp_path / "mms" / "adapter.swe.safetensors")
    save_file(CROATIAN, tmp_path / "mms" / "adapter.hrv.safetensors")
    return tmp_path / "mms"


def whole(folder, language):
    """The truth: the adapter's tensors written into the checkpoint itself."""
    held = load_file(folder / "model.safetensors") | language
    shutil.copytree(folder, folder.with_name("truth"), dirs_exist_ok=True)
    save_file(held, folder.with_name("truth") / "model.safetensors", {"format": "pt"})
    return Wav2Vec2ForCTC.from_pretrained(folder.with_name("truth"), vocab_size=len(language["lm_head.bias"]))


@pytest.mark.parametrize(("language", "tensors"), [("swe", SWEDISH), ("hrv", CROATIAN)])
def test_a_language_is_its_adapters_and_its_head(folder, language, tensors):
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    model.load_adapter(language)
    assert model.config.vocab_size == len(tensors["lm_head.bias"])
    np.testing.assert_array_equal(model(AUDIO), whole(folder, tensors)(AUDIO))


def test_languages_can_be_switched_to_and_fro(folder):
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    model.load_adapter("hrv")
    first = model(AUDIO).numpy()
    model.load_adapter("swe")
    model.load_adapter("hrv")
    np.testing.assert_array_equal(model(AUDIO), first)


def test_a_model_with_its_language_is_saved_whole(folder, tmp_path):
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    model.load_adapter("swe")
    model.save_pretrained(tmp_path / "swedish")
    np.testing.assert_array_equal(Wav2Vec2ForCTC.from_pretrained(tmp_path / "swedish")(AUDIO), model(AUDIO))


def test_an_adapter_comes_from_the_hub_as_the_model_did(hub, folder):
    hub.add("org/mms", {path.name: path.read_bytes() for path in folder.iterdir()})
    model = Wav2Vec2ForCTC.from_pretrained("org/mms")
    assert not any("adapter" in request for request in hub.requests)
    model.load_adapter("swe")
    assert model.config.vocab_size == 17


def test_a_transcriber_of_a_language_has_its_vocabulary_and_its_model(folder):
    letters = {"swe": 17, "hrv": 11}
    specials = ["<pad>", "<s>", "</s>", "<unk>", "|"]
    vocab = {
        language: {token: i for i, token in enumerate(specials + [chr(ord("a") + k) for k in range(size - 5)])}
        for language, size in letters.items()
    }
    tokenizer = Wav2Vec2CTCTokenizer(vocab, target_lang="hrv")
    Wav2Vec2Processor(tokenizer=tokenizer).save_pretrained(folder)
    transcriber = Transcriber.from_pretrained(folder, target_lang="swe")
    assert len(transcriber.processor.tokenizer) == transcriber.model.config.vocab_size == 17


def test_an_adapter_lies_beside_the_file_that_was_loaded(folder):
    model = Wav2Vec2ForCTC.from_pretrained(folder / "model.safetensors")
    model.load_adapter("swe")
    assert model.config.vocab_size == 17


def test_a_language_that_is_not_there_is_told_with_those_there_are(folder):
    with pytest.raises(FileNotFoundError, match=r"has no adapter.fin.safetensors; it has adapters for hrv, swe"):
        Wav2Vec2ForCTC.from_pretrained(folder).load_adapter("fin")
    for path in folder.glob("adapter.*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="it has adapters for no language"):
        Wav2Vec2ForCTC.from_pretrained(folder).load_adapter("fin")


FOREIGN = {name: array for name, array in SWEDISH.items() if "linear_1" not in name} | {"odd": np.zeros(2, "f4")}
SICK = SWEDISH | {"lm_head.bias": np.full(17, np.inf, "f4")}


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (FOREIGN, r"(?s)missing: .*0.adapter_layer.linear_1.bias.*unknown: odd"),
        (SICK, "not finite: lm_head.bias holds 17"),
    ],
)
def test_an_adapter_that_does_not_fit_leaves_the_model_as_it_was(folder, broken, told):
    save_file(broken, folder / "adapter.swe.safetensors")
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    before = model(AUDIO).numpy()
    with pytest.raises(ValueError, match=told):
        model.load_adapter("swe")
    np.testing.assert_array_equal(model(AUDIO), before)


def test_a_model_without_adapters_is_told():
    with pytest.raises(ValueError, match="needs a model with adapters"):
        Wav2Vec2ForCTC.from_pretrained(GOLDEN.with_name("lv60_like")).load_adapter("swe")


def test_a_model_that_came_from_nowhere_is_told(folder):
    model = Wav2Vec2ForCTC(Wav2Vec2ForCTC.from_pretrained(folder).config)
    with pytest.raises(ValueError, match="load one with from_pretrained"):
        model.load_adapter("swe")
