"""Where fine-tuning may start: folders, the hub, gs://; checkpoints with a head, and only pretrained ones."""

import json

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from tests.gcs_server import GcsServer
from tests.tones import make_shards
from train import evaluate
from train.flags import parse
from train.loop import train
from train.setup import DataError, build_model, load_processor
from wav2vec2_tf import Wav2Vec2ForCTC


def quiet(line):
    pass


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def tuned(config, tmp_path):
    """The folder of a model with a head."""
    processor = load_processor(config)
    build_model(config, processor.tokenizer).save_pretrained(tmp_path / "tuned")
    processor.save_pretrained(tmp_path / "tuned")
    return tmp_path / "tuned"


@pytest.fixture
def pretrained(tuned):
    """The same as pretraining leaves it: no head, another architecture in config.json, audio not normalised."""
    tensors = load_file(tuned / "model.safetensors")
    body = {name: value for name, value in tensors.items() if not name.startswith("lm_head.")}
    save_file(body, tuned / "model.safetensors", metadata={"format": "pt"})
    for name, key, value in (
        ("config.json", "architectures", ["Wav2Vec2ForPreTraining"]),
        ("preprocessor_config.json", "do_normalize", False),
    ):
        values = json.loads((tuned / name).read_text())
        (tuned / name).write_text(json.dumps(values | {key: value}))
    return tuned


@pytest.fixture
def other_shards(tmp_path):
    return make_shards(tmp_path / "other", {"train": 4, "dev": 2}, words=("EA", "E"))


def test_fine_tuning_starts_from_a_model_of_the_hub(hub, tuned, changed):
    hub.add("org/tuned", contents(tuned), branch="v1")
    run = changed(init_from="org/tuned@v1", steps=1, model__hidden_dropout=0.1)
    train(run, report=quiet)
    assert Wav2Vec2ForCTC.from_pretrained(run.out / "best").config.hidden_dropout == 0.1
    assert yaml.safe_load((run.out / "config.yaml").read_text())["init_from"] == "org/tuned@v1"
    assert not parse(["--config", str(run.out / "config.yaml")]).resume


def test_fine_tuning_starts_from_a_gs_folder(tuned, changed, monkeypatch):
    pytest.importorskip("gcsfs")
    with GcsServer({"bucket": {f"tuned/{name}": content for name, content in contents(tuned).items()}}) as storage:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        run = changed(init_from="gs://bucket/tuned")
        model = build_model(run, load_processor(run).tokenizer)
    np.testing.assert_array_equal(model.lm_head.kernel, Wav2Vec2ForCTC.from_pretrained(tuned).lm_head.kernel)


def test_a_pretrained_body_gets_a_head_for_the_vocabulary_of_the_shards(pretrained, changed, other_shards):
    run = changed(init_from=str(pretrained), data=other_shards, steps=1, model__hidden_dropout=0.1)
    processor = load_processor(run)
    assert not processor.feature.do_normalize
    with pytest.warns(UserWarning, match="lm_head starts at random"):
        model = build_model(run, processor.tokenizer)
    assert processor.tokenizer.vocab == json.loads((other_shards / "vocab.json").read_text())
    assert model.config.vocab_size == len(processor.tokenizer)
    assert sum(weight.path.startswith("lm_head/") for weight in model.trainable_variables) == 2
    assert model.config.hidden_dropout == 0.1
    body = load_file(pretrained / "model.safetensors")
    name = "wav2vec2.encoder.layers.0.attention.q_proj.bias"
    saved = run.out / "saved"
    model.save_pretrained(saved)
    np.testing.assert_array_equal(load_file(saved / "model.safetensors")[name], body[name])


@pytest.mark.filterwarnings("ignore:.*lm_head starts at random")
def test_a_pretrained_body_is_trained_and_the_run_goes_on(pretrained, changed, other_shards):
    for file in ("vocab.json", "preprocessor_config.json", "tokenizer_config.json"):
        (pretrained / file).unlink()
    run = changed(init_from=str(pretrained), data=other_shards, steps=1)
    assert load_processor(run).feature.do_normalize
    assert train(run, report=quiet).steps == 1
    longer = changed(init_from=str(pretrained), data=other_shards, steps=2)
    assert train(longer, resume=True, report=quiet).steps == 2


@pytest.mark.filterwarnings("ignore:.*lm_head starts at random")
def test_a_new_head_is_drawn_from_the_seed(pretrained, changed):
    heads = []
    for seed in (1, 1, 2):
        run = changed(init_from=str(pretrained), seed=seed)
        heads.append(build_model(run, load_processor(run).tokenizer).lm_head.kernel.numpy())
    np.testing.assert_array_equal(heads[0], heads[1])
    assert np.abs(heads[0] - heads[2]).max() > 0


def test_a_model_with_a_head_keeps_its_vocabulary(hub, tuned, changed, other_shards):
    hub.add("org/tuned", contents(tuned))
    with pytest.raises(DataError, match=r"the vocabulary of org/tuned differ in . tokens .*without --init_from"):
        load_processor(changed(init_from="org/tuned", data=other_shards))


def test_a_start_that_is_not_there_is_one_line(hub, flags_of, capsys):
    from train.__main__ import main

    assert main([*flags_of, "--init_from", "runs/best"]) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: There is no folder or file runs/best here, and no model runs/best on the hub")
    assert "\n" not in error


@pytest.fixture
def flags_of(shards, tmp_path):
    return ["--data", str(shards), "--out", str(tmp_path / "run"), "--jit_compile=false"]


def test_a_model_of_the_hub_is_evaluated(hub, tuned, shards, tmp_path, capsys):
    hub.add("org/tuned", contents(tuned))
    arguments = ["--model", "org/tuned", "--data", str(shards), "--split", "dev", "--jit_compile=false"]
    assert evaluate.main(arguments) == 1
    assert "--model org/tuned is no folder here. Say with --out" in capsys.readouterr().err
    assert evaluate.main([*arguments, "--out", str(tmp_path / "results")]) == 0
    assert (tmp_path / "results" / "eval-dev.json").is_file()


@pytest.mark.filterwarnings("ignore:.*lm_head starts at random")
def test_adapters_and_a_new_head_learn_another_language_and_the_run_goes_on(changed, other_shards, tmp_path):
    adapted = dict(model__adapter_attn_dim=4, model__do_stable_layer_norm=True)
    source = changed(**adapted)
    processor = load_processor(source)
    build_model(source, processor.tokenizer).save_pretrained(tmp_path / "multilingual")
    processor.save_pretrained(tmp_path / "multilingual")
    settings = dict(init_from=str(tmp_path / "multilingual"), data=other_shards, trainable="adapters", new_head=True)
    train(changed(**adapted, **settings, steps=1), report=quiet)
    assert train(changed(**adapted, **settings, steps=2), resume=True, report=quiet).steps == 2
    before, after = map(Wav2Vec2ForCTC.from_pretrained, (tmp_path / "multilingual", changed().out / "best"))
    for old, new in zip(before.wav2vec2.weights, after.wav2vec2.weights, strict=True):
        assert np.array_equal(old, new) != ("adapter_layer" in old.path)
    assert after.lm_head.kernel.shape[1] < before.lm_head.kernel.shape[1]
