"""What it costs to be in each state of a CTC trellis, frame after frame, as far as it costs no more than is allowed.

A frame costs what its label lacks to the likeliest one, in nats. The way through the trellis is `trellis`' business.
"""

from collections.abc import Callable

import numpy as np

_BLOCK_FRAMES = 64  # between two looks at what is left out
_MOST = np.float32(1e4)  # the cost of a label without probability: a path through it is bad, but one


class Costs:
    """The least cost of any path into each state, as the frames go by.

    Args:
        columns: [N] columns of the labels; each is followed by a blank.
        state: Where every path begins.
    """

    def __init__(self, columns: np.ndarray, state: int):
        self._columns = np.ascontiguousarray(columns)
        self._repeats = np.flatnonzero(columns[1:] == columns[:-1])  # a blank must lie between these and the next
        self._labels = np.full(len(columns), np.inf, np.float32)
        self._blanks = np.full(len(columns), np.inf, np.float32)
        (self._blanks if state % 2 else self._labels)[state // 2] = 0.0
        self._least = 0.0  # is left out of all costs, so that float32 tells those that matter apart
        self._from, self._to = state // 2, state // 2 + 1  # beyond these, all costs are infinite

    def advance(self, log_probs: np.ndarray, blank: int, allowance: float, table: np.ndarray | None = None) -> bool:
        """Takes frames [T, V] and leaves out what costs more than is allowed.

        Row t of the table becomes what `_mover` tells of frame t. Tells whether any path is left.
        """
        for start in range(0, len(log_probs), _BLOCK_FRAMES):
            block = log_probs[start : start + _BLOCK_FRAMES].astype(np.float32, copy=False)
            costs = np.full((len(block), block.shape[1] + 1), np.inf, np.float32)  # the last: labels never heard
            np.minimum(block.max(axis=1, keepdims=True) - block, _MOST, out=costs[:, :-1])
            self._widen(len(block))
            self._take(costs, blank, None if table is None else table[start:])
            if not self._leave_out(allowance):
                return False
        return True

    def _widen(self, num_moves: int) -> None:
        self._to = min(self._to + num_moves, len(self._columns))

    def _take(self, costs: np.ndarray, blank: int, table: np.ndarray | None) -> None:
        move = self._mover()
        window = slice(self._from, self._to)
        labels, blanks, columns = self._labels[window], self._blanks[window], self._columns[window]
        heard = np.empty_like(labels)
        for frame, row in enumerate(costs):
            move(None if table is None else table[frame])
            labels += row.take(columns, out=heard, mode="clip")
            blanks += row[blank]

    def leave(self, said: np.ndarray | None = None) -> None:
        """Makes the last move, behind all frames."""
        self._widen(1)
        self._mover()(said)

    def _mover(self) -> Callable[[np.ndarray | None], None]:
        """Gives what lets every path stay or go on to the next blank or label, without a cost.

        It fills [2, N] bools, if it is given them: does the blank's path come from its label; does the next label's
        come from either.
        """
        first, stop = self._from, self._to
        labels, blanks = self._labels[first:stop], self._blanks[first:stop]
        repeats = self._repeats[slice(*np.searchsorted(self._repeats, (first, stop - 1)))] - first
        entering = np.empty_like(labels)

        def move(said: np.ndarray | None) -> None:
            if said is not None:
                np.less(labels, blanks, out=said[0, first:stop])
            waited = blanks[repeats]
            np.minimum(blanks, labels, out=entering)
            blanks[:] = entering
            entering[repeats] = waited
            if said is not None:
                np.less(entering[:-1], labels[1:], out=said[1, first : stop - 1])
            np.minimum(labels[1:], entering[:-1], out=labels[1:])

        return move

    def _leave_out(self, allowance: float) -> bool:
        window = slice(self._from, self._to)
        labels, blanks = self._labels[window], self._blanks[window]
        kept = np.flatnonzero(np.minimum(labels, blanks) <= allowance - self._least)
        if not len(kept):
            return False
        for costs in (labels, blanks):
            costs[: kept[0]] = costs[kept[-1] + 1 :] = np.inf
        self._from, self._to = self._from + int(kept[0]), self._from + int(kept[-1]) + 1
        least = min(labels.min(), blanks.min())
        labels -= least
        blanks -= least
        self._least += float(least)
        return True

    def by_state(self) -> np.ndarray:
        """Gives labels and the blanks between them in the order of the states, [2 N - 1] float64."""
        return np.stack([self._labels, self._blanks], axis=1).ravel()[:-1] + self._least
