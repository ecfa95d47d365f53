import json

import numpy as np
import pytest

from data_tools.place import Place
from tests.tiny import tiny
from train.checkpoints import (
    CheckpointError,
    Memory,
    State,
    load_checkpoint,
    prepare_checkpoint,
    read_state,
    whole_checkpoints,
)
from train.config import OptimizerConfig
from train.optimizer import build_optimizer
from wav2vec2_tf import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC, Wav2Vec2Processor

PROCESSOR = Wav2Vec2Processor(tokenizer=Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "A": 3}))


def make(**changes):
    model = Wav2Vec2ForCTC(tiny(**changes))
    return model, build_optimizer(OptimizerConfig(ema_momentum=0.9), model.trainable_variables)


def scramble(pair, seed):
    rng = np.random.default_rng(seed)
    for variable in [*pair[0].weights, *pair[1].variables]:
        variable.assign(rng.integers(0, 100, variable.shape))


def save(run, pair, state, keep_last=1, keep_best=0):
    prepare_checkpoint(Place.of(run), pair[0], PROCESSOR, pair[1], state, Memory(), keep_last, keep_best)()
    return run / "checkpoints" / f"step-{state.step:08d}"


def steps(run):
    return [read_state(folder).step for folder in whole_checkpoints(Place.of(run))]


@pytest.fixture(scope="module")
def pair():
    return make()


def test_a_checkpoint_brings_back_weights_optimizer_and_place(pair, tmp_path):
    scramble(pair, seed=1)
    state = State(step=7, epoch=2, batch=3, order="abc", wer=0.5, best_wer=0.25)
    before = [np.array(np.asarray(v)) for v in [*pair[0].weights, *pair[1].variables]]
    folder = save(tmp_path, pair, state)
    model = Wav2Vec2ForCTC.from_pretrained(folder)
    optimizer = build_optimizer(OptimizerConfig(ema_momentum=0.9), model.trainable_variables)
    assert load_checkpoint(folder, optimizer) == state
    for old, new in zip(before, [*model.weights, *optimizer.variables], strict=True):
        np.testing.assert_array_equal(old, np.asarray(new))


def test_what_is_written_is_what_was_there_when_it_was_prepared(pair, tmp_path):
    """Whatever training does to the model until then."""
    scramble(pair, seed=1)
    at_once = save(tmp_path / "at_once", pair, State(step=1))
    write = prepare_checkpoint(Place.of(tmp_path / "later"), pair[0], PROCESSOR, pair[1], State(step=1), Memory(), 1)
    for variable in [*pair[0].weights, *pair[1].variables]:
        variable.assign_add(np.ones(variable.shape))
    write()
    later = tmp_path / "later" / "checkpoints" / "step-00000001"
    for path in at_once.iterdir():
        assert path.read_bytes() == (later / path.name).read_bytes()


def test_a_checkpoint_is_a_whole_model_with_its_processor(pair, tmp_path):
    folder = save(tmp_path, pair, State(step=1))
    loaded = Wav2Vec2ForCTC.from_pretrained(folder)
    for old, new in zip(pair[0].weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(old), np.asarray(new))
    assert Wav2Vec2Processor.from_pretrained(folder).tokenizer.vocab == PROCESSOR.tokenizer.vocab


def test_the_last_n_are_kept(pair, tmp_path):
    for step in (5, 20, 100):
        save(tmp_path, pair, State(step=step), keep_last=2)
    assert steps(tmp_path) == [20, 100]


def test_the_best_k_are_kept_besides(pair, tmp_path):
    for step, wer in ((1, 0.3), (2, 0.1), (3, None), (4, 0.3), (5, 0.9), (6, 0.8)):
        save(tmp_path, pair, State(step=step, wer=wer), keep_last=1, keep_best=2)
    assert steps(tmp_path) == [2, 4, 6]  # of two equal ones the later


def test_a_checkpoint_of_the_same_step_is_replaced(pair, tmp_path):
    for epoch in (1, 2):
        folder = save(tmp_path, pair, State(step=5, epoch=epoch), keep_last=2)
    assert json.loads((folder / "state.json").read_text())["epoch"] == 2
    assert [path.name for path in folder.parent.iterdir()] == ["step-00000005"]


def test_a_disk_that_fills_up_leaves_earlier_checkpoints_intact(pair, tmp_path, files_end_at):
    whole = save(tmp_path, pair, State(step=5))
    told = "could not be written.*earlier checkpoints are intact"
    with files_end_at(20_000), pytest.raises(CheckpointError, match=told):
        save(tmp_path, pair, State(step=6))
    assert [path.name for path in whole.parent.iterdir()] == [whole.name]
    load_checkpoint(whole, pair[1])


def test_a_damaged_checkpoint_is_refused(pair, tmp_path):
    folder = save(tmp_path, pair, State(step=5))
    with (folder / "optimizer.safetensors").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(CheckpointError, match="cannot be read back.*Remove this folder"):
        load_checkpoint(folder, pair[1])


def test_a_checkpoint_of_another_optimizer_is_refused(pair, tmp_path):
    folder = save(tmp_path, pair, State(step=5))
    plain = build_optimizer(OptimizerConfig(), pair[0].trainable_variables)
    with pytest.raises(CheckpointError, match="another model or optimizer.*--resume"):
        load_checkpoint(folder, plain)
