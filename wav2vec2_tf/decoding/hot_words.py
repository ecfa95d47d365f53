"""Words and phrases that a decoder shall prefer: what each step of a hypothesis earns by spelling one of them.

A phrase is a sequence of units (words, or labels), whatever `beam` decodes in. Its bonus is paid in equal parts as its
units come, so that an unfinished phrase stays in the beam, and taken back when another unit follows.
"""

from collections.abc import Mapping

Units = tuple[int, ...]


class HotWords:
    """An automaton over units.

    >>> hot = HotWords({(7, 8): 4.0})
    >>> state, bonus = hot.step(hot.begin, 7)
    >>> bonus, hot.step(state, 8)[1], hot.step(state, 9)[1], hot.end(state)
    (2.0, 2.0, -2.0, -2.0)

    Args:
        phrases: Units -> bonus for the whole phrase, in nats; below zero for what shall not be heard.
        border: The unit between words, where units are labels: it counts as there before the first unit and after the
            last. None where units are words.
    """

    def __init__(self, phrases: Mapping[Units, float], border: int | None = None):
        self.phrases, self.border = dict(phrases), border
        self._promised: dict[Units, float] = {(): 0.0}
        for units, bonus in self.phrases.items():
            for length in range(1, len(units)):
                part = bonus * length / len(units)
                self._promised[units[:length]] = max(part, self._promised.get(units[:length], part))
        self.begin = self._kept((border,)) if border is not None else ()

    def step(self, state: Units, unit: int) -> tuple[Units, float]:
        """Takes one unit.

        Args:
            state: From `begin` or the step before.
            unit: What comes.
        Returns:
            The state after it, and what the step earns.
        """
        heard = (*state, unit)
        whole = sum(self.phrases.get(heard[i:], 0.0) for i in range(len(heard)))
        kept = self._kept(heard)
        return kept, whole + self._promised[kept] - self._promised[state]

    def end(self, state: Units) -> float:
        """Gives what the end of the hypothesis earns: a border, then nothing for what is unfinished."""
        earned = 0.0
        if self.border is not None:
            state, earned = self.step(state, self.border)
        return earned - self._promised[state] + self._promised[self.begin]  # which was promised, but never paid

    def _kept(self, heard: Units) -> Units:
        """Gives the longest ending that a phrase may go on from."""
        return next(heard[i:] for i in range(len(heard) + 1) if heard[i:] in self._promised)
