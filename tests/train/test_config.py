import dataclasses
from typing import get_args

import pytest
import yaml

from train.config import Preset, RunConfig, architecture, to_yaml
from train.flags import parse
from wav2vec2_tf.presets import Presets

NEEDED = ["--data", "shards", "--out", "run"]


def test_a_flag_reaches_its_section():
    config = parse([*NEEDED, "--optimizer.learning_rate", "1e-3", "--batches.speeds", "[0.9, 1.1]"]).config
    assert config.optimizer.learning_rate == 1e-3
    assert config.batches.speeds == (0.9, 1.1)


def test_model_flags_change_the_preset_only_where_given():
    config = parse([*NEEDED, "--preset", "large_lv60", "--model.conv_dim", "[8,8,8,8,8,8,8]"]).config
    assert config.model_changes == {"conv_dim": (8,) * 7}
    assert architecture(config).hidden_size == 1024


def test_augmentation_is_off_unless_asked_for(tmp_path):
    assert not parse(NEEDED).config.augment.changes_anything
    flags = ["--augment.noise_probability", "0.3", "--augment.noise_folder", "gs://b/noises"]
    config = parse([*NEEDED, *flags, "--augment.gain_db", "[-3, 3]"]).config
    assert (config.augment.noise_folder, config.augment.gain_db) == ("gs://b/noises", (-3.0, 3.0))
    (tmp_path / "config.yaml").write_text(to_yaml(config, architecture(config)))
    assert parse(["--config", str(tmp_path / "config.yaml")]).config.augment == config.augment


def test_dashes_and_underscores_name_the_same_flag():
    assert parse([*NEEDED, "--overfit-one-batch"]).overfit_one_batch
    assert parse([*NEEDED, "--eval-every=7"]).config.eval_every == 7
    assert parse([*NEEDED, "--dev-split", "my-dev"]).config.dev_split == "my-dev"


def test_a_flag_wins_over_the_config_file(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("epochs: 4\noptimizer:\n  clip_norm: 2.5\nmodel:\n  hidden_size: 48\n")
    config = parse(["--config", str(file), *NEEDED, "--epochs", "5"]).config
    assert (config.epochs, config.optimizer.clip_norm, config.model.hidden_size) == (5, 2.5, 48)


def test_the_saved_config_repeats_the_run(tmp_path):
    config = parse([*NEEDED, "--model.hidden_size", "48", "--batches.speeds", "[0.9, 1.1]", "--steps", "3"]).config
    file = tmp_path / "config.yaml"
    file.write_text(to_yaml(config, architecture(config)))
    again = parse(["--config", str(file)]).config
    assert architecture(again) == architecture(config)
    assert dataclasses.replace(again, model=config.model) == config


def test_the_saved_config_spells_out_the_model():
    config = parse(NEEDED).config
    assert yaml.safe_load(to_yaml(config, architecture(config)))["model"]["hidden_size"] == 768


def test_print_config_shows_every_default(capsys):
    with pytest.raises(SystemExit) as stop:
        parse([*NEEDED, "--print_config"])
    assert stop.value.code == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["batches"]["max_buckets"] == 6
    assert "vocab_size" not in shown["model"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch_secs", "3"], "batch_secs"),
        (["--epochs", "many"], "epochs"),
        (["--epochs", "0"], "--epochs must be at least 1; got 0"),
        (["--precision", "float8"], "precision"),
        (["--augment.gain_probability", "2"], "--augment.gain_probability lies between 0 and 1; got 2"),
        (["--augment.noise_probability", "0.5"], "name --augment.noise_folder"),
    ],
)
def test_a_mistaken_flag_ends_with_status_2_and_a_line_that_names_it(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse([*NEEDED, *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (None, dict(steps=0), "--steps must be at least 1"),
        (None, dict(eval_every=0), "--eval_every must be at least 1"),
        (None, dict(cache_gigabytes=0), "--cache_gigabytes must be positive"),
        (None, dict(keep_last=0), "--keep_last must be at least 1"),
        (None, dict(log_every=0), "--log_every must be at least 1"),
        ("batches", dict(batch_seconds=0), "batch_seconds must be positive"),
        ("batches", dict(max_buckets=0), "max_buckets must be at least 1"),
        ("batches", dict(speeds=()), "speeds must be positive"),
        (None, dict(patience=0), "--patience must be at least 1"),
        (None, dict(freeze_encoder_steps=-1), "freeze_encoder_steps must not be negative"),
        ("batches", dict(device_seconds=0.0), "device_seconds must be positive"),
        ("optimizer", dict(head_scale=0.0), "head_scale must be positive"),
        ("optimizer", dict(name="adam", weight_decay=0.1), "adam has none .adamw has"),
        ("optimizer", dict(name="sgd", weight_decay=-0.1), "weight_decay must not be negative"),
        ("schedule", dict(cycles=0), "cycles must be at least 1"),
        ("schedule", dict(warmup_steps=-1), "warmup_steps must not be negative"),
        ("optimizer", dict(learning_rate=-1.0), "learning_rate must be positive"),
        ("optimizer", dict(clip_norm=-1.0), "clip_norm must not be negative"),
        ("optimizer", dict(ema_momentum=1.0), "ema_momentum lies between 0 and 1"),
        ("schedule", dict(warmup=0.7, hold=0.5), "shares of the run"),
        ("schedule", dict(final_scale=0.0), "final_scale must be positive"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused(section, values, message, config):
    if section:
        values = {section: dataclasses.replace(getattr(config, section), **values)}
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **values)


@pytest.mark.parametrize("preset", get_args(Preset))
def test_presets_exist_in_the_model_package_and_repeat_from_their_file(preset, tmp_path):
    config = RunConfig("d", "o", preset=preset)
    assert architecture(config).hidden_size >= 768
    (tmp_path / "config.yaml").write_text(to_yaml(config, architecture(config)))
    assert architecture(parse(["--config", str(tmp_path / "config.yaml")]).config) == architecture(config)


def test_every_preset_of_the_model_package_can_be_asked_for():
    assert set(get_args(Preset)) == {name for name in vars(Presets) if not name.startswith("_")}
