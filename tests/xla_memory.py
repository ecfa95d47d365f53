"""What XLA sets aside for a train step on a CPU, in a process of its own: its flags are read once.

    python -m tests.xla_memory FOLDER

prints a JSON object: what a step does without -> bytes that XLA sets aside for arguments, results and all between.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.tiny import NO_CHANCE

ROOT = Path(__file__).parents[1]
QUICK = "--xla_dump_hlo_as_text --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


SIZES = NO_CHANCE | dict(hidden_size=32, intermediate_size=128, num_hidden_layers=3)
ROWS, SAMPLES = 4, 64 * 150


def measure(folder: Path) -> dict[str, int]:
    """Runs this file; FOLDER takes XLA's reports."""
    flags = {"XLA_FLAGS": f"--xla_dump_to={folder} {QUICK}", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-m", "tests.xla_memory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | flags, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def _bytes_of_newest(folder: Path) -> int:
    report = max(folder.glob("*memory-usage-report.txt"), key=lambda path: path.stat().st_mtime_ns)
    return int(re.search(r"Total bytes used: (\d+)", report.read_text("utf-8")).group(1))


def _step(change):
    import tensorflow as tf

    from tests.tiny import tiny
    from wav2vec2_tf import Wav2Vec2ForCTC

    model = Wav2Vec2ForCTC(tiny("layer_norm", **SIZES))
    change(model)

    @tf.function(jit_compile=True, autograph=False)
    def gradients(audio, seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(audio, training=True, seed=seed) ** 2)
        return tape.gradient(loss, [variable.value for variable in model.trainable_variables])

    gradients(tf.ones([ROWS, SAMPLES]), tf.constant([1, 2]))


CASES = {
    "convolutions": lambda model: model.freeze_feature_encoder(),
    "body": lambda model: setattr(model.wav2vec2, "trainable", False),
    "activations": lambda model: (model.freeze_feature_encoder(), model.gradient_checkpointing_enable()),
}

if __name__ == "__main__":
    found = {}
    for name, change in CASES.items():
        _step(change)
        found[name] = _bytes_of_newest(Path(sys.argv[1]))
    print(json.dumps(found))
