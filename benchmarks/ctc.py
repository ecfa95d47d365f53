"""How fast is our CTC loss, forward and backward, beside TensorFlow's and PyTorch's?

    python -m benchmarks.ctc [--torch-python PATH] [--rounds 7]

Every contestant does the same work in turn, round after round, so that a busy moment hits all alike; the table gives
medians. PyTorch runs in an environment of its own, in a subprocess that waits for its turn.
"""

import argparse
import statistics
import subprocess
import sys
import time

BATCH, FRAMES, VOCABULARY, LABELS, THREADS = 8, 500, 32, 100, 2

TORCH = """
import sys, time, numpy, torch
torch.set_num_threads(int(sys.argv[1]))
batch, frames, vocabulary, labels = map(int, sys.argv[2:])
rng = numpy.random.default_rng(0)
logits = torch.tensor(rng.standard_normal((batch, frames, vocabulary)).astype("f"), requires_grad=True)
targets = torch.tensor(rng.integers(1, vocabulary, (batch, labels)))
sizes = torch.full((batch,), frames), torch.full((batch,), labels)
def run():
    logits.grad = None
    log_probs = torch.log_softmax(logits, -1).transpose(0, 1)
    torch.nn.functional.ctc_loss(log_probs, targets, *sizes, reduction="none", zero_infinity=True).sum().backward()
run()
print("PyTorch", torch.__version__, flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    run()
    print(time.perf_counter() - start, flush=True)
"""


def torch_contestant(python: str):
    """Starts PyTorch's process; returns its name and a function that runs one turn and gives its seconds."""
    sizes = [str(n) for n in (THREADS, BATCH, FRAMES, VOCABULARY, LABELS)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    process = subprocess.Popen([python, "-c", TORCH, *sizes], **pipes)

    def turn() -> float:
        process.stdin.write("go\n")
        return float(process.stdout.readline())

    return process.stdout.readline().strip(), turn


def tensorflow_contestants() -> dict:
    """Builds every TensorFlow contestant; returns name -> function that runs one turn and gives its seconds."""
    import numpy as np
    import tensorflow as tf

    from wav2vec2_tf.ctc import ctc_loss

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.standard_normal((BATCH, FRAMES, VOCABULARY)).astype("f"))
    labels = tf.constant(rng.integers(1, VOCABULARY, (BATCH, LABELS)), tf.int32)
    frames, sizes = tf.fill([BATCH], FRAMES), tf.fill([BATCH], LABELS)

    def dense(logits):
        return tf.nn.ctc_loss(labels, logits, sizes, frames, logits_time_major=False, blank_index=0)

    def sparse(logits):
        targets = tf.sparse.from_dense(labels)
        return tf.nn.ctc_loss(targets, logits, None, frames, logits_time_major=False, blank_index=0)

    def ours(logits):
        return ctc_loss(logits, frames, labels, sizes)

    def contestant(loss, jit):
        @tf.function(jit_compile=jit)
        def both(logits):
            with tf.GradientTape() as tape:
                tape.watch(logits)
                losses = loss(logits)
            return losses, tape.gradient(losses, logits)

        def turn() -> float:
            start = time.perf_counter()
            both(logits)[1].numpy()
            return time.perf_counter() - start

        turn()  # trace and compile
        return turn

    return {
        "ours, XLA": contestant(ours, True),
        "ours, graph": contestant(ours, False),
        "tf.nn.ctc_loss dense, XLA": contestant(dense, True),
        "tf.nn.ctc_loss dense, graph": contestant(dense, False),
        "tf.nn.ctc_loss sparse, CPU kernel": contestant(sparse, False),
    }


def table(seconds: dict) -> str:
    """Lays out medians in milliseconds and how many times as long as ours each takes."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    head = [
        "| loss and gradient | median ms | fastest ms | / ours, XLA | / ours, graph |",
        "| --- | --: | --: | --: | --: |",
    ]
    xla, graph = medians["ours, XLA"], medians["ours, graph"]
    rows = [
        f"| {name} | {1e3 * median:.1f} | {1e3 * min(seconds[name]):.1f} | {median / xla:.1f} | {median / graph:.1f} |"
        for name, median in medians.items()
    ]
    return "\n".join(head + rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="Python of an environment with PyTorch; without it, PyTorch sits out")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    contestants = tensorflow_contestants()
    if arguments.torch_python:
        name, turn = torch_contestant(arguments.torch_python)
        contestants[name] = turn
    seconds = {name: [] for name in contestants}
    for _ in range(arguments.rounds):
        for name, turn in contestants.items():
            seconds[name].append(turn())
    print(f"B {BATCH}, T {FRAMES}, V {VOCABULARY}, L {LABELS}, {THREADS} threads, {arguments.rounds} rounds in turn\n")
    print(table(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
