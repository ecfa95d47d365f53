"""Long recordings in overlapping windows, and windows of many recordings in batches.

Windows begin on frames, so that frame f of a window is frame f + start of the recording; neighbours are joined in the
middle of what they share, where both of them have heard what comes before and after. Samples come from `audio_blocks`,
what becomes of a window is `hearing`'s.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from wav2vec2_tf.lengths import BASE, SAMPLE_RATE_HZ, Conv, frames_for, hop_samples, samples_for


@dataclass(frozen=True)
class Window:
    """A piece of a recording, and which of its frames count.

    Args:
        samples: [S] float32.
        kept: Its own frames that are the recording's; those before and after are context.
        is_last: Whether the recording ends here.
    """

    samples: np.ndarray
    kept: slice
    is_last: bool


@dataclass(frozen=True)
class Windows:
    """How recordings are cut.

    >>> windows = Windows.of(seconds=10, margin_seconds=1)
    >>> whole = windows.cut([np.zeros(160_000 * 2, np.float32)])
    >>> [(len(window.samples), window.kept.start, window.kept.stop) for window in whole]
    [(160000, 0, 449), (160000, 49, 449), (64000, 49, 199)]

    Args:
        num_samples: Of a window; a recording that is not longer is one piece.
        step_samples: From one window to the next, a multiple of the frames' distance.
        convs: The model's convolutions.
    """

    num_samples: int
    step_samples: int
    convs: Sequence[Conv] = BASE

    @classmethod
    def of(
        cls, seconds: float, margin_seconds: float, convs: Sequence[Conv] = BASE, sample_rate_hz: int = SAMPLE_RATE_HZ
    ) -> "Windows":
        """Cuts windows of so many seconds, the first and last `margin_seconds` of which are context.

        Raises:
            ValueError: Less than half of a window would count, or neighbours would not share a frame.
        """
        hop, size = hop_samples(convs), round(seconds * sample_rate_hz)
        step = round((seconds - 2 * margin_seconds) * sample_rate_hz / hop) * hop
        if step < size / 2 or size - step < samples_for(1, convs):
            raise ValueError(
                f"Windows of {seconds:g} s with margins of {margin_seconds:g} s do not work: margins are at most a "
                f"quarter, and two of them at least {samples_for(1, convs) / sample_rate_hz:g} s. Make windows longer."
            )
        return cls(size, step, convs)

    def cut(self, blocks: Iterable[np.ndarray]) -> Iterator[Window]:
        """Cuts a recording, of which a window and a block are in memory at a time.

        Args:
            blocks: Its samples, in pieces of any length.
        Yields:
            At least one window. Their kept frames, one window after the other, are the frames of the recording.
        """
        held, is_first = np.zeros(0, np.float32), True
        for block in blocks:
            held = np.concatenate([held, block])
            while len(held) > self.num_samples:  # more follows, so this one is not the last
                yield Window(held[: self.num_samples], self._kept(self.num_samples, is_first, False), False)
                held, is_first = held[self.step_samples :], False
        yield Window(held, self._kept(len(held), is_first, True), True)

    def _kept(self, num_samples: int, is_first: bool, is_last: bool) -> slice:
        frames, step = frames_for(num_samples, self.convs), self.step_samples // hop_samples(self.convs)
        margin = (frames_for(self.num_samples, self.convs) - step) // 2
        return slice(0 if is_first else margin, frames if is_last else step + margin)


def padded_length(num_samples: int) -> int:
    """Rounds a length up to one of a few, eight per octave, so that few shapes are compiled.

    >>> [padded_length(n) for n in (400, 16_000, 16_385, 100_000)]
    [8192, 16384, 18432, 106496]

    Args:
        num_samples: Real samples.
    Returns:
        Samples with padding, an eighth more at most; at least 2 ** 13, half a second.
    """
    step = max(1 << 10, 1 << (max(num_samples - 1, 1).bit_length() - 4))
    return max(1 << 13, -(-num_samples // step) * step)


def batches(lengths: Sequence[int], batch_samples: int) -> list[list[int]]:
    """Puts windows of like length together, the longest first.

    >>> batches([16_000, 80_000, 15_000, 16_000], batch_samples=32_768)
    [[1], [0, 3], [2]]

    Args:
        lengths: Samples of each window.
        batch_samples: Padded samples of a batch; a longer window is one by itself.
    Returns:
        Positions in `lengths`, batch by batch; in a batch all have the same `padded_length`.
    """
    order = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    groups = groupby(order, key=lambda position: padded_length(lengths[position]))
    return [batch for size, group in groups for batch in _cut(list(group), max(1, batch_samples // size))]


def _cut(items: list[int], size: int) -> list[list[int]]:
    return [items[first : first + size] for first in range(0, len(items), size)]
