"""Claims about the update as a program for XLA: what a TPU cannot do is not in it."""

import re

import pytest
import tensorflow as tf

from benchmarks.tpu_compile import Program, line, lower
from tests.tiny import tiny
from tests.train.replicas import update
from train.config import OptimizerConfig
from train.flags import parse
from train.layout import split
from train.optimizer import build_optimizer
from train.step import TrainStep
from train.strategy import Cluster
from wav2vec2_tf import Wav2Vec2ForCTC


@pytest.fixture(scope="module")
def program() -> Program:
    config = parse("--data d --out o --recipe large_100h --gradient_checkpointing true".split()).config
    model = tiny("layer_norm", layerdrop=0.1, mask_time_prob=0.5, mask_feature_prob=0.5)
    return lower(config, model, parts=2, rows=3, samples=64 * 50, labels=7, replicas=4, stage="hlo")


def operations(program) -> set[str]:
    return set(re.findall(r" ([a-z][a-z0-9-]*)\(", program.hlo))


def test_nothing_leaves_the_device_and_no_shape_is_dynamic(program):
    assert "<=" not in program.hlo  # how XLA writes a size that is known only while it runs
    assert not operations(program) & {"custom-call", "infeed", "outfeed", "send", "recv", "get-dimension-size"}
    assert {"while", "conditional", "dot"} <= operations(program)  # parts, LayerDrop, matrices


def test_each_gradient_is_summed_over_the_replicas_once(program):
    sums = re.findall(r" all-reduce\((.*?)\), replica_groups=(\{\{.*?\}\})", program.hlo)
    gradients = (len(program.aliases) - 2) // 3  # a variable, its two moments; rate and number of updates
    assert len(sums) == gradients + 2  # and the counts
    assert {group for _, group in sums} == {"{{0,1,2,3}}"}


def test_what_is_updated_takes_the_place_of_what_was(program):
    given = re.findall(r"\{(\d+)\}: \((\d+), \{\}", program.hlo.splitlines()[0])
    assert program.aliases == {int(result): int(argument) for result, argument in given}
    assert min(program.aliases) == program.returned


def test_too_little_memory_is_told_apart_from_what_does_not_compile():
    full = {"error": "RESOURCE_EXHAUSTED: Ran out of memory in memory space hbm. Used 20.5G of 15.75G hbm."}
    assert line(full, 4, 16) == ("too large: 20.5 GiB of 15.75 GiB", True)
    text, sound = line({"error": "UNIMPLEMENTED: no such thing"}, 4, 16)
    assert text.startswith("DID NOT COMPILE: UNIMPLEMENTED")
    assert not sound


@pytest.mark.parametrize("frozen", [False, True])
def test_the_update_can_be_taken_in_by_a_tpu(frozen):
    """What `TPUStrategy.run` does with it: every argument becomes a tensor."""
    model = Wav2Vec2ForCTC(tiny())
    optimizer = build_optimizer(OptimizerConfig(), model.trainable_variables)
    options = dict(do_normalize=True, clip_norm=1.0, seed=1, jit_compile=True, report=print, freeze_steps=1)
    step, (block,) = TrainStep(model, optimizer, Cluster(), **options), split(update(0), 1)

    def replica(*args):
        return step.replica[frozen](*args)

    def replicate():
        return tf.compat.v1.tpu.replicate(replica, [[block, tf.constant([1, 2]), tf.constant(1e-3)]])

    tf.function(replicate, autograph=False).get_concrete_function()
