"""Does the train step compile for TPUs, and how much of their memory does it take? No TPU is needed.

    python -m benchmarks.tpu_compile --tpu-python PATH [--models base large_lv60 xls_r_1b] [--devices v5e ...]
        [--shapes 50x4 20x10 ...] [--replicas 4]

Each model is a recipe's, in bfloat16. Its whole update (forward, backward, the reduction over replicas, the optimizer)
is lowered here, from variables that hold nothing, and compiled by the TPU compiler in an environment of its own
(`make tpu-compile` makes it). It takes long, less on many cores; one line each, for RESULTS.md. Ends with 1 if one did
not compile for another reason than too little memory.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import keras
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_all_reduce  # the public one knows no CPU to lower it on

from train.config import RunConfig, architecture
from train.flags import parse
from train.memory import activation_bytes, count_state
from train.optimizer import build_optimizer
from train.setup import choose_trainable
from train.step import TrainStep
from train.strategy import Cluster
from wav2vec2_tf import Wav2Vec2ForCTC
from wav2vec2_tf.layers.initial import blank_weights
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

MODELS = {
    "base":       "--recipe base_100h",
    "large_lv60": "--recipe large_100h --gradient_checkpointing true",
    "xls_r_1b":   "--recipe xls_r_cv --preset xls_r_1b --gradient_checkpointing true --optimizer.name adafactor",
}  # fmt: skip
# kind    topology   GiB per device
DEVICES = {
    "v4":  ("v4:2x2x1",  32),
    "v5e": ("v5e:2x2",   16),
    "v5p": ("v5p:2x2x1", 95),
    "v6e": ("v6e:2x2",   32),
}  # fmt: skip
SHAPES = {"base": ["48x4.2", "20x10", "12x16"], "large_lv60": ["19x4.2", "8x10", "5x16"], "xls_r_1b": ["8x10", "5x16"]}
LABELS_PER_SECOND = 20
GIB = 2**30


@dataclass(frozen=True)
class Program:
    """A train step ready for the TPU compiler.

    Attributes:
        hlo: HloModuleProto, serialized; or its text.
        aliases: Number of a result -> number of the argument whose memory it takes: what is updated in place.
        returned: Results that are no variable: the step's counts.
    """

    hlo: bytes | str
    aliases: dict[int, int]
    returned: int


class Replica:
    """What a replica sees of its pod, for code that asks tf.distribute."""

    replica_id_in_sync_group = 0

    def __init__(self, count: int):
        self.group = [list(range(count))]

    def all_reduce(self, _, values):
        """Sums tensors over all replicas, as TPUStrategy does."""
        return [xla_all_reduce(value, self.group, reduce_op="Add", mode="CrossReplica") for value in values]


def lower(
    config: RunConfig,
    model_config,
    parts: int,
    rows: int,
    samples: int,
    labels: int,
    replicas: int = 1,
    stage: str = "hlo_serialized",
) -> Program:
    """Turns the update of a run into a program for XLA.

    Args:
        config: The run.
        model_config: Its architecture.
        parts: Parts of the update.
        rows: B, rows of each.
        samples: S, samples per row.
        labels: U, labels per row.
        replicas: How many share the update.
        stage: `hlo_serialized`, or `hlo` for text.
    Returns:
        The program.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        step = _step(config, model_config)
    finally:
        keras.config.set_dtype_policy(policy)
    shapes = dict(audio=[samples], num_samples=[], labels=[labels], num_labels=[], weight=[])
    types = dict(audio=tf.int16, weight=tf.float32)
    specs = [tf.TensorSpec([parts, rows, *shape], types.get(name, tf.int32)) for name, shape in shapes.items()]

    def update(seed, rate, *block):
        return step.replica[False](dict(zip(shapes, block, strict=True)), seed, rate)

    function = tf.function(update, jit_compile=True, autograph=False)
    specs = [tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.float32), *specs]
    with mock.patch.object(tf.distribute, "get_replica_context", return_value=Replica(replicas)):
        graph = function.get_concrete_function(*specs)
        hlo = function.experimental_get_compiler_ir(*specs)(stage=stage, platform_name="CPU")
    updated = {id(v.value.handle) for v in (*step.variables, *step.optimizer.variables)}
    places = [len(specs) + i for i, handle in enumerate(graph.captured_inputs) if id(handle) in updated]
    returned = len(tf.nest.flatten(graph.structured_outputs))
    return Program(hlo, {returned + i: place for i, place in enumerate(places)}, returned)


