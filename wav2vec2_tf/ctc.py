"""The CTC loss: one scan over the frames, with the gradient in closed form.

Forward variables (alpha) and, on the reversed sequence, backward variables (beta) run side by side in the same scan
over the 2U + 1 states blank, l1, blank, l2, ... blank; the gradient is softmax minus posterior. Everything is float32
and static in shape, so it runs eagerly, in a graph and under XLA alike. Which rows count, and how rows are averaged,
is the trainer's business; `CTCLoss` is for `model.fit`.
"""

import keras
import tensorflow as tf

from wav2vec2_tf.lengths import frames_for

IMPOSSIBLE = -1e30  # log of nothing; finite, so that no difference of two of them is a NaN


def ctc_feasible(frame_lengths, labels, label_lengths):
    """Tells which rows have an alignment: labels plus one blank between equal neighbours fit into the frames.

    Args:
        frame_lengths: [B] int32.
        labels: [B, U] int32, padded with anything.
        label_lengths: [B] int32.
    Returns:
        [B] bool.
    """
    equal = tf.cast(labels[:, 1:] == labels[:, :-1], tf.int32)
    inside = tf.sequence_mask(label_lengths - 1, tf.shape(equal)[1], dtype=tf.int32)
    return label_lengths + tf.reduce_sum(equal * inside, axis=1) <= frame_lengths


def ctc_loss(logits, frame_lengths, labels, label_lengths, blank: int = 0):
    """Gives the negative log likelihood of each label sequence.

    >>> loss = ctc_loss(tf.zeros([1, 2, 4]), tf.constant([2]), tf.constant([[3]]), tf.constant([1]))
    >>> round(float(loss[0]), 4)        # -log(3 of 16 paths): "3 3", "blank 3", "3 blank"
    1.674

    Args:
        logits: [B, T, V] unnormalised scores; computed in float32 whatever their type.
        frame_lengths: [B] int32 real frames, at most T.
        labels: [B, U] int32 without blanks; what lies beyond `label_lengths` changes nothing.
        label_lengths: [B] int32; 0 is fine.
        blank: The blank's label, `pad_token_id`.
    Returns:
        [B] float32 in nats. A row without an alignment (see `ctc_feasible`) has loss 0 and gradient 0, as PyTorch's
        `zero_infinity=True`.
    Source: Graves et al. 2006, equations 6 to 16.
    """
    frame_lengths, label_lengths = tf.cast(frame_lengths, tf.int32), tf.cast(label_lengths, tf.int32)
    labels = tf.cast(labels, tf.int32)
    labels = tf.where(tf.sequence_mask(label_lengths, tf.shape(labels)[1]), labels, blank)
    feasible = ctc_feasible(frame_lengths, labels, label_lengths)

    @tf.custom_gradient
    def nll(logits):
        log_probs = tf.nn.log_softmax(logits)
        losses, posterior = _forward_backward(log_probs, frame_lengths, labels, label_lengths, blank)

        def gradient(upstream):
            counts = feasible[:, None] & tf.sequence_mask(frame_lengths, tf.shape(logits)[1])
            slope = tf.where(counts[..., None], tf.exp(log_probs) - posterior, 0.0)
            return upstream[:, None, None] * slope

        return tf.where(feasible, losses, 0.0), gradient

    return nll(tf.cast(logits, tf.float32))


class CTCLoss(keras.losses.Loss):
    """The loss of the earlier TF port, for `model.compile(optimizer, loss)` and `model.fit`.

    `fit` passes no lengths: every row counts as `model_input_shape[1]` samples long, and all its labels but the padding
    at its end count: blanks, or negative numbers such as -100. A loop that knows the real lengths calls `ctc_loss`.

    >>> from wav2vec2_tf.config import Wav2Vec2Config
    >>> loss = CTCLoss(Wav2Vec2Config(), (2, 1000), division_factor=2)
    >>> round(float(loss(tf.constant([[3], [0]]), tf.zeros([2, 2, 4]))), 4)    # (-log 3/16 - log 1/16) / 2
    2.2233

    Args:
        config: Wav2Vec2Config; gives the convolutions and the blank, `pad_token_id`, with which labels are padded.
        model_input_shape: Shape of the model's input, (batch, samples at 16 kHz).
        division_factor: What the sum over the batch is divided by, such as the batch size.
    Raises:
        ValueError: When called: the logits have fewer frames than `model_input_shape` gives.
    """

    def __init__(self, config, model_input_shape, division_factor=1, name="ctc_loss"):
        super().__init__(name=name, reduction="sum")
        self.blank, self.division_factor = config.pad_token_id, division_factor
        self.num_samples = int(model_input_shape[1])
        self.num_frames = frames_for(self.num_samples, config.convs)

    def call(self, y_true, y_pred):
        """Args: y_true [B, U] labels; y_pred [B, T, V] logits. Returns: [B] float32, summed by Keras."""
        if y_pred.shape[1] is not None and y_pred.shape[1] < self.num_frames:
            raise ValueError(
                f"CTCLoss: model_input_shape says {self.num_samples} samples, which are {self.num_frames} frames; "
                f"the logits have {y_pred.shape[1]}. Give the shape to which the dataset pads its audio."
            )
        labels = tf.cast(y_true, tf.int32)  # Keras hands labels over as floats
        label_lengths = tf.math.count_nonzero((labels != self.blank) & (labels >= 0), axis=1, dtype=tf.int32)
        frame_lengths = tf.fill(tf.shape(label_lengths), self.num_frames)
        return ctc_loss(y_pred, frame_lengths, labels, label_lengths, self.blank) / self.division_factor


