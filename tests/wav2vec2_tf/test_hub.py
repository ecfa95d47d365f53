"""Claims about `from_pretrained` and `save_pretrained`: whole or absent, the same when read, and the fault named."""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.hub_server import TOKEN
from tests.tiny import ARCHITECTURES, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2ForCTC

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "golden"
GOLDEN = GOLDENS / "lv60_like"
FILES = ("config.json", "model.safetensors")


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def golden_weights():
    return load_file(GOLDEN / "model.safetensors")


def logits_of(model):
    return model(dict(np.load(GOLDEN / "outputs.npz"))["audio"]).numpy()


@pytest.fixture
def folder(tmp_path):
    perturb(Wav2Vec2ForCTC(tiny())).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def write(tmp_path):
    """Gives a function that writes a folder of any weights, with the golden's config changed as told."""

    def make(arrays, **config):
        (tmp_path / "made").mkdir()
        save_file(arrays, tmp_path / "made" / "model.safetensors", {"format": "pt"})
        values = json.loads((GOLDEN / "config.json").read_text("utf-8")) | config
        (tmp_path / "made" / "config.json").write_text(json.dumps(values), "utf-8")
        return tmp_path / "made"

    return make


# ---- read and write ----


@pytest.mark.parametrize("changes", [{}, {"adapter_attn_dim": 3}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_read_is_the_model_written(tmp_path, architecture, changes):
    model = perturb(Wav2Vec2ForCTC(tiny(architecture, **changes)))
    model.save_pretrained(tmp_path / "deep" / "one")
    again = Wav2Vec2ForCTC.from_pretrained(str(tmp_path / "deep" / "one"))
    np.testing.assert_array_equal(again(noise(2, 640)), model(noise(2, 640)))
    again.save_pretrained(tmp_path / "two")
    assert contents(tmp_path / "deep" / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "two")) == set(FILES)


WHOLE = {path.parent.name for path in GOLDENS.glob("*/model.safetensors")} - {"hubert_batch_norm"}  # has a counter


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_folder_of_transformers_is_written_back_as_it_was(name, tmp_path):
    golden = GOLDENS / name
    Wav2Vec2ForCTC.from_pretrained(golden).save_pretrained(tmp_path)
    for file in FILES:
        assert contents(tmp_path)[file] == (golden / file).read_bytes()


def test_saving_twice_replaces(folder):
    other = perturb(Wav2Vec2ForCTC(tiny()), seed=1)
    other.save_pretrained(folder)
    np.testing.assert_array_equal(Wav2Vec2ForCTC.from_pretrained(folder)(noise(1, 640)), other(noise(1, 640)))


def test_fields_of_the_config_can_be_changed_while_loading():
    model = Wav2Vec2ForCTC.from_pretrained(GOLDEN, layerdrop=0.0, mask_time_prob=0.3)
    assert (model.config.layerdrop, model.config.mask_time_prob) == (0.0, 0.3)


def test_a_setting_that_is_none_is_told():
    with pytest.raises(TypeError, match=r"from_pretrained\(\) has no setting layer_drop"):
        Wav2Vec2ForCTC.from_pretrained(GOLDEN, layer_drop=0.0)


def test_half_precision_is_loaded_and_saved_as_float32_and_the_config_says_so(write, tmp_path):
    folder = write({name: array.astype("f2") for name, array in golden_weights().items()}, dtype="float16")
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    np.testing.assert_allclose(logits_of(model), logits_of(Wav2Vec2ForCTC.from_pretrained(GOLDEN)), atol=0.1)
    model.save_pretrained(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text("utf-8"))["dtype"] == "float32"


# ---- heads ----


def pretrained():
    body = {name: array for name, array in golden_weights().items() if not name.startswith("lm_head")}
    return body | {"quantizer.codevectors": np.zeros((1, 4, 2), "f4"), "project_hid.bias": np.zeros(2, "f4")}


@pytest.mark.parametrize("prefix", ["wav2vec2.", ""])
def test_a_pretraining_checkpoint_gives_its_body_under_a_new_head_and_says_so(write, prefix, tmp_path):
    arrays = {name.replace("wav2vec2.", prefix): array for name, array in pretrained().items()}
    folder = write(arrays, architectures=["Wav2Vec2ForPreTraining"])
    with pytest.warns(UserWarning, match=r"has no head for 40 labels: its body is loaded, lm_head starts at random"):
        model = Wav2Vec2ForCTC.from_pretrained(folder, vocab_size=40, pad_token_id=39)
    assert model.lm_head.kernel.shape == (12, 40)
    assert 0.01 < np.std(model.lm_head.kernel.numpy()) < 0.04
    np.testing.assert_array_equal(
        model.wav2vec2.encoder.layer_norm.beta.numpy(), golden_weights()["wav2vec2.encoder.layer_norm.bias"]
    )
    model.save_pretrained(tmp_path / "tuned")
    assert json.loads((tmp_path / "tuned" / "config.json").read_text("utf-8"))["architectures"] == ["Wav2Vec2ForCTC"]
    with warnings.catch_warnings(action="error"):
        again = Wav2Vec2ForCTC.from_pretrained(tmp_path / "tuned")
    np.testing.assert_array_equal(logits_of(again), logits_of(model))


def test_a_head_of_another_size_is_told_with_the_ways_out():
    with pytest.raises(ValueError, match=r"(?s)vocab_size is 40, the tensors are those of 11.*ignore_mismatched_sizes"):
        Wav2Vec2ForCTC.from_pretrained(GOLDEN, vocab_size=40)


def test_a_head_of_another_size_is_replaced_if_asked():
    with pytest.warns(UserWarning, match="lm_head starts at random"):
        model = Wav2Vec2ForCTC.from_pretrained(GOLDEN, vocab_size=40, ignore_mismatched_sizes=True)
    assert logits_of(model).shape[-1] == 40


# ---- sources ----


@pytest.fixture
def files():
    return {name: (GOLDEN / name).read_bytes() for name in FILES}


def test_a_model_of_the_hub_is_the_model_in_its_folder(hub, files):
    hub.add("org/name", files | {"README.md": b"a model", "pytorch_model.bin": b"older"})
    model = Wav2Vec2ForCTC.from_pretrained("org/name")
    np.testing.assert_array_equal(logits_of(model), logits_of(Wav2Vec2ForCTC.from_pretrained(GOLDEN)))
    assert not any("pytorch_model.bin" in request for request in hub.requests)


def test_revision_token_and_cache_reach_the_hub(hub, files, tmp_path):
    hub.add("org/name", {"README.md": b""}, private=True)
    commit = hub.add("org/name", files, branch="tuned")
    where = dict(token=TOKEN, cache_dir=tmp_path / "cache")
    Wav2Vec2ForCTC.from_pretrained("org/name@tuned", **where)
    Wav2Vec2ForCTC.from_pretrained("org/name", revision=commit, local_files_only=True, **where)
    assert (tmp_path / "cache").is_dir()


def test_a_pushed_model_is_the_model(hub, files, tmp_path):
    model = Wav2Vec2ForCTC.from_pretrained(GOLDEN)
    url = model.push_to_hub("org/mine", token=TOKEN, private=True)
    assert url.endswith("org/mine")
    arrived = hub.files("org/mine")
    assert {name: arrived[name] for name in FILES} == files


def test_an_interrupted_download_leaves_nothing_that_loads(hub, files):
    hub.add("org/name", files)
    hub.fault = "cut"
    with pytest.raises(ConnectionError, match="org/name"):
        Wav2Vec2ForCTC.from_pretrained("org/name")
    with pytest.raises((ConnectionError, FileNotFoundError), match="org/name"):
        Wav2Vec2ForCTC.from_pretrained("org/name", local_files_only=True)
    hub.fault = None
    Wav2Vec2ForCTC.from_pretrained("org/name")


# ---- devices ----

TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu, one = tf.config.list_physical_devices("CPU")[0], tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [one, one])
from wav2vec2_tf import Wav2Vec2ForCTC
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = Wav2Vec2ForCTC.from_pretrained(sys.argv[1])
for weight, truth in zip(model.weights, Wav2Vec2ForCTC.from_pretrained(sys.argv[1]).weights, strict=True):
    first, second = strategy.experimental_local_results(weight.value)
    np.testing.assert_array_equal(first, truth)
    first.assign_add(tf.ones_like(first))  # each replica has memory of its own
    np.testing.assert_array_equal(second, truth)