def _step(config: RunConfig, model_config) -> TrainStep:
    with blank_weights():
        model = Wav2Vec2ForCTC(model_config)
    choose_trainable(model, config)
    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    optimizer = build_optimizer(config.optimizer, model.trainable_variables, config.precision)
    settings = dict(do_normalize=True, clip_norm=config.optimizer.clip_norm, seed=0, jit_compile=False, report=print)
    return TrainStep(model, optimizer, Cluster(), **settings)


def compile_for(tpu_python: str, program: Program, topology: str, replicas: int) -> dict:
    """Compiles a program in the other environment; gives what `tpu_compiler` prints."""
    order = json.dumps({"aliases": program.aliases, "replicas": replicas})
    with tempfile.NamedTemporaryFile(suffix=".hlo") as file:
        file.write(program.hlo)
        file.flush()
        command = [tpu_python, str(Path(__file__).with_name("tpu_compiler.py")), file.name, topology]
        done = subprocess.run(command, input=order, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"error": done.stderr[-2000:]}


def line(found: dict, rows: int, limit: int) -> tuple[str, bool]:
    """Says what became of a program, and whether it is in order: compiled, or too large.

    >>> line({"arguments": 2 * GIB, "results": GIB, "aliased": GIB, "temporary": GIB, "code": 0, "flops": 3e12,
    ...       "loops": 1, "all_reduces": 0, "custom_calls": [], "seconds": 60}, rows=4, limit=16)
    ('compiled in 60 core seconds: 3.00 of 16 GiB (2.00 state, 1.00 for the step), 3.0 TFLOP, at least 56 rows fit',
     True)
    """
    if "error" in found:
        used = re.search(r"Used ([\d.]+)G of ([\d.]+)G hbm", found["error"])
        if used:
            return f"too large: {used[1]} GiB of {used[2]} GiB", True
        return f"DID NOT COMPILE: {found['error'][:300]}", False
    state = found["arguments"] + found["results"] - found["aliased"]
    used, more = state + found["temporary"] + found["code"], found["temporary"] / rows
    return (
        f"compiled in {found['seconds']:.0f} core seconds: {used / GIB:.2f} of {limit} GiB ({state / GIB:.2f} state, "
        f"{found['temporary'] / GIB:.2f} for the step), {found['flops'] / 1e12:.1f} TFLOP, at least "
        f"{rows + int((limit * GIB - used) // more)} rows fit"
    ), True


def estimate(config: RunConfig, model_config, rows: int, samples: int, labels: int) -> float:
    """What `train --plan` says about the same, in GiB."""
    state = count_state(config, model_config)
    step = state.gradients + activation_bytes(config, model_config, rows, samples, labels)
    return (state.weights + state.optimizer + step) / GIB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tpu-python", required=True)
    parser.add_argument("--models", nargs="+", default=["base", "large_lv60"], choices=MODELS)
    parser.add_argument("--devices", nargs="+", default=list(DEVICES), choices=DEVICES)
    parser.add_argument("--shapes", nargs="+", help="ROWSxSECONDS; by default what a device held in the recipe's runs")
    parser.add_argument("--replicas", type=int, default=4)
    options, sound = parser.parse_args(), True
    for name in options.models:
        config = parse([*"--data none --out none".split(), *MODELS[name].split()]).config
        for shape in options.shapes or SHAPES[name]:
            rows, seconds = int(shape.partition("x")[0]), float(shape.partition("x")[2])
            sizes = rows, int(seconds * SAMPLE_RATE_HZ), int(seconds * LABELS_PER_SECOND)
            program = lower(config, architecture(config), 1, *sizes, options.replicas)
            foretold = estimate(config, architecture(config), *sizes)
            for device in options.devices:
                topology, limit = DEVICES[device]
                text, good = line(compile_for(options.tpu_python, program, topology, options.replicas), rows, limit)
                print(f"{name} {shape} s {device} x {options.replicas}: {text}; --plan: {foretold:.2f} GiB", flush=True)
                sound &= good
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
