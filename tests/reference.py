"""Slow NumPy truth in float64, written for reading: what the fast code must equal."""

import itertools

import numpy as np


def log_softmax(logits):
    """[T, V] scores -> [T, V] log probabilities."""
    logits = np.asarray(logits, np.float64)
    top = logits.max(-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))


def collapse(path, blank: int = 0) -> list[int]:
    """Merges repeats, then drops blanks."""
    return [int(label) for label, _ in itertools.groupby(path) if label != blank]


def brute_force_ctc(logits, labels, blank: int = 0) -> float:
    """Sums the probability of every path of V^T that collapses to the labels; gives nats, inf if there is none."""
    log_probs = log_softmax(logits)
    num_frames, vocabulary = log_probs.shape
    paths = itertools.product(range(vocabulary), repeat=num_frames)
    fits = [log_probs[range(num_frames), path].sum() for path in paths if collapse(path, blank) == list(labels)]
    return -np.logaddexp.reduce(fits) if fits else np.inf


def ctc(logits, labels, blank: int = 0) -> tuple[float, np.ndarray]:
    """Gives loss in nats and gradient [T, V] by the textbook forward-backward recursion in the log domain."""
    log_probs = log_softmax(logits)
    states = [blank] + [state for label in labels for state in (label, blank)]
    alpha = _forward(log_probs, states, blank)
    beta = _forward(log_probs[::-1], states[::-1], blank)[::-1, ::-1]
    total = np.logaddexp.reduce(alpha[-1, -2:])
    posterior = np.zeros_like(log_probs)
    for s, state in enumerate(states):
        posterior[:, state] += np.exp(alpha[:, s] + beta[:, s] - log_probs[:, state] - total)
    return -total, np.exp(log_probs) - posterior


def _forward(log_probs, states, blank):
    may_jump = [s >= 2 and state not in (blank, states[s - 2]) for s, state in enumerate(states)]
    score, scores = np.where(np.arange(len(states)) == 0, 0.0, -np.inf), []  # before the first frame
    for frame in log_probs:
        one, two = np.roll(score, 1), np.roll(score, 2)
        one[:1] = two[:2] = -np.inf
        score = np.logaddexp.reduce([score, one, np.where(may_jump, two, -np.inf)]) + frame[states]
        scores.append(score)
    return np.array(scores)


def group_norm(x, frames, gamma, beta, epsilon: float = 1e-5):
    """Normalises each channel of each row over its real frames: [B, T, C]; padding comes out as zeros."""
    out = np.zeros(x.shape, np.float64)
    for row, count in enumerate(frames):
        real = x[row, :count].astype(np.float64)
        if count:
            out[row, :count] = (real - real.mean(0)) / np.sqrt(real.var(0) + epsilon) * gamma + beta
    return out


def grouped_convolution(x, kernel, bias, groups: int):
    """Convolves each group of channels on its own with kernel (K, C / groups, C), K // 2 zeros on both sides."""
    taps, width, channels = kernel.shape
    padded = np.pad(x.astype(np.float64), [(0, 0), (taps // 2, taps // 2), (0, 0)])
    out = np.zeros(x.shape, np.float64)
    for t, channel in itertools.product(range(x.shape[1]), range(channels)):  # an even kernel's last frame is left out
        group = channel // (channels // groups) * width
        window = padded[:, t : t + taps, group : group + width]
        out[:, t, channel] = (window * kernel[:, :, channel]).sum((1, 2)) + bias[channel]
    return out


def span_mask(rng, length: int, size: int, probability: float, span: int, min_spans: int):
    """Draws one row as fairseq does: distinct starts in [0, length - span), overlaps allowed."""
    masked = np.zeros(size, bool)
    count = max(int(probability * length / span + rng.random()), min_spans)
    starts = max(length - span, 0)
    for start in rng.choice(starts, min(count, starts), replace=False) if starts else ():
        masked[start : start + span] = True
    return masked


def runs(masked) -> list[tuple[int, int]]:
    """Lists (start, length) of every run of true values in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(masked, int), [0]])))
    return [(int(a), int(b - a)) for a, b in edges.reshape(-1, 2)]


def normalize(audio, num_samples, epsilon: float = 1e-7):
    """Brings the real samples of each row to zero mean and unit variance, zeros behind them."""
    out = np.zeros(audio.shape, np.float64)
    for row, count in enumerate(num_samples):
        real = audio[row, :count].astype(np.float64)
        if count:
            out[row, :count] = (real - real.mean()) / np.sqrt(real.var() + epsilon)
    return out
