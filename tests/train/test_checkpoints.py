import json
import shutil
from collections import namedtuple

import numpy as np
import pytest

from tests.tiny import tiny
from train.checkpoints import (
    CheckpointError,
    State,
    load_checkpoint,
    load_weights,
    recover,
    save_checkpoint,
    whole_checkpoints,
    write_folder,
)
from train.config import OptimizerConfig
from train.optimizer import build_optimizer
from wav2vec2_tf import Wav2Vec2ForCTC


def make(**changes):
    model = Wav2Vec2ForCTC(tiny(**changes))
    return model, build_optimizer(OptimizerConfig(ema_momentum=0.9), model.trainable_variables)


def scramble(variables, seed):
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(rng.integers(0, 100, variable.shape))


def values(model, optimizer):
    return [np.asarray(v) for v in [*model.weights, *optimizer.variables]]


@pytest.fixture(scope="module")
def pair():
    return make()


def test_a_checkpoint_brings_back_weights_optimizer_and_place(pair, tmp_path):
    scramble([*pair[0].weights, *pair[1].variables], seed=1)
    state = State(step=7, epoch=2, batch=3, order="abc", best_wer=0.25)
    before = values(*pair)
    folder = save_checkpoint(tmp_path, *pair, state, keep_last=2)
    scramble([*pair[0].weights, *pair[1].variables], seed=2)
    assert load_checkpoint(folder, *pair) == state
    for old, new in zip(before, values(*pair), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_checkpoint_is_a_loadable_model(pair, tmp_path):
    folder = save_checkpoint(tmp_path, *pair, State(step=1), keep_last=1)
    loaded = Wav2Vec2ForCTC.from_pretrained(folder)
    for old, new in zip(pair[0].weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_last_n_are_kept(pair, tmp_path):
    for step in (5, 20, 100):
        save_checkpoint(tmp_path, *pair, State(step=step), keep_last=2)
    assert [folder.name for folder in whole_checkpoints(tmp_path)] == ["step-00000020", "step-00000100"]


def test_a_checkpoint_of_the_same_step_is_replaced(pair, tmp_path):
    for epoch in (1, 2):
        folder = save_checkpoint(tmp_path, *pair, State(step=5, epoch=epoch), keep_last=2)
    assert json.loads((folder / "state.json").read_text())["epoch"] == 2
    assert [path.name for path in folder.parent.iterdir()] == ["step-00000005"]


def test_half_written_folders_are_never_taken_for_whole(pair, tmp_path):
    whole = save_checkpoint(tmp_path, *pair, State(step=5), keep_last=2)
    shutil.copytree(whole, whole.with_name("step-00000009.tmp"))
    stateless = shutil.copytree(whole, whole.with_name("step-00000010"))
    (stateless / "state.json").unlink()
    assert whole_checkpoints(tmp_path) == [whole]


def test_too_little_space_is_told_before_anything_is_written(pair, tmp_path, monkeypatch):
    whole = save_checkpoint(tmp_path, *pair, State(step=5), keep_last=2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1234))
    with pytest.raises(CheckpointError, match=r"too little space.*takes about [\d,]+ bytes, 1,234 are free"):
        save_checkpoint(tmp_path, *pair, State(step=6), keep_last=2)
    assert whole_checkpoints(tmp_path) == [whole]
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]


def test_a_disk_that_fills_up_leaves_earlier_checkpoints_intact(pair, tmp_path, files_end_at):
    whole = save_checkpoint(tmp_path, *pair, State(step=5), keep_last=1)
    told = "could not be written.*earlier checkpoints are intact"
    with files_end_at(20_000), pytest.raises(CheckpointError, match=told):
        save_checkpoint(tmp_path, *pair, State(step=6), keep_last=1)
    assert whole_checkpoints(tmp_path) == [whole]
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]
    load_checkpoint(whole, *pair)


def test_a_damaged_checkpoint_is_refused(pair, tmp_path):
    folder = save_checkpoint(tmp_path, *pair, State(step=5), keep_last=1)
    with (folder / "optimizer.safetensors").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(CheckpointError, match="cannot be read back.*Remove this folder"):
        load_checkpoint(folder, *pair)


def test_a_checkpoint_of_another_model_is_refused(pair, tmp_path):
    folder = save_checkpoint(tmp_path, *pair, State(step=5), keep_last=1)
    with pytest.raises(CheckpointError, match="another architecture"):
        load_checkpoint(folder, *make(num_hidden_layers=1))


def test_a_checkpoint_of_another_optimizer_is_refused(pair, tmp_path):
    folder = save_checkpoint(tmp_path, *pair, State(step=5), keep_last=1)
    plain = build_optimizer(OptimizerConfig(), pair[0].trainable_variables)
    with pytest.raises(CheckpointError, match="another model or optimizer.*--resume"):
        load_checkpoint(folder, pair[0], plain)


def test_weights_go_into_a_model_that_differs_in_dropout_only(pair, tmp_path):
    pair[0].save_pretrained(tmp_path)
    model, _ = make(hidden_dropout=0.5)
    load_weights(model, tmp_path)
    np.testing.assert_array_equal(model.weights[-1], pair[0].weights[-1])
    with pytest.raises(ValueError, match="another architecture.*--model flags"):
        load_weights(make(intermediate_size=8)[0], tmp_path)


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    for name in ("old.txt", "new.txt"):
        write_folder(tmp_path / "best", lambda folder, name=name: (folder / name).write_text("x"), num_bytes=1)
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_an_interruption_between_the_renames_is_mended(tmp_path):
    (tmp_path / "best.old").mkdir()
    (tmp_path / "best.old" / "model").write_text("x")
    recover(tmp_path / "best")
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["model"]
    assert not (tmp_path / "best.old").exists()
