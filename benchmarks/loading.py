"""What does `from_pretrained` cost, in time and memory, beside PyTorch's on the same file?

    python -m benchmarks.loading --torch-python PATH [--rounds 5]

PyTorch writes a large-lv60 model with random weights (1.2 GB). Then fresh processes load it in turn, one of PyTorch and
one of ours, each with its libraries imported and the file in the page cache. Three times count: until the model is
returned, until its first logits of a five-second clip, and until its second. Memory is what the peak lies above what
the process held before, against the bytes of the weights.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

THREADS = 2

WRITE = """
import sys, torch, transformers
torch.manual_seed(0)
sizes = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
config = transformers.Wav2Vec2Config(**sizes, feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True)
transformers.Wav2Vec2ForCTC(config).save_pretrained(sys.argv[1])
"""
MEASURE = """
import json, time
def memory(key):
    return int(open("/proc/self/status").read().split(key + ":")[1].split()[0]) * 1024
def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
before = memory("VmRSS")
found = dict(load=seconds(load), held=memory("VmRSS") - before, peak=memory("VmHWM") - before)
found["first"] = found["load"] + seconds(run)
found["peak_first"] = memory("VmHWM") - before
found["second"] = seconds(run)
print(json.dumps(found))
"""
TORCH = """
import sys, numpy, torch, transformers
torch.set_num_threads(int(sys.argv[2]))
from transformers import Wav2Vec2ForCTC
clip = torch.tensor(numpy.random.default_rng(0).standard_normal((1, 80_000)).astype("f"))
def load():
    global model
    model = Wav2Vec2ForCTC.from_pretrained(sys.argv[1]).eval()
def run():
    with torch.no_grad():
        model(clip).logits.numpy()
"""
OURS = """
import sys, numpy, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[2]))
from wav2vec2_tf import Wav2Vec2ForCTC, hub
clip = tf.constant(numpy.random.default_rng(0).standard_normal((1, 80_000)).astype("f"))
def load():
    global model
    model = Wav2Vec2ForCTC.from_pretrained(sys.argv[1])
def run():
    model(clip).numpy()
"""


def measured(python: str, code: str, folder: str) -> dict:
    """Runs one process to its end and gives what it measured."""
    command = [python, "-c", code + MEASURE, folder, str(THREADS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(found: dict[str, list[dict]], weights: int) -> str:
    """Lays out medians; memory as a multiple of the weights."""
    head = [
        "| | returned s | first logits s | second logits s | peak, loading / weights | peak, first logits / weights |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for name, rounds in found.items():
        middle = {key: statistics.median(row[key] for row in rounds) for key in rounds[0]}
        head.append(
            f"| {name} | {middle['load']:.2f} | {middle['first']:.2f} | {middle['second']:.2f} | "
            f"{middle['peak'] / weights:.2f} | {middle['peak_first'] / weights:.2f} |"
        )
    return "\n".join(head)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", required=True, help="Python of an environment with PyTorch and transformers")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    contestants = {"PyTorch transformers": (options.torch_python, TORCH), "ours": (sys.executable, OURS)}
    found = {name: [] for name in contestants}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.torch_python, "-c", WRITE, folder], check=True, capture_output=True)
        for _ in range(options.rounds):
            for name, contestant in contestants.items():
                found[name].append(measured(*contestant, folder))
        weights = (Path(folder) / "model.safetensors").stat().st_size
    print(f"large-lv60, {weights / 1e9:.2f} GB, {THREADS} threads, medians of {options.rounds} rounds in turn\n")
    print(table(found, weights))
    return 0


if __name__ == "__main__":
    sys.exit(main())
