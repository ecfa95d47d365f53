"""Each kind of optimizer against NumPy, the head's own rate, and what state they keep."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from train.config import OptimizerConfig
from train.optimizer_kinds import make_optimizer

MATRIX, VECTOR = np.array([[1.0, -2.0, 0.5], [3.0, 4.0, 1.0]], np.float32), np.array([0.5, -0.5], np.float32)
GRADIENTS = [np.array([[0.3, -0.1, 0.2], [0.1, 0.2, -0.4]], np.float32), np.array([1.0, 2.0], np.float32)]
RATE = 0.01


def variables(name="body"):
    """A matrix and a vector of a layer of this name."""
    with keras.name_scope(name):
        return [keras.Variable(value, name="weight") for value in (MATRIX, VECTOR)]


def steps(config, weights, count=1):
    """Takes some steps with the same gradients, a share on each replica; gives how far each weight went in all."""
    strategy = tf.distribute.get_strategy()
    before = [weight.numpy() for weight in weights]
    optimizer = make_optimizer(config, weights)
    optimizer.build(weights)
    optimizer.learning_rate.assign(RATE)

    def replica():
        optimizer.apply([tf.constant(g / strategy.num_replicas_in_sync) for g in GRADIENTS], weights)

    apply = tf.function(lambda: strategy.run(replica), autograph=False)
    for _ in range(count):
        apply()
    return [old - weight.numpy() for old, weight in zip(before, weights, strict=True)]


def test_sgd_moves_against_the_gradient():
    for moved, gradient in zip(steps(OptimizerConfig("sgd", beta_1=0.0), variables()), GRADIENTS, strict=True):
        np.testing.assert_allclose(moved, RATE * gradient, rtol=1e-4)


def test_the_momentum_of_sgd_adds_up():
    for moved, gradient in zip(steps(OptimizerConfig("sgd", beta_1=0.9), variables(), 2), GRADIENTS, strict=True):
        np.testing.assert_allclose(moved, RATE * gradient * (1 + 1.9), rtol=1e-4)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_first_step_of_adam_is_as_long_as_the_rate(name):
    for moved, gradient in zip(steps(OptimizerConfig(name), variables()), GRADIENTS, strict=True):
        np.testing.assert_allclose(moved, RATE * np.sign(gradient), rtol=1e-3)


def test_adagrad_divides_by_the_root_of_all_squares():
    for moved, gradient in zip(steps(OptimizerConfig("adagrad"), variables(), 2), GRADIENTS, strict=True):
        first, second = np.sqrt(0.1 + gradient**2), np.sqrt(0.1 + 2 * gradient**2)
        np.testing.assert_allclose(moved, RATE * gradient * (1 / first + 1 / second), rtol=1e-3)


@pytest.mark.parametrize("count", [1, 3])
def test_our_adafactor_steps_as_keras_s_does(count):
    theirs = variables()
    optimizer = keras.optimizers.Adafactor(RATE, relative_step=False)
    optimizer.build(theirs)
    for _ in range(count):
        optimizer.apply([tf.constant(g) for g in GRADIENTS], theirs)
    for moved, start, weight in zip(
        steps(OptimizerConfig("adafactor"), variables(), count), (MATRIX, VECTOR), theirs, strict=True
    ):
        np.testing.assert_allclose(moved, start - weight.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "per_weight"), [("adamw", 2), ("adam", 2), ("adagrad", 1), ("sgd", 1), ("adafactor", 0)]
)
def test_state_of_a_large_matrix_is_so_many_numbers_per_weight(name, per_weight):
    matrix = keras.Variable(np.zeros([300, 400], np.float32))
    optimizer = make_optimizer(OptimizerConfig(name), [matrix])
    optimizer.build([matrix])
    numbers = sum(np.prod(variable.shape) for variable in optimizer.variables)
    assert numbers / matrix.numpy().size == pytest.approx(per_weight, abs=0.01)


@pytest.mark.parametrize("name", ["adamw", "adafactor", "adagrad", "sgd"])
def test_the_head_learns_at_its_own_rate_and_decays_with_it(name):
    config = OptimizerConfig(name, weight_decay=0.3)
    plain = steps(config, variables("lm_head"))
    fast = steps(OptimizerConfig(name, weight_decay=0.3, head_scale=10.0), variables("lm_head"))
    body = steps(OptimizerConfig(name, weight_decay=0.3, head_scale=10.0), variables())
    for slow, quick, same in zip(plain, fast, body, strict=True):
        np.testing.assert_allclose(quick, 10 * slow, rtol=0.05)  # decay and step act one after the other
        np.testing.assert_array_equal(same, slow)


@pytest.mark.parametrize("name", ["adamw", "adafactor", "adagrad", "sgd"])
def test_decay_shrinks_matrices_by_rate_times_decay_and_spares_vectors(name):
    plain, decayed = (steps(OptimizerConfig(name, weight_decay=decay), variables()) for decay in (0.0, 0.3))
    np.testing.assert_allclose(decayed[0] - plain[0], RATE * 0.3 * MATRIX, rtol=0.05)
    np.testing.assert_array_equal(decayed[1], plain[1])


def test_weights_that_get_no_gradient_neither_move_nor_decay_and_their_average_stays():
    """As while the body is frozen: the head alone is applied."""
    body, head = variables("body"), variables("lm_head")
    optimizer = make_optimizer(OptimizerConfig(weight_decay=0.3, ema_momentum=0.5), [*body, *head])
    optimizer.build([*body, *head])
    for _ in range(3):
        optimizer.apply([tf.constant(g) for g in GRADIENTS], head)
    np.testing.assert_array_equal(body[0], MATRIX)
    assert np.abs(head[0].numpy() - MATRIX).max() > 0
    optimizer.finalize_variable_values([*body, *head])
    np.testing.assert_array_equal(body[0], MATRIX)


KINDS = ["adamw", "adafactor", "adagrad", "sgd"]


def on_two_replicas() -> None:
    """Prints how far weights end from where one device brings them, per kind."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for kind in KINDS:
        config = OptimizerConfig(kind, head_scale=3.0, weight_decay=0.3)
        with strategy.scope():
            moved = steps(config, variables("lm_head"), 3)
        expected = steps(config, variables("lm_head"), 3)
        print(kind, max(np.abs(a - b).max() for a, b in zip(moved, expected, strict=True)))


