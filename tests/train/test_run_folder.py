import dataclasses
import json

import pytest

from data_tools.place import Place
from train.checkpoints import CheckpointError, State, reading
from train.config import architecture
from train.run_folder import Logs, begin, prepare, save_config, told_by


@pytest.fixture
def begun(config):
    """A run that ended before its first checkpoint."""
    prepare(Place.of(config.out))
    save_config(config, architecture(config))
    return config


def test_a_new_run_writes_nothing_before_it_is_sure(config):
    start = begin(config, resume=False)
    assert (start.config, start.source, start.checkpoint) == (config, config, None)
    assert not config.out.exists()


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_folder_in_use_is_refused_without_resume(config, kind):
    (config.out.parent / "run" if kind == "file" else config.out / "x").parent.mkdir(parents=True, exist_ok=True)
    (config.out if kind == "file" else config.out / "precious").write_text("x")
    with pytest.raises(FileExistsError, match="is not empty.*--resume"):
        begin(config, resume=False)


def test_resuming_where_no_run_was_begun_is_refused(config):
    with pytest.raises(FileNotFoundError, match="no run was begun there. Correct --out"):
        begin(config, resume=True)


def test_a_run_that_ended_before_its_first_checkpoint_begins_again(begun):
    start = begin(begun, resume=True)
    assert start.checkpoint is None
    assert "the run begins again" in start.notes[0]


def test_settings_that_changed_are_told(begun):
    assert "changed: steps None -> 3" in begin(dataclasses.replace(begun, steps=3), resume=True).notes[1]


def test_what_an_interruption_left_is_cleared_away(begun):
    for name in ("best.tmp", "checkpoints/step-00000001.tmp", "checkpoints/step-00000002"):
        (begun.out / name).mkdir(parents=True)
    prepare(Place.of(begun.out))
    assert [path.name for path in begun.out.rglob("*") if path.is_dir()] == ["checkpoints"]


def test_a_damaged_model_in_a_checkpoint_is_told_with_the_way_out(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read back.*Remove this folder"), reading(tmp_path):
        raise ValueError("model.safetensors is damaged")
    with pytest.raises(ValueError, match="mistake"), reading(None):
        raise ValueError("mistake")


def test_logs_forget_what_will_be_told_again(begun):
    records = [("train", 1), ("train", 2), ("dev", 2), ("train", 3)]
    lines = [json.dumps({"kind": kind, "step": step}) + "\n" for kind, step in records]
    (begun.out / "metrics.jsonl").write_text("".join(lines) + '{"kind": "tr')
    Logs(Place.of(begun.out), State(step=2, wer=0.5))
    assert (begun.out / "metrics.jsonl").read_text() == "".join(lines[:3])


def test_an_evaluation_that_was_interrupted_will_be_told_again():
    line = '{"kind": "dev", "step": 2}\n'
    assert (told_by(line, State(step=2)), told_by(line, State(step=2, wer=0.5))) == ("", line)


def test_a_host_that_is_not_the_chief_logs_into_the_air(begun):
    logs = Logs(Place.of(begun.out), State(), is_chief=False)
    assert logs.folder != begun.out
    logs.upload()
