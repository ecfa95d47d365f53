"""Long recordings in pieces, cut where nobody speaks: a beam search keeps the hypotheses of every frame to its end.

What decodes the pieces, and joins what was heard in them, is `beam`.
"""

import numpy as np

PIECE_FRAMES = 1500  # half a minute of most models, and 0.1 GB of hypotheses at a beam of 500


def pieces(silent: np.ndarray, most: int = PIECE_FRAMES) -> list[slice]:
    """Cuts frames into pieces, in the middle of the longest pause in the second half of what a piece may hold.

    >>> pieces(np.array([0, 1, 1, 1, 0, 0, 1, 0], bool), most=5)
    [slice(0, 3, None), slice(3, 8, None)]

    Args:
        silent: [T] whether nothing is said in a frame.
        most: Frames of the longest piece.
    """
    cuts = [0]
    while len(silent) - cuts[-1] > most:
        first = cuts[-1] + most // 2
        cuts.append(first + _middle_of_longest(silent[first : cuts[-1] + most]))
    return [slice(*pair) for pair in zip(cuts, [*cuts[1:], len(silent)], strict=True)]


def _middle_of_longest(silent: np.ndarray) -> int:
    """Gives the middle of the longest run; the end where there is none."""
    edges = np.flatnonzero(np.diff(silent.astype(np.int8), prepend=0, append=0))
    begins, ends = edges[::2], edges[1::2]
    if not len(begins):
        return len(silent)
    longest = (ends - begins).argmax()
    return int(begins[longest] + ends[longest] + 1) // 2