"""


def test_every_replica_of_a_strategy_gets_the_weights(folder):
    command, environment = [sys.executable, "-c", TWO_DEVICES, str(folder)], os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_kind_of_model_is_told_before_it_is_downloaded(hub):
    hub.add("org/whisper", {"config.json": b'{"model_type": "whisper"}', "model.safetensors": bytes(5000)})
    with pytest.raises(ValueError, match="org/whisper: model_type 'whisper' is not supported; this package reads wav2"):
        Wav2Vec2ForCTC.from_pretrained("org/whisper")
    assert not any("resolve" in request for request in hub.requests)


def test_an_empty_source_is_told():
    with pytest.raises(FileNotFoundError, match="The source is empty"):
        Wav2Vec2ForCTC.from_pretrained("")


# ---- bad input ----


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named_with_the_way_out(folder, file):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"is not a model folder: it has no {file}"):
        Wav2Vec2ForCTC.from_pretrained(folder)


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no folder or file .*nowhere"):
        Wav2Vec2ForCTC.from_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_truncated_weights_are_named(folder, share):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"model.safetensors .*[Ff]etch"):
        Wav2Vec2ForCTC.from_pretrained(folder)


def test_the_known_wrong_config_of_large_960h_is_told_with_the_values_to_give(write):
    group = load_file(GOLDENS / "base_like" / "model.safetensors")
    folder = write(group)  # the golden's config is that of lv60
    with pytest.raises(ValueError, match="does not fit its config.json") as caught:
        Wav2Vec2ForCTC.from_pretrained(folder)
    assert "config: feat_extract_norm is 'layer', the tensors are those of 'group'" in str(caught.value)
    assert "missing: wav2vec2.feature_extractor.conv_layers.6.layer_norm.weight" in str(caught.value)
    changes = dict(feat_extract_norm="group", conv_bias=False, do_stable_layer_norm=False)
    assert ", ".join(f"{name}={value!r}" for name, value in changes.items()) in str(caught.value)
    audio = dict(np.load(GOLDENS / "base_like" / "outputs.npz"))
    np.testing.assert_allclose(
        Wav2Vec2ForCTC.from_pretrained(folder, **changes)(audio["audio"]), audio["logits"], atol=2e-5
    )


def test_numbers_that_are_not_finite_are_told(write):
    arrays = golden_weights()
    arrays["lm_head.bias"][0] = np.nan
    with pytest.raises(ValueError, match="not finite: lm_head.bias holds 1"):
        Wav2Vec2ForCTC.from_pretrained(write(arrays))


@pytest.mark.parametrize(
    ("names", "config", "told"),
    [
        (["model.safetensors"], {"model_type": "bert"}, "model_type 'bert' is not supported.*wav2vec2, hubert"),
        (["flax_model.msgpack"], {"model_type": "whisper"}, "model_type 'whisper' is not supported"),
        (["flax_model.msgpack"], {"model_type": "wav2vec2"}, "It holds config.json, flax_model.msgpack. Supported are"),
        (["wav2vec2.ckpt", "hyperparams.yaml"], None, "It holds hyperparams.yaml, wav2vec2.ckpt. Supported are"),
        ([], None, "It holds no file"),
    ],
)
def test_what_is_no_wav2vec_2_model_is_called_by_its_name(tmp_path, names, config, told):
    for name in names:
        (tmp_path / name).write_bytes((GOLDEN / "model.safetensors").read_bytes())
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        Wav2Vec2ForCTC.from_pretrained(tmp_path)


def test_a_full_disk_leaves_the_old_model_whole(folder, files_end_at):
    before, model = contents(folder), perturb(Wav2Vec2ForCTC(tiny()), seed=1)
    with files_end_at(4000), pytest.raises(OSError, match="model.safetensors"):
        model.save_pretrained(folder)
    assert contents(folder) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.tiny import tiny
from wav2vec2_tf import Wav2Vec2ForCTC
model, moves, replace = Wav2Vec2ForCTC(tiny()), [], Path.replace
def dies(self, target):
    moves.append(target)
    if len(moves) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = dies
model.save_pretrained(sys.argv[1])
"""


@pytest.mark.parametrize("move", [1, 2])
def test_a_save_that_is_killed_leaves_nothing_that_loads(folder, move):
    command = [sys.executable, "-c", KILLED, str(folder), str(move)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(FileNotFoundError, match="it has no config.json"):
        Wav2Vec2ForCTC.from_pretrained(folder)


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "model").write_text("")
    with pytest.raises(OSError, match="model"):
        Wav2Vec2ForCTC(tiny()).save_pretrained(tmp_path / "model")