def _forward_backward(log_probs, frame_lengths, labels, label_lengths, blank):
    """Gives losses [B] and the posterior of each label at each frame [B, T, V]."""
    batch, size = tf.shape(labels)[0], 2 * tf.shape(labels)[1] + 1
    last = 2 * label_lengths  # the final blank's state
    blanks = tf.fill(tf.shape(labels), blank)
    states = tf.reshape(tf.stack([blanks, labels], axis=2), [batch, size - 1])
    states = tf.pad(states, [[0, 0], [0, 1]], constant_values=blank)  # [B, U] labels -> [B, 2U + 1] states
    emitted = tf.gather(log_probs, states, axis=2, batch_dims=1)  # [B, T, 2U + 1]
    emitted = tf.where(tf.sequence_mask(last + 1, size)[:, None], emitted, IMPOSSIBLE)

    def reverse(x):  # [B, T, 2U + 1], frames and states of each row back to front
        return tf.reverse_sequence(tf.reverse_sequence(x, frame_lengths, 1), last + 1, 2)

    reversed_states = tf.reverse_sequence(states, last + 1, 1)
    both = tf.concat([emitted, reverse(emitted)], axis=0)  # [2B, T, 2U + 1]: alpha's rows, then beta's
    jumps = _jumps(tf.concat([states, reversed_states], axis=0), blank)
    alive = tf.tile(tf.transpose(tf.sequence_mask(frame_lengths, tf.shape(log_probs)[1])), [1, 2])  # [T, 2B]
    scores, scales = _scan(tf.transpose(both, [1, 0, 2]), alive, jumps)
    end = tf.gather(scores[-1][:batch], tf.stack([last, tf.maximum(last - 1, 0)], axis=1), batch_dims=1)
    end = tf.where(tf.stack([last >= 0, last >= 1], axis=1), end, IMPOSSIBLE)
    losses = -(tf.reduce_logsumexp(end, axis=1) + tf.reduce_sum(scales[:, :batch], axis=0))

    alpha, beta = tf.split(tf.transpose(scores, [1, 0, 2]), 2, axis=0)
    joint = tf.nn.softmax(alpha + reverse(beta) - tf.maximum(emitted, IMPOSSIBLE / 2), axis=2)
    one_hot = tf.one_hot(states, tf.shape(log_probs)[2], dtype=tf.float32)  # [B, 2U + 1, V]
    return tf.where(frame_lengths > 0, losses, 0.0), tf.matmul(joint, one_hot)


def _jumps(states, blank):
    """Gives 0 where a state may be entered from two before it, else IMPOSSIBLE: [B, 2U + 1] -> the same."""
    before = tf.pad(states, [[0, 0], [2, 0]], constant_values=blank)[:, :-2]
    return tf.where((states != blank) & (states != before), 0.0, IMPOSSIBLE)


def _scan(emitted, alive, jumps):
    """Runs the recursion; every frame is rescaled by its largest score, so that float32 keeps its digits.

    Args:
        emitted: [T, 2B, 2U + 1] log probability of each state's label.
        alive: [T, 2B] bool, false beyond the real frames.
        jumps: [2B, 2U + 1].
    Returns:
        scores [T, 2B, 2U + 1] and the logs of the scales taken out [T, 2B].
    """
    edge = tf.fill([tf.shape(jumps)[0], 2], IMPOSSIBLE)

    def step(carry, frame):
        score, _ = carry
        emission, going = frame
        padded = tf.concat([edge, score], axis=1)
        stay, one, two = score, padded[:, 1:-1], padded[:, :-2] + jumps
        top = tf.maximum(tf.maximum(stay, one), two)
        total = top + tf.math.log(tf.exp(stay - top) + tf.exp(one - top) + tf.exp(two - top)) + emission
        scale = tf.reduce_max(total, axis=1)
        going_on = tf.where(going[:, None], total - scale[:, None], score)
        return tf.maximum(going_on, IMPOSSIBLE), tf.where(going, scale, 0.0)

    # before the first frame all weight is on the first blank, whence states 0 and 1 are entered
    start = tf.one_hot(tf.zeros_like(jumps[:, 0], tf.int32), tf.shape(jumps)[1], 0.0, IMPOSSIBLE)
    return tf.scan(step, (emitted, alive), initializer=(start, tf.zeros_like(start[:, 0])))