def test_every_kind_steps_on_two_replicas_as_on_one():
    """In a process of its own: devices are divided before TensorFlow has begun."""
    code = "from tests.train import test_optimizer_kinds as here; here.on_two_replicas()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    distances = dict(line.split() for line in done.stdout.splitlines())
    assert list(distances) == KINDS, done.stderr
    assert max(map(float, distances.values())) < 1e-6


def test_a_weight_moves_when_the_one_before_has_moved_so_that_what_is_between_is_held_for_one_alone():
    weights = variables()
    optimizer = make_optimizer(OptimizerConfig("adamw", weight_decay=0.1), weights)
    optimizer.build(weights)
    apply = tf.function(lambda *gradients: optimizer.apply(gradients, weights), autograph=False)
    graph = apply.get_concrete_function(*map(tf.constant, GRADIENTS)).graph
    handles = {id(inner): outer for outer, inner in graph.captures}

    def movers(weight):
        return [op for op in graph.get_operations() if op.type.startswith("Assign")
                and handles.get(id(op.inputs[0])) is weight.value.handle]  # fmt: skip

    def before(op):
        todo, seen = [op], set()
        while todo:
            one = todo.pop()
            if one not in seen:
                seen.add(one)
                todo += [*one.control_inputs, *(tensor.op for tensor in one.inputs)]
        return seen

    assert movers(weights[0])
    for op in movers(weights[1]):
        assert set(movers(weights[0])) <= before(op)
