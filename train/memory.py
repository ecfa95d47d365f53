"""How much memory a run takes on each device, foretold from shapes alone: nothing is allocated, nothing compiled.

Weights, optimizer and gradients are counted on the very objects of a run, made in a graph that never runs. Activations
are a formula: what XLA keeps of each block, in terms of its sizes. `benchmarks.tpu_compile` gives the compiler's own
figures beside it. Printing is left to `plan_report`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf

from train.config import RunConfig
from train.optimizer import build_optimizer
from train.setup import choose_trainable
from wav2vec2_tf import Wav2Vec2ForCTC
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.lengths import frames_for

FLOAT_BYTES = 4
CTC_COPIES = 8  # of [T, 2U + 1] scores in float32: emitted and reached, forward and reversed, and the posterior


@dataclass(frozen=True)
class State:
    """What a device holds whatever the batch.

    Attributes:
        parameters: Numbers in all weights.
        trainable: Numbers in those that learn.
        weights: Bytes of all weights.
        optimizer: Bytes of the optimizer's state, averages of the weights included.
        gradients: Bytes of the gradient.
    """

    parameters: int
    trainable: int
    weights: int
    optimizer: int
    gradients: int


def count_state(config: RunConfig, model_config: Wav2Vec2Config) -> State:
    """Counts what a run holds, without making it.

    Args:
        config: The run; what learns, and the optimizer.
        model_config: The architecture.
    Returns:
        The counts; `gradients` of an update in one part.
    """
    with tf.Graph().as_default():  # variables made here have shapes and no memory
        model = Wav2Vec2ForCTC(model_config)
        choose_trainable(model, config)
        learning = model.trainable_variables
        optimizer = build_optimizer(config.optimizer, learning, config.precision)
    return State(
        parameters=sum(_numbers(variable) for variable in model.weights),
        trainable=sum(map(_numbers, learning)),
        weights=_bytes(model.weights),
        optimizer=_bytes(optimizer.variables),
        gradients=_bytes(learning),
    )


def _numbers(variable) -> int:
    return math.prod(variable.shape)


def _bytes(variables: Sequence) -> int:
    return sum(_numbers(variable) * tf.as_dtype(variable.dtype).size for variable in variables)


def activation_bytes(
    config: RunConfig, model: Wav2Vec2Config, rows: int, samples: int, labels: int, backward: bool = True
) -> int:
    """Estimates what forward and backward of one part take beyond weights and gradients, at their peak.

    Args:
        config: The run: precision, checkpointing, what learns.
        model: The architecture.
        rows: B, rows of the part.
        samples: S, samples per row.
        labels: U, labels per row.
    Returns:
        Bytes: the front (convolutions) or the rest, whichever peak is higher where the convolutions are frozen, else
        both.
    """
    size, frames = 4 if config.precision == "float32" else 2, frames_for(samples, model.convs)
    front = _front(model, samples, size)
    blocks, block = model.num_hidden_layers, _block(model, frames, size)
    if config.trainable == "head":
        kept = 2 * block
    elif config.gradient_checkpointing:
        kept = blocks * frames * model.hidden_size * size + 2 * block
    else:
        kept = blocks * block + block  # and as much again of one block while it goes backward
    loss = CTC_COPIES * frames * (2 * labels + 1) * FLOAT_BYTES
    frozen = config.freeze_feature_encoder or config.trainable != "all"
    return rows * (max(max(front) * 2, kept + loss) if frozen else 2 * sum(front) + kept + loss)


def _front(model: Wav2Vec2Config, samples: int, size: int) -> list[int]:
    """Gives the bytes of what each convolution yields, of one row."""
    lengths = [frames_for(samples, model.convs[: i + 1]) for i in range(len(model.conv_dim))]
    return [length * width * size for length, width in zip(lengths, model.conv_dim, strict=True)]


def _block(model: Wav2Vec2Config, frames: int, size: int) -> int:
    """Gives the bytes that one block keeps of one row for its backward pass."""
    width, inner, scores = model.hidden_size, model.intermediate_size, model.num_attention_heads * frames
    kept = 8 * width  # in and out of both norms, queries, keys, values, and what the heads saw
    kept += 2 * inner  # before and after the activation
    kept += scores * (size < FLOAT_BYTES or model.attention_dropout > 0)  # the shares of attention, if not the softmax
    masks = 2 * width * (model.hidden_dropout > 0) + inner * (model.activation_dropout > 0)
    masks += scores * (model.attention_dropout > 0)  # a byte for each number that dropout may have hit
    return frames * (kept * size + masks + scores * FLOAT_BYTES)  # the softmax is taken in float32
