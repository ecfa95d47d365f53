"""The same updates on any number of replicas: one process with several logical devices, and two processes.

All is computed once, by `replicas.py`; the weights it leaves are compared here.
"""

import numpy as np
import pytest

from tests.train.processes import finish, python, start_workers

pytestmark = pytest.mark.timeout(900)  # three processes, on a machine that may be busy

ONE_PROCESS = """sgd-1x1 sgd-2x1 sgd-3x1 sgd-1x2 adamw-1x1 adamw-4x1 adamw-1x2
    sgd-2x2-xla sgd-2x1-dropout sgd-1x2-dropout""".split()
TWO_PROCESSES = "sgd-2x1 adamw-2x1 sgd-2x1-dropout".split()
SPLITS = ["1x2", "2x1-host0", "2x1-host1"]
# Adding a number to all scores of a softmax changes nothing: the gradient of the keys' bias is 0 but for rounding, and
# AdamW divides rounding by its own size.
WITHOUT_EFFECT = "k_proj/bias"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each way of computing left: arrays by name."""
    out = tmp_path_factory.mktemp("replicas")
    workers = start_workers("-m", "tests.train.replicas", out, *TWO_PROCESSES)
    python("-m", "tests.train.replicas", out, *ONE_PROCESS)
    finish(workers)
    return {path.stem: dict(np.load(path)) for path in out.iterdir()}


def distance(one, other, without=None):
    """Gives the distance of the weights of first replicas as a share of their norm."""
    names = [name for name in one if name.endswith("|0") and not (without and without in name)]
    apart = sum(np.square(one[name] - other[name], dtype=np.float64).sum() for name in names)
    return np.sqrt(apart / sum(np.square(one[name], dtype=np.float64).sum() for name in names))


@pytest.mark.parametrize("split", [*SPLITS, "2x1", "3x1", "2x2-xla"])
def test_ten_updates_with_sgd_are_those_of_one_device(results, split):
    assert distance(results["sgd-1x1"], results[f"sgd-{split}"]) < 1e-6
    np.testing.assert_allclose(results[f"sgd-{split}"]["counts"], results["sgd-1x1"]["counts"], rtol=2e-6)


@pytest.mark.parametrize("split", [*SPLITS, "4x1"])
def test_ten_updates_with_adamw_are_those_of_one_device(results, split):
    assert distance(results["adamw-1x1"], results[f"adamw-{split}"], WITHOUT_EFFECT) < 1e-6
    np.testing.assert_allclose(results[f"adamw-{split}"]["counts"], results["adamw-1x1"]["counts"], rtol=2e-6)


def test_the_updates_were_uneven_and_did_something(results):
    _, utterances, infeasible = results["sgd-1x1"]["counts"].T
    assert utterances.tolist() == [8] * 9 + [3]
    assert infeasible[:9].tolist() == [1] * 9
    assert distance(results["sgd-1x1"], results["adamw-1x1"]) > 1e-3


def test_all_replicas_hold_the_same_weights_bit_for_bit(results):
    hosts = [results["adamw-2x1-host0"], results["adamw-2x1-host1"]]
    four = [{name[:-1] + "0": value for name, value in results["adamw-4x1"].items() if name.endswith(f"|{i}")}
            for i in range(4)]  # fmt: skip
    for copies in (hosts, four):
        for name in four[0]:
            assert all(np.array_equal(copy[name], copies[0][name]) for copy in copies)


@pytest.mark.parametrize("name", ["sgd-2x1", "adamw-4x1", "adamw-2x1-host1", "sgd-2x2-xla"])
def test_replicas_are_summed_over_once_per_update(results, name):
    assert results[name]["n"] == 1


@pytest.mark.parametrize("split", ["1x2-dropout", "2x1-dropout-host0"])
def test_dropout_draws_the_same_for_a_block_wherever_it_is_computed(results, split):
    assert distance(results["sgd-2x1-dropout"], results[f"sgd-{split}"]) < 1e-6
    assert distance(results["sgd-2x1"], results[f"sgd-{split}"]) > 1e-4
