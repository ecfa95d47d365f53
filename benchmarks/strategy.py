"""What does a strategy cost? The same update on one device, and on two logical devices of the same CPU.

    python -m benchmarks.strategy [--layers 4] [--rows 8] [--seconds 5] [--rounds 7] [--jit_compile 1]

Both do the same work with the same cores, in turn, round after round; what the two devices take longer is the strategy:
splitting, the reduction, weights on both. A row of accumulation in two parts on one device stands beside it.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def build(cluster, layers: int, jit_compile: bool):
    """Makes a model of the base size but for its layers, and its update."""
    import keras

    from train.config import OptimizerConfig
    from train.optimizer import build_optimizer
    from train.step import TrainStep
    from wav2vec2_tf import Wav2Vec2ForCTC
    from wav2vec2_tf.config import Wav2Vec2Config

    with cluster.strategy.scope():
        keras.utils.set_random_seed(0)
        model = Wav2Vec2ForCTC(Wav2Vec2Config.base(num_hidden_layers=layers))
        model.freeze_feature_encoder()
        optimizer = build_optimizer(OptimizerConfig(), model.trainable_variables)
    options = dict(do_normalize=False, clip_norm=1.0, seed=0, jit_compile=jit_compile, report=print)
    return TrainStep(model, optimizer, cluster, **options)


def batch_of(rows: int, seconds: float) -> dict:
    """Gives noise with labels."""
    import tensorflow as tf

    samples, labels = int(seconds * 16_000), 40
    noise = tf.random.stateless_uniform([rows, samples], [0, 1], -3000, 3000, tf.int32)
    return {
        "audio": tf.cast(noise, tf.int16),
        "num_samples": tf.fill([rows], samples),
        "labels": tf.random.stateless_uniform([rows, labels], [0, 2], 4, 32, tf.int32),
        "num_labels": tf.fill([rows], labels),
        "weight": tf.ones([rows]),
    }


def main():
    parser = argparse.ArgumentParser(description="What does a strategy cost?")
    for name, kind, default in (
        ("layers", int, 4), ("rows", int, 8), ("seconds", float, 5.0), ("rounds", int, 7), ("jit_compile", int, 1),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=kind, default=default)
    args = parser.parse_args()
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from train.layout import split
    from train.step import fetch
    from train.strategy import Cluster, mirror

    batch, half = batch_of(args.rows, args.seconds), int(args.rows / 2 * args.seconds * 16_000)
    clusters = Cluster(), mirror(["CPU:0", "CPU:1"])
    one, two = (build(cluster, args.layers, args.jit_compile == 1) for cluster in clusters)
    ways = {
        "one device": (one, split(batch, 1)),
        "one device, in two parts": (one, split(batch, 1, half)),
        "two logical devices": (two, split(batch, 2)),
    }
    taken = {name: [] for name in ways}
    for i in range(args.rounds + 1):
        for name, (step, blocks) in ways.items():
            start = time.perf_counter()
            fetch([step(blocks, i, 1e-5)])
            taken[name].append(time.perf_counter() - start)
    base = statistics.median(taken["one device"][1:])  # the first round compiles
    for name, seconds in taken.items():
        median = statistics.median(seconds[1:])
        print(f"{name:26} {median:6.2f} s  {median / base:5.2f} times one device")


if __name__ == "__main__":
    main()
