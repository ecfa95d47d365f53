"""How fast are recordings turned into text, beside transformers' pipeline and ONNX Runtime, and what do hours take?

    python -m benchmarks.decode --torch-python PATH --speech FOLDER [--seconds 400] [--rounds 3] [--batch-sizes 1 4 8]
    python -m benchmarks.decode --speech FOLDER --long [--layers 2] [--minutes 1 10 30 120]

A base model with random weights, written once, hears AN4's test part and the recordings of `wild`, from the files to
the text, float32, two threads. transformers' pipeline is given the batch size that suits it best, ONNX Runtime one file
at a time, the graph exported from PyTorch. Every side is a process of its own; the first round of each is not counted,
then they take their turns. All of them must hear the same text; recordings are taken in one piece.

--long makes recordings of growing length out of the same speech, hears each in windows, in a process of its own, and
prints time and the process's peak memory.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

THREADS = 2

WRITE = """
import sys, torch, transformers
torch.manual_seed(0)
model = transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(num_hidden_layers=int(sys.argv[2])))
torch.nn.init.normal_(model.lm_head.weight)  # so that no label wins everywhere
with torch.no_grad():
    model.lm_head.bias[1:4] = -1e4  # <s> </s> <unk>, which transformers prints
model.save_pretrained(sys.argv[1])
"""
TURNS = """
import json, sys, time
def serve(transcribe):
    for line in sys.stdin:
        start = time.perf_counter()
        texts = transcribe(json.loads(line))
        print(json.dumps([time.perf_counter() - start, texts]), flush=True)
