"""A folder of noises or room responses, decoded once and kept in memory as 16 bit samples.

What is done with them is `augment`'s.
"""

import warnings
from functools import lru_cache

import numpy as np

from data_tools.sources import find, join, open_audio
from wav2vec2_tf import audio

MOST_BYTES = 500_000_000  # 4.3 hours
_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf", ".sph", ".w64")


@lru_cache(maxsize=8)
def load_sounds(folder: str) -> tuple[np.ndarray, ...]:
    """Decodes the recordings below a folder, once per process.

    What cannot be used is told by a warning and left out. Of a folder of more than `MOST_BYTES` (decoded) a part is
    taken that is spread over it, the same every time.

    Args:
        folder: On this machine or in a bucket (gs://...). Files that are not recordings by name are passed over.
    Returns:
        int16 [S] per recording, 16 kHz, several channels averaged.
    Raises:
        ValueError: There is no recording that can be used.
    """
    names = [name for name in find(folder, "") if name.lower().endswith(_ENDINGS)]
    sounds, bad, held = [], [], 0
    for place in np.random.default_rng(0).permutation(len(names)):
        if held >= MOST_BYTES:
            _tell(f"{folder}: {len(sounds)} of {len(names)} recordings fill {MOST_BYTES} bytes; the rest is left out.")
            break
        try:
            sounds.append(_decode(folder, names[place]))
            held += sounds[-1].nbytes
        except audio.AudioError as error:
            bad.append(error)
    if bad:
        _tell(f"{folder}: {len(bad)} of {len(names)} recordings cannot be used. The first: {bad[0]}")
    if not sounds:
        raise ValueError(f"{folder} holds no recording that can be used ({', '.join(_ENDINGS)}). Name another folder.")
    return tuple(sounds)


def _decode(folder: str, name: str) -> np.ndarray:
    sound = audio.load_int16(open_audio(join(folder, name)), audio.Span())
    if not sound.any():
        raise audio.AudioError(f"{name} is silent.", "silent")
    return sound


def _tell(message: str) -> None:
    warnings.warn(message, stacklevel=3)
