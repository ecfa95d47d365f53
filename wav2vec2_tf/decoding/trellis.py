"""The best CTC path through known labels: exact, in memory that grows with frames plus labels.

A table of frames times labels would take gigabytes for ten minutes of speech. Here the state of the middle frame is
found first, from what it costs to come there and to go on from there (Hirschberg), then that of either half's middle,
until a part is small enough for a table. States that cost more than is allowed are left out at once: since costs only
grow, a path within the allowance is still the best of all, and where there is none, the allowance is doubled. So an
hour of speech takes seconds if it says what the text says.

Costs are counted by `trellis_costs`; what labels stand for, and what the path says about them, is for `alignment`.
"""

from collections.abc import Sequence

import numpy as np

from wav2vec2_tf.decoding.trellis_costs import Costs
from wav2vec2_tf.lengths import ctc_frames_needed

BLANK = -1  # in a path: the frame stands on no label

_TABLE_CELLS = 1 << 24  # frames times labels of the largest table, at two bytes each
_FIRST_ALLOWANCE = 64.0  # nats


def best_path(log_probs: np.ndarray, labels: Sequence[int], blank: int = 0) -> np.ndarray:
    """Finds the likeliest way to say the labels in the frames.

    >>> probs = [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.7, 0.1, 0.2], [0.1, 0.3, 0.6]]
    >>> best_path(np.log(probs), labels=[1, 2]).tolist()
    [-1, 0, -1, 1]

    Args:
        log_probs: [T, V] natural logarithms of the real frames; a row need not sum to one.
        labels: [U] columns of `log_probs`, none of them the blank.
        blank: The blank's column.
    Returns:
        [T] int32: the position in `labels` that each frame stands on, or `BLANK`. Every position is there.
    Raises:
        ValueError: Axes or labels do not fit, a number is NaN, or there are too few frames for the labels.
    Source: Graves et al. 2006, section 4.1, with a maximum for the sum; Hirschberg 1975.
    """
    log_probs, labels = np.asarray(log_probs), np.asarray(labels, np.int64)
    _check(log_probs, labels, blank)
    edge = log_probs.shape[1]  # column of the two labels put around: a path comes from the one and goes to the other
    columns = np.concatenate([[edge], labels, [edge]])
    states = np.zeros(len(log_probs), np.int64)
    parts = [(0, len(log_probs), 0, 2 * len(columns) - 2, _FIRST_ALLOWANCE)]
    while parts:
        first, stop, before, after, allowance = parts.pop()
        part = _Part(log_probs[first:stop], columns, blank, before, after)
        if part.is_small:
            states[first:stop] = part.states()
            continue
        middle = (first + stop) // 2
        state, *allowances = part.state_at(middle - first, allowance)
        states[middle] = state
        parts += [(first, middle, before, state, allowances[0]), (middle + 1, stop, state, after, allowances[1])]
    return np.where(states % 2, BLANK, states // 2 - 1).astype(np.int32)


def _check(log_probs: np.ndarray, labels: np.ndarray, blank: int) -> None:
    if log_probs.ndim != 2:
        raise ValueError(f"Log probabilities have the axes [T, V]; got shape {log_probs.shape}.")
    if labels.ndim != 1 or ((labels < 0) | (labels >= log_probs.shape[1]) | (labels == blank)).any():
        raise ValueError(
            f"Labels are one row of ids in 0..{log_probs.shape[1] - 1} without the blank {blank}; got {labels}."
        )
    if not np.isfinite(log_probs.max(axis=1)).all():
        raise ValueError("The model's output is not a number (NaN) in some frames. Check its weights and the audio.")
    need = ctc_frames_needed(labels.tolist())
    if len(log_probs) < need:
        raise ValueError(
            f"{len(labels)} labels need at least {need} frames; the recording has {len(log_probs)}. "
            "Check that the text belongs to it."
        )


class _Part:
    """Some frames between two states: one left just before them, one entered just after.

    States are numbered along the text: 2 i is label i, 2 i + 1 the blank that follows it.
    """

    def __init__(self, log_probs: np.ndarray, columns: np.ndarray, blank: int, before: int, after: int):
        self.log_probs, self.blank = log_probs, blank
        first, last = before // 2, (after + 1) // 2
        self.columns = columns[first : last + 1]
        self.shift, self.before, self.after = 2 * first, before - 2 * first, after - 2 * first

    @property
    def is_small(self) -> bool:
        return len(self.log_probs) * len(self.columns) <= _TABLE_CELLS or len(self.log_probs) < 3

    def state_at(self, frame: int, allowance: float) -> tuple[int, float, float]:
        """Finds the state of the best path at one frame, and what the path costs up to it and from it on."""
        there, on = self.log_probs[: frame + 1], self.log_probs[:frame:-1]
        while True:
            to, back = Costs(self.columns, self.before), Costs(self.columns[::-1], self._mirrored(self.after))
            if to.advance(there, self.blank, allowance) and back.advance(on, self.blank, allowance):
                back.leave()
                costs_to, costs_back = to.by_state(), back.by_state()[::-1]
                state = int(np.argmin(costs_to + costs_back))
                if costs_to[state] + costs_back[state] <= allowance:
                    return self.shift + state, costs_to[state], costs_back[state]
            allowance = 2 * allowance + _FIRST_ALLOWANCE

    def _mirrored(self, state: int) -> int:
        return 2 * len(self.columns) - 2 - state

    def states(self) -> np.ndarray:
        """Finds the state of the best path at every frame."""
        num_frames = len(self.log_probs)
        table = np.zeros((num_frames + 1, 2, len(self.columns)), bool)
        costs = Costs(self.columns, self.before)
        costs.advance(self.log_probs, self.blank, np.inf, table)
        costs.leave(table[num_frames])
        states, state = np.empty(num_frames, np.int64), self.after
        for frame in range(num_frames, 0, -1):
            states[frame - 1] = state = self._previous(state, *table[frame])
        return states + self.shift

    def _previous(self, state: int, leads_to_blank: np.ndarray, leads_to_next: np.ndarray) -> int:
        label, is_blank = divmod(state, 2)
        if is_blank:
            return state - 1 if leads_to_blank[label] else state
        if not label or not leads_to_next[label - 1]:
            return state
        may_skip = self.columns[label] != self.columns[label - 1]
        return state - 2 if may_skip and leads_to_blank[label - 1] else state - 1
