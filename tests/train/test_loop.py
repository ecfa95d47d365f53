import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import yaml

from data_tools.augment import AugmentConfig
from data_tools.cache import ShardCache
from data_tools.index import load_index
from data_tools.place import Place
from tests.tones import make_config, make_shards
from train.changes import ChangedError
from train.checkpoints import CheckpointError, whole_checkpoints
from train.evaluator import Evaluator
from train.loop import Loop, train
from train.monitor import DivergedError
from train.setup import DataError, order_digest
from train.strategy import Cluster
from wav2vec2_tf import Wav2Vec2ForCTC, Wav2Vec2Processor


def quiet(line):
    pass


def weights(folder):
    return [weight.numpy() for weight in Wav2Vec2ForCTC.from_pretrained(folder).weights]


@pytest.fixture(scope="module")
def finished(shards, tmp_path_factory):
    """A run of two epochs, evaluated every two steps: its config, result and log lines."""
    lines = []
    config = make_config(shards, tmp_path_factory.mktemp("finished") / "run", epochs=2, eval_every=2)
    config = dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, ema_momentum=0.9))
    return config, train(config, report=lines.append), lines


def test_a_run_leaves_everything_it_promises(finished):
    config, result, _ = finished
    found = {path.name for path in config.out.iterdir()}
    assert found == {"config.yaml", "best", "checkpoints", "metrics.jsonl", "tensorboard"}
    assert [path.name for path in whole_checkpoints(Place.of(config.out))] == ["step-00000004", "step-00000006"]
    assert yaml.safe_load((config.out / "config.yaml").read_text())["model"]["hidden_size"] == 32
    assert result.steps == 6


def test_best_is_a_loadable_model_with_the_error_rate_it_claims(finished):
    config, result, _ = finished
    best = config.out / "best"
    model, processor = Wav2Vec2ForCTC.from_pretrained(best), Wav2Vec2Processor.from_pretrained(best)
    evaluator = Evaluator(model, processor, load_index(config.data), "dev",
                          config.batches, jit_compile=False, report=quiet)  # fmt: skip
    claimed = json.loads((best / "eval-dev.json").read_text())
    assert evaluator().words.rate == claimed["wer"] == result.best_wer


