"""Compiles one program for a TPU that is not there, and tells what it would need. Called by `tpu_compile`.

    python tpu_compiler.py step.hlo v5e:2x2 < aliases.json

It runs in an environment of its own (jax, libtpu; no TensorFlow) and prints one JSON object:
{"seconds", "arguments", "results", "aliased", "temporary", "code": bytes, "flops", "loops", "all_reduces",
"custom_calls"}, or {"seconds", "error"}. Seconds are the processor's, of all cores together.
aliases.json: {"aliases": {number of a result: number of the argument whose memory it may take}, "replicas": 4}.
"""

import json
import os
import re
import sys
import time

# the compiler shall look for no TPU, and be loadable by more than one process
os.environ.update(TPU_SKIP_MDS_QUERY="1", ALLOW_MULTIPLE_LIBTPU_LOAD="1", JAX_PLATFORMS="cpu")
os.environ.update(TPU_ACCELERATOR_TYPE="v5litepod-4", TPU_WORKER_HOSTNAMES="localhost")

import numpy as np  # noqa: E402
from jax._src.interpreters import mlir as jax_mlir  # noqa: E402
from jax.experimental import topologies  # noqa: E402
from jaxlib import _jax, xla_client  # noqa: E402
from jaxlib.mlir import ir  # noqa: E402

DONATION = "tf.aliasing_output"


def parse(program: bytes, aliases: dict[int, int]):
    """Makes a module that the TPU compiler takes from a serialized HloModuleProto; to be called in an MLIR context."""
    module = ir.Module.parse(_jax.mlir.hlo_to_stablehlo(program))
    functions = [op for op in module.body.operations if op.operation.name == "func.func"]
    main = next(function for function in functions if function.sym_name.value == "main")
    given = list(main.arg_attrs) if "arg_attrs" in main.attributes else [ir.DictAttr.get({})] * len(main.type.inputs)
    for result, argument in aliases.items():
        number = ir.IntegerAttr.get(ir.IntegerType.get_signless(32), result)
        given[argument] = ir.DictAttr.get({item.name: item.attr for item in given[argument]} | {DONATION: number})
    main.arg_attrs = ir.ArrayAttr.get(given)
    for copy in _operations(module.operation, "mhlo.copy"):  # TensorFlow's, around results
        copy.results[0].replace_all_uses_with(copy.operands[0])
        copy.erase()
    return module


def _operations(root, name: str) -> list:
    """Lists the operations of a name, at any depth."""
    inside = [op.operation for region in root.regions for block in region.blocks for op in block.operations]
    found = [op for op in inside if op.name == name]
    return found + [op for outer in inside for op in _operations(outer, name)]


def compile_for(module, topology: str, replicas: int):
    """Compiles a module for so many of a topology's chips."""
    devices = topologies.get_topology_desc(platform="tpu", topology_name=topology).devices[:replicas]
    options = xla_client.CompileOptions()
    options.num_replicas = options.executable_build_options.num_replicas = replicas
    options.num_partitions = options.executable_build_options.num_partitions = 1
    places = xla_client.DeviceAssignment.create(np.array([[device.id] for device in devices]))
    options.executable_build_options.device_assignment = places
    return devices[0].client.compile(module, xla_client.DeviceList(tuple(devices)), options)


def describe(executable) -> dict:
    """Reads off what a compiled program needs and holds."""
    memory, costs = executable.get_compiled_memory_stats(), executable.cost_analysis()
    text = executable.hlo_modules()[0].to_string()
    return dict(
        arguments=memory.argument_size_in_bytes,
        results=memory.output_size_in_bytes,
        aliased=memory.alias_size_in_bytes,
        temporary=memory.temp_size_in_bytes,
        code=memory.generated_code_size_in_bytes,
        flops=(costs[0] if isinstance(costs, list) else costs)["flops"],
        loops=len(re.findall(r" while\(", text)),
        all_reduces=len(re.findall(r" all-reduce(?:-start)?\(", text)),
        custom_calls=sorted(set(re.findall(r'custom_call_target="([^"]+)"', text))),
    )


def main(path: str, topology: str) -> None:
    settings, start = json.load(sys.stdin), time.process_time()
    with jax_mlir.make_ir_context(), ir.Location.unknown():
        aliases = {int(result): argument for result, argument in settings["aliases"].items()}
        with open(path, "rb") as file:
            module = parse(file.read(), aliases)
        try:
            found = describe(compile_for(module, topology, settings["replicas"]))
        except Exception as error:  # noqa: BLE001  the compiler's only word, whatever it is
            found = {"error": str(error)}
    print(json.dumps({"seconds": round(time.process_time() - start, 1)} | found))


if __name__ == "__main__":
    main(*sys.argv[1:])