"""
TORCH = """
import sys, warnings, numpy, soundfile, soxr, torch, transformers
warnings.simplefilter("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
folder, size, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
def load(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples.mean(axis=1)
    return samples if rate == 16_000 else soxr.resample(samples, rate, 16_000, quality="HQ")
"""
PIPELINE = """
pipe = transformers.pipeline("automatic-speech-recognition", folder, dtype=torch.float32)
def transcribe(paths):
    inputs = ({"raw": load(path), "sampling_rate": 16_000} for path in paths)
    return [output["text"] for output in pipe(inputs, batch_size=size)]
serve(transcribe)
"""
ONNX = """
import onnxruntime, os
class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = transformers.Wav2Vec2ForCTC.from_pretrained(folder, attn_implementation="eager").eval()
    def forward(self, values):
        return self.model(values).logits
names = dict(input_names=["values"], output_names=["logits"], dynamic_axes={"values": [0, 1], "logits": [0, 1]})
path = folder + "/model.onnx"
torch.onnx.export(Logits(), (torch.randn(1, 32_000),), path, opset_version=17, dynamo=False, **names)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options)
processor = transformers.Wav2Vec2Processor.from_pretrained(folder)
def hear(path):
    values = processor(load(path), sampling_rate=16_000, return_tensors="np").input_values
    return processor.decode(session.run(None, {"values": values})[0].argmax(-1)[0])
serve(lambda paths: [hear(path) for path in paths])
"""
OURS = """
import sys, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[3]))
from wav2vec2_tf import Transcriber
transcriber = Transcriber.from_pretrained(sys.argv[1], window_seconds=100)
serve(lambda paths: [result.text for result in transcriber.transcribe_all(paths)])
"""
LONG = """
import sys, time, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[3]))
from wav2vec2_tf import Transcriber
transcriber = Transcriber.from_pretrained(sys.argv[1])
start = time.perf_counter()
words = len(transcriber.transcribe(sys.argv[2]).words)
peak = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
print(time.perf_counter() - start, peak / 1e9, words)
"""


class Side:
    """One program, waiting for its turn."""

    def __init__(self, python: str, code: str, folder: str, batch_size: int = 1):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        command = [python, "-c", TURNS + code, folder, str(batch_size), str(THREADS)]
        self.process = subprocess.Popen(command, **pipes)
        self.seconds, self.texts = [], []

    def turn(self, paths: list[str]) -> None:
        """Transcribes everything once."""
        self.process.stdin.write(json.dumps(paths) + "\n")
        self.process.stdin.flush()
        lines = (line for line in self.process.stdout if line.startswith("["))
        seconds, self.texts = json.loads(next(lines, None) or sys.exit("a side died; its error stands above"))
        self.seconds.append(seconds)

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()


def recordings(speech: Path, seconds: float) -> tuple[list[str], float]:
    """Picks recordings evenly, until they last so long; gives their paths and how long they are together."""
    found = []
    for name in ("an4", "wild"):
        with open(speech / name / "manifest.tsv", encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            found += [row | {"path": str(speech / name / row["path"])} for row in rows if row["split"] == "test"]
    total = sum(float(row["duration_s"]) for row in found)
    picked = found[:: max(1, round(total / seconds))]
    return [row["path"] for row in picked], sum(float(row["duration_s"]) for row in picked)


def write_model(torch_python: str, folder: str, layers: int) -> None:
    """Writes model and processor, for all sides."""
    from wav2vec2_tf import Wav2Vec2Processor

    subprocess.run([torch_python, "-c", WRITE, folder, str(layers)], check=True, capture_output=True)
    Wav2Vec2Processor().save_pretrained(folder)


def compare(options: argparse.Namespace) -> None:
    """Lets the sides take turns; prints a table."""
    paths, seconds = recordings(options.speech, options.seconds)
    print(f"{len(paths)} recordings, {seconds:.0f} s, base, {THREADS} threads, {options.rounds} rounds in turn\n")
    with tempfile.TemporaryDirectory() as folder:
        write_model(options.torch_python, folder, 12)
        sides = {
            f"transformers' pipeline, batches of {size}": Side(options.torch_python, TORCH + PIPELINE, folder, size)
            for size in options.batch_sizes
        }
        sides["ONNX Runtime, one at a time"] = Side(options.torch_python, TORCH + ONNX, folder)
        sides["ours"] = Side(sys.executable, OURS, folder)
        for _ in range(options.rounds + 1):
            for side in sides.values():
                side.turn(paths)
        for side in sides.values():
            side.close()
    expected = sides["ONNX Runtime, one at a time"].texts
    ours = statistics.median(sides["ours"].seconds[1:])
    print("| | audio s per s | ours is faster by | first round, s | texts as ONNX Runtime's |")
    print("| --- | --: | --: | --: | --: |")
    for name, side in sides.items():
        median = statistics.median(side.seconds[1:])
        same = sum(a == b for a, b in zip(side.texts, expected, strict=True))
        print(
            f"| {name} | {seconds / median:.1f} | {median / ours:.2f} | {side.seconds[0]:.1f} | {same}/{len(paths)} |"
        )


def hear_long(options: argparse.Namespace) -> None:
    """Transcribes recordings of growing length; prints a table."""
    import soundfile

    from wav2vec2_tf import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Processor
    from wav2vec2_tf.audio import load, to_int16

    paths, _ = recordings(options.speech, 300)
    speech = to_int16(np.concatenate([load(path) for path in paths]))
    print(f"base with {options.layers} layers, windows of 30 s, {THREADS} threads\n")
    print("| recording | s | audio s per s | peak GB | words |\n| --- | --: | --: | --: | --: |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        Wav2Vec2ForCTC(Wav2Vec2Config(num_hidden_layers=options.layers)).save_pretrained(folder)
        Wav2Vec2Processor().save_pretrained(folder)
        for minutes in options.minutes:
            path = f"{folder}/{minutes}.flac"
            with soundfile.SoundFile(path, "w", 16_000, 1) as file:
                for first in range(0, minutes * 60 * 16_000, len(speech)):
                    file.write(speech[: minutes * 60 * 16_000 - first])
            command = [sys.executable, "-c", LONG, folder, path, str(THREADS)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-3:]
            seconds, peak, words = map(float, done)
            print(
                f"| {minutes} min | {seconds:.1f} | {minutes * 60 / seconds:.1f} | {peak:.2f} | {words:.0f} |",
                flush=True,
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, required=True, help="folder with an4 and wild")
    parser.add_argument("--torch-python", help="Python of an environment with PyTorch, transformers and ONNX Runtime")
    parser.add_argument("--seconds", type=float, default=400, help="audio of each round, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 4, 8], help="of transformers' pipeline")
    parser.add_argument("--long", action="store_true", help="hours of audio instead")
    parser.add_argument("--layers", type=int, default=2, help="of the model that hears hours")
    parser.add_argument("--minutes", type=int, nargs="+", default=[1, 10, 30, 120])
    options = parser.parse_args()
    if not options.long and options.torch_python is None:
        parser.error("name --torch-python, or ask for --long")
    (hear_long if options.long else compare)(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