def test_best_holds_the_averaged_weights_and_checkpoints_the_raw_ones(finished):
    config, _, _ = finished
    best = json.loads((config.out / "best" / "eval-dev.json").read_text())
    last = json.loads((config.out / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["kind"] == "dev"
    assert best["wer"] <= last["wer"]
    raw, averaged = weights(config.out / "checkpoints" / "step-00000006"), weights(config.out / "best")
    assert any(np.abs(a - b).max() > 1e-4 for a, b in zip(raw, averaged, strict=True))


def test_log_lines_tell_steps_evaluations_and_compilations(finished):
    _, _, lines = finished
    text = "\n".join(lines)
    assert "compiling shape" in text
    assert sum(line.startswith("step=") and "lr=" in line for line in lines) == 6
    assert sum(line.startswith("step=") and "wer=" in line for line in lines) == 3
    assert "reference:" in text
    assert lines[0].startswith("split=train hours=0.00 steps=6 parameters=")


def test_metrics_are_kept_per_step(finished):
    config, _, _ = finished
    records = [json.loads(line) for line in (config.out / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in records if r["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert [r["step"] for r in records if r["kind"] == "dev"] == [2, 4, 6]
    assert {"loss", "blank_ratio", "infeasible", "grad_norm", "learning_rate"} <= records[0].keys()


@pytest.mark.parametrize("stop", [2, 3])
def test_resume_equals_never_stopping(finished, stop, tmp_path):
    """Stopped within an epoch, and after its end."""
    config, result, _ = finished
    resumed = dataclasses.replace(config, out=tmp_path / "run")
    train(dataclasses.replace(resumed, steps=stop), report=quiet)
    assert train(resumed, resume=True, report=quiet).steps == result.steps
    for name in ("checkpoints/step-00000006/model.safetensors", "checkpoints/step-00000006/optimizer.safetensors"):
        assert (resumed.out / name).read_bytes() == (config.out / name).read_bytes()


def test_a_disk_that_fills_up_ends_the_run_which_then_goes_on_as_if_it_had_not(finished, tmp_path, files_end_at):
    config, _, _ = finished
    full = dataclasses.replace(config, out=tmp_path / "run")
    with files_end_at(30_000), pytest.raises(CheckpointError, match="could not be written.*go on with --resume"):
        train(full, report=quiet)
    assert whole_checkpoints(Place.of(full.out)) == []
    train(full, resume=True, report=quiet)
    for name in ("model.safetensors", "optimizer.safetensors", "state.json"):
        last = f"checkpoints/step-00000006/{name}"
        assert (full.out / last).read_bytes() == (config.out / last).read_bytes()


def test_resuming_with_another_augmentation_is_refused_and_with_one_of_no_effect_it_is_not(finished, tmp_path):
    config, _, _ = finished
    out = shutil.copytree(config.out, tmp_path / "run")
    train(dataclasses.replace(config, out=out, augment=AugmentConfig(gain_db=(-1, 1))), resume=True, report=quiet)
    with pytest.raises(CheckpointError, match="another --augment"):
        train(dataclasses.replace(config, out=out, augment=AugmentConfig(gain_probability=0.5)), resume=True)


def test_augmentation_reaches_the_updates(finished, tmp_path):
    """The model normalises loudness away, so clips go over the telephone."""
    changed = dataclasses.replace(finished[0], out=tmp_path / "run", augment=AugmentConfig(codec_probability=1.0))
    train(dataclasses.replace(changed, steps=1), report=quiet)
    first = [
        json.loads((run.out / "metrics.jsonl").read_text().splitlines()[0])["loss"] for run in (finished[0], changed)
    ]
    assert first[0] != first[1]


def test_resuming_a_finished_run_evaluates_and_ends(finished, tmp_path):
    config, result, _ = finished
    copy = dataclasses.replace(config, out=shutil.copytree(config.out, tmp_path / "run"))
    assert train(copy, resume=True, report=quiet).last.words == result.last.words


def test_resuming_with_another_order_of_the_data_is_refused(finished, tmp_path):
    config, _, _ = finished
    copy = dataclasses.replace(config, out=shutil.copytree(config.out, tmp_path / "run"), seed=5)
    with pytest.raises(ChangedError, match="--seed: 0 -> 5"):
        train(copy, resume=True, report=quiet)


def test_resuming_with_another_number_of_hosts_is_refused_and_told_both(finished, tmp_path):
    config, _, _ = finished
    copy = dataclasses.replace(config, out=shutil.copytree(config.out, tmp_path / "run"))
    for file in (copy.out / "checkpoints").glob("*/state.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"hosts": 2}))
    with pytest.raises(CheckpointError, match=r"saved by 2 host\(s\); here are 1, .*Resume with 2, of as many devices"):
        train(copy, resume=True, report=quiet)


def test_fine_tuning_starts_from_the_saved_weights_and_may_freeze_the_encoder(finished, changed):
    config, _, _ = finished
    tuned = changed(init_from=config.out / "best", freeze_feature_encoder=True, steps=1, model__hidden_dropout=0.1)
    train(tuned, report=quiet)
    before, after = (Wav2Vec2ForCTC.from_pretrained(f) for f in (config.out / "best", tuned.out / "best"))
    for old, new in zip(before.weights, after.weights, strict=True):
        moved = np.abs(old.numpy() - new.numpy()).max()
        assert moved < 0.1
        assert not ("feature_extractor" in old.path and moved)
    assert np.abs(before.lm_head.kernel.numpy() - after.lm_head.kernel.numpy()).max() > 0
    assert after.config.hidden_dropout == 0.1


def test_fine_tuning_with_another_vocabulary_is_refused(finished, changed, tmp_path):
    other = make_shards(tmp_path / "other", {"train": 2, "dev": 1}, words=("EA", "E"))
    with pytest.raises(DataError, match="differ in . tokens .*B.*--init_from"):
        train(changed(init_from=finished[0].out / "best", data=other), report=quiet)


def test_fine_tuning_with_another_size_is_refused(finished, changed):
    with pytest.raises(ValueError, match="intermediate_size is 8, the tensors are those of 48"):
        train(changed(init_from=finished[0].out / "best", model__intermediate_size=8), report=quiet)


def test_a_loss_that_is_no_number_stops_the_run_and_names_step_batch_and_cause(config, monkeypatch):
    def poisoned(self, step):
        return float("nan") if step == 1 else 1e-3

    monkeypatch.setattr(Loop, "_rate", poisoned)
    with pytest.raises(DivergedError, match=r"step 3: loss is nan.*The batch: .*train-\d\d.wav.*learning_rate"):
        train(config, report=quiet)
    assert whole_checkpoints(Place.of(config.out)) == []


def test_an_output_folder_in_use_is_refused_without_resume(config):
    config.out.mkdir()
    (config.out / "precious").write_text("x")
    with pytest.raises(FileExistsError, match="is not empty.*--resume"):
        train(config, report=quiet)


def test_missing_shards_are_told(changed, tmp_path):
    with pytest.raises(ValueError, match="make_tfrecords"):
        train(changed(data=tmp_path / "nowhere"), report=quiet)


def test_a_missing_vocabulary_is_told(changed, shards, tmp_path):
    copy = shutil.copytree(shards, tmp_path / "copy")
    (copy / "vocab.json").unlink()
    with pytest.raises(FileNotFoundError, match="vocab.json"):
        train(changed(data=copy), report=quiet)


@pytest.mark.parametrize("flag", ["train_split", "dev_split"])
def test_a_missing_split_is_told_with_those_there_are(changed, flag):
    with pytest.raises(DataError, match="split 'nope'; it has train, dev"):
        train(changed(**{flag: "nope"}), report=quiet)


def test_a_model_with_too_few_frames_for_every_utterance_is_refused(changed):
    with pytest.raises(DataError, match="as many frames as labels.*conv_stride"):
        train(changed(model__conv_stride=(40, 40, 8)), report=quiet)


def test_a_refused_run_leaves_no_folder_behind(changed, tmp_path):
    refused = changed(data=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="make_tfrecords"):
        train(refused, report=quiet)
    assert not refused.out.exists()


def test_a_run_ends_where_the_error_rate_has_not_fallen_for_so_many_evaluations(changed):
    """The rate is so low that it never falls; with more patience the run goes on from where it ended."""
    lines, settings = [], dict(epochs=5, eval_every=1, optimizer__learning_rate=1e-9)
    config = changed(patience=2, **settings)
    assert train(config, report=lines.append).steps == 3
    assert any("stopped early, after step 3 of 15: no evaluation of the last 2 (--patience 2)" in x for x in lines)
    assert train(config, resume=True, report=quiet).steps == 3
    assert train(changed(patience=4, **settings), resume=True, report=quiet).steps == 5


def test_the_body_stays_as_it_is_while_only_the_head_learns(changed, finished):
    tuned = changed(init_from=str(finished[0].out / "best"), freeze_encoder_steps=3, optimizer__ema_momentum=0.5)
    train(tuned, report=quiet)
    before, after = (Wav2Vec2ForCTC.from_pretrained(f) for f in (finished[0].out / "best", tuned.out / "best"))
    for old, new in zip(before.weights, after.weights, strict=True):
        assert np.array_equal(old, new) != old.path.startswith("lm_head/")


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_trains(changed, precision):
    try:
        result = train(changed(precision=precision, steps=1), report=quiet)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(result.last.loss)


def test_short_to_long_epochs_and_speeds_are_passed_on(changed):
    lines = []
    config = changed(batches__shortest_first_epochs=1, batches__speeds=(0.9, 1.1), batches__max_buckets=3)
    train(config, report=lines.append)
    compiled = [float(line.split(" x ")[1].split(" s")[0]) for line in lines if line.startswith("compiling")]
    assert compiled[:-2] == sorted(compiled[:-2])


def test_cache_and_input_host_reach_the_reader(config, tmp_path, monkeypatch):
    asked = {}

    def batches(*given, **named):
        asked.update(named)
        raise KeyboardInterrupt

    monkeypatch.setattr("train.loop.batches", batches)
    config = dataclasses.replace(config, cache=tmp_path / "cache", cache_gigabytes=2.0, input_host="host:5050")
    with pytest.raises(KeyboardInterrupt):
        train(config, report=quiet)
    assert (asked["cache"], asked["service"]) == (ShardCache(tmp_path / "cache", 2.0), "host:5050")


def test_a_run_is_not_resumed_by_a_program_that_orders_batches_otherwise(config, monkeypatch):
    index = load_index(config.data)
    before = order_digest(config, index)
    monkeypatch.setattr("train.setup.ORDER_VERSION", -1)
    assert order_digest(config, index) != before


@pytest.mark.parametrize(("what", "value"), [("checkpoint of step", 4), ("order of data", "x"), ("settings", "y")])
def test_hosts_that_differ_are_told_before_they_wait_for_each_other(changed, monkeypatch, what, value):
    monkeypatch.setattr(Cluster, "gather", lambda self, text: [text, json.dumps(json.loads(text) | {what: value})])
    with pytest.raises(CheckpointError, match=f"the hosts differ in their {what} .*host 1: {value}"):
        train(changed(), report=quiet)


def test_a_warm_up_that_fills_the_run_is_told(changed):
    lines = []
    train(changed(steps=1, schedule__warmup_steps=9), report=lines.append)
    assert any("fill the 1 steps of the run: the rate will not fall" in line for line in lines)
