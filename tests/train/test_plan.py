"""Claims about --plan: what it tells is what a run does, and what does not fit is told with a way out."""

import dataclasses

import pytest

from train.__main__ import main
from train.flags import parse
from train.loop import Loop
from train.memory import activation_bytes, count_state
from train.plan import GIB, USABLE, Devices, _most_seconds, make_plan, parse_devices
from train.plan_report import describe_plan, verdict
from train.run_folder import begin
from train.strategy import Cluster
from wav2vec2_tf.config import Wav2Vec2Config

ROOMY = Devices(1, 16 * GIB)


@pytest.mark.parametrize("text", ["8", "0x16", "8xv9", "x16", "8xv5e-16", "8x.", "8x0"])
def test_devices_that_make_no_sense_are_refused(text):
    with pytest.raises(ValueError, match=f"--plan {text}: devices are given as COUNTxKIND"):
        parse_devices(text)


def test_devices_may_be_given_by_their_memory():
    assert parse_devices("4x15.75") == Devices(4, int(15.75 * GIB))


def test_updates_and_parameters_are_those_of_the_run(config):
    found = make_plan(config, ROOMY)
    loop = Loop(begin(config, False), Cluster(), print, None)
    assert (found.steps, found.variants[0].state.parameters) == (loop.num_steps, loop.model.count_params())
    assert found.buckets == loop.buckets


def test_padding_counts_clips_rows_and_devices(config):
    index = make_plan(config, ROOMY).index
    real = index.lengths("train").sum()
    for devices, device_seconds in ((1, None), (4, None), (4, 1.0)):
        batches = dataclasses.replace(config.batches, device_seconds=device_seconds)
        found = make_plan(dataclasses.replace(config, batches=batches), Devices(devices, GIB))
        ((parts, rows),), (edge,) = found.cuts, found.buckets.edges
        computed = found.epoch.num_batches * devices * parts * rows * edge
        assert found.padding == pytest.approx(1 - real / computed)
    assert parts > 1


def test_a_run_that_fits_is_told_with_shapes_memory_and_disk(config):
    text = describe_plan(make_plan(config, ROOMY))
    for claim in ("parameters, of which", "train: 18 utterances", "updates  3 of 5 s", "1 x 6", "2 checkpoints of"):
        assert claim in text
    assert text.splitlines()[-1].startswith("plan: FITS")


def test_a_run_that_does_not_fit_is_told_what_would(config):
    plenty = make_plan(config, ROOMY)
    tight = int((plenty.variants[0].bytes - max(plenty.variants[0].activations) / 2) / USABLE)
    found = make_plan(config, Devices(1, tight))
    assert not found.fits
    assert "plan: DOES NOT FIT as it is. This would, by estimate: --" in verdict(found)
    assert "--batches.device_seconds" in verdict(found)


def test_a_run_that_nothing_helps_is_told_so(config):
    assert "plan: DOES NOT FIT, whatever --batches.device_seconds" in verdict(make_plan(config, Devices(1, 1000)))


def test_the_limit_of_a_device_is_the_last_that_fits():
    row, shares, edges = [10, 30], [8, 4], [16_000, 32_000]
    assert _most_seconds(row, shares, edges, 29) == 0
    assert _most_seconds(row, shares, edges, 30) == 3  # one row of two seconds; of four such seconds there would be two
    assert _most_seconds(row, shares, edges, 60) == 5
    assert _most_seconds(row, shares, edges, 120) == 8  # all of it


def test_xls_r_1b_fits_chips_of_16_gib():
    flags = "--data d --out o --recipe xls_r_cv --gradient_checkpointing true --optimizer.name adafactor"
    config, model = parse(flags.split()).config, Wav2Vec2Config.xls_r_1b()
    state = count_state(config, model)
    assert 950e6 < state.trainable < state.parameters < 970e6
    kept = activation_bytes(config, model, rows=5, samples=16 * 16_000, labels=320)
    assert state.weights + state.optimizer + 2 * state.gradients + kept < USABLE * 16 * GIB


def test_the_command_prints_the_plan_and_its_status_says_whether_it_fits(config, capsys):
    flags = ["--data", str(config.data), "--out", "nowhere", "--epochs=1"]
    assert main([*flags, "--plan", "8xv5e"]) == 0
    assert "plan: FITS" in capsys.readouterr().out
    assert main([*flags, "--plan", "8x0.5"]) == 1
    assert main([*flags, "--plan", "lots"]) == 1
    assert "COUNTxKIND" in capsys.readouterr().err
