"""Claims about memory foretold: state is counted exactly, activations are close to XLA's own account."""

import numpy as np
import pytest

from tests.tiny import tiny
from tests.xla_memory import ROWS, SAMPLES, SIZES
from train.config import architecture
from train.memory import activation_bytes, count_state
from train.optimizer import build_optimizer
from train.setup import build_model, load_processor

WAYS = {
    "adamw": dict(),
    "average": dict(optimizer__ema_momentum=0.9),
    "adafactor": dict(optimizer__name="adafactor"),
    "float16": dict(precision="mixed_float16"),
    "frozen": dict(freeze_feature_encoder=True),
    "head": dict(trainable="head"),
}


def size(variables) -> int:
    return sum(np.asarray(variable).nbytes for variable in variables)


@pytest.mark.parametrize("way", WAYS)
def test_state_is_counted_as_a_run_would_hold_it(changed, way):
    config = changed(**WAYS[way])
    model = build_model(config, load_processor(config).tokenizer)
    optimizer = build_optimizer(config.optimizer, model.trainable_variables, config.precision)
    found = count_state(config, model.config)
    assert (found.parameters, found.weights) == (model.count_params(), size(model.weights))
    assert (found.optimizer, found.gradients) == (size(optimizer.variables), size(model.trainable_variables))


def test_what_is_frozen_has_no_gradient_and_no_state(changed):
    every, head = (count_state(changed(**WAYS[way]), architecture(changed())) for way in ("adamw", "head"))
    assert head.trainable == 32 * 32 + 32 < every.trainable == every.parameters == head.parameters
    assert head.optimizer < 0.1 * every.optimizer


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_estimate_of_activations_is_within_a_quarter_of_what_xla_sets_aside(changed, xla_bytes, checkpointing):
    config = changed(freeze_feature_encoder=True, gradient_checkpointing=checkpointing)
    model = tiny("layer_norm", **SIZES)
    state = count_state(config, model)
    foretold = state.weights + state.gradients + activation_bytes(config, model, ROWS, SAMPLES, labels=0)
    assert foretold == pytest.approx(xla_bytes["activations" if checkpointing else "convolutions"], rel=0.25)


def test_sixteen_bits_halve_what_is_kept_but_the_softmax(changed):
    wide, narrow = (
        activation_bytes(changed(precision=precision), tiny("layer_norm"), 1, SAMPLES, 0)
        for precision in ("float32", "mixed_bfloat16")
    )
    assert 0.5 * wide < narrow < 0.8 * wide
