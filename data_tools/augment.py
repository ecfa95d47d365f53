"""Clips made harder while they are read: rooms, noises, telephone lines, loudness.

NumPy, one clip at a time, and every draw a pure function of (seed, epoch, place of the record): the same on any number
of hosts, in batches of any shape. Speeds change lengths and so the order of batches: they are `plan`'s. Reading the
folders is left to `sounds`. No TensorFlow is loaded.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from data_tools.sounds import load_sounds
from wav2vec2_tf.audio import to_float, to_int16
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

_TELEPHONE_HZ = 8_000
_CODECS = ("ULAW", "ALAW", "GSM610")  # of landlines and of mobiles


@dataclass(frozen=True)
class AugmentConfig:
    """Which clips are changed in training, and how; each change is drawn on its own, in this order. All 0: none.

    Args:
        room_probability: Share of clips that sound as in a room.
        room_folder: Impulse responses (recordings, at any depth; local or gs://).
        noise_probability: Share of clips with a noise added.
        noise_folder: Noises (recordings, at any depth; local or gs://).
        noise_snr_db: Least and most decibels by which the speech is louder than the noise.
        codec_probability: Share of clips sent over a telephone: 8 kHz, in one of three codecs.
        gain_probability: Share of clips made louder or softer.
        gain_db: Least and most decibels of that; no clip is made so loud that it would clip.
    """

    room_probability: float = 0.0
    room_folder: str | None = None
    noise_probability: float = 0.0
    noise_folder: str | None = None
    noise_snr_db: tuple[float, float] = (5.0, 20.0)
    codec_probability: float = 0.0
    gain_probability: float = 0.0
    gain_db: tuple[float, float] = (-10.0, 10.0)

    def __post_init__(self):
        for holds, message in self._rules():
            if not holds:
                raise ValueError(f"{message}. Correct the flag, or the value in the file given with --config.")

    def _rules(self):
        for name in ("room", "noise", "codec", "gain"):
            share = getattr(self, f"{name}_probability")
            yield 0 <= share <= 1, f"--augment.{name}_probability lies between 0 and 1; got {share}"
        for name in ("room", "noise"):
            wanted = getattr(self, f"{name}_probability") > 0
            yield (
                not wanted or getattr(self, f"{name}_folder"),
                f"--augment.{name}_probability needs recordings: name --augment.{name}_folder",
            )
        for name in ("noise_snr_db", "gain_db"):
            least, most = getattr(self, name)
            yield least <= most, f"--augment.{name} goes from the least to the most; got {least}, {most}"

    @property
    def changes_anything(self) -> bool:
        """Says whether any clip is changed at all."""
        return any((self.room_probability, self.noise_probability, self.codec_probability, self.gain_probability))


def make_augmenter(config: AugmentConfig, seed: int, epoch: int) -> Callable[..., np.ndarray]:
    """Makes the function that changes the clips of a batch.

    Args:
        config: What to change; its folders are read now.
        seed, epoch: Decide what becomes of which record.
    Returns:
        A function of audio (int16 [B, S], zero beyond each clip), num_samples [B] and record [B] (place in the split,
        -1: nothing to change) that gives the new audio: as long, as wide, zero where it was padding.
    Raises:
        ValueError: A folder holds no recording that can be used.
    """
    rooms = load_sounds(config.room_folder) if config.room_probability else ()
    noises = load_sounds(config.noise_folder) if config.noise_probability else ()

    def augment(audio: np.ndarray, num_samples: np.ndarray, record: np.ndarray) -> np.ndarray:
        changed = audio.copy()
        for row, count, place in zip(changed, num_samples, record, strict=True):
            if place >= 0 and count:
                # the last number keeps this stream apart from the one that orders the epoch
                rng = np.random.default_rng((seed, epoch, int(place), 1))
                row[:count] = augment_clip(row[:count], config, rooms, noises, rng)
        return changed

    return augment


def augment_clip(
    clip: np.ndarray,
    config: AugmentConfig,
    rooms: Sequence[np.ndarray],
    noises: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Changes one clip.

    Args:
        clip: int16 [S], 16 kHz.
        config: How likely and how strong each change is.
        rooms, noises: int16 [S] each, from `load_sounds`.
        rng: Decides.
    Returns:
        int16 [S].
    """
    draws = rng.random(4)
    shares = (config.room_probability, config.noise_probability, config.codec_probability, config.gain_probability)
    room, noise, codec, gain = draws < shares
    if not (draws < shares).any():
        return clip
    samples = to_float(clip)
    if room:
        samples = in_room(samples, to_float(rooms[rng.integers(len(rooms))]))
    if noise:
        piece = _piece(noises[rng.integers(len(noises))], len(clip), rng)
        samples = add_noise(samples, to_float(piece), rng.uniform(*config.noise_snr_db))
    if codec:
        samples = over_telephone(samples, _CODECS[rng.integers(len(_CODECS))])
    if gain:
        samples = samples * np.float32(10 ** (rng.uniform(*config.gain_db) / 20))
    loudest = np.abs(samples).max()
    return to_int16(samples / loudest if loudest > 1 else samples)


def in_room(samples: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Lets a clip sound as in a room: as long, as loud, and the direct sound where it was.

    >>> in_room(np.array([1, 0, 0, 0], np.float32), np.array([0, 2, 0, 1], np.float32)).round(2)
    array([0.89, 0.  , 0.45, 0.  ], dtype=float32)

    Args:
        samples: float32 [S].
        response: float32 [R], what a click becomes in the room; its loudest sample is the direct sound.
    Returns:
        float32 [S]; the reverberation after the clip's end is cut off.
    """
    size = _fft_size(len(samples) + len(response))
    heard = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    direct = int(np.abs(response).argmax())
    heard = heard[direct : direct + len(samples)].astype(np.float32)
    loudness = _rms(heard)
    return heard * np.float32(_rms(samples) / loudness) if loudness else samples


def add_noise(samples: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Adds a noise, so loud that the clip is `snr_db` above it.

    >>> add_noise(np.array([0.5, -0.5], np.float32), np.array([0.1, 0.1], np.float32), 20).round(2)
    array([ 0.55, -0.45], dtype=float32)

    Args:
        samples: float32 [S].
        noise: float32 [S]; silence changes nothing.
        snr_db: Decibels between the two, over the whole clip.
    Returns:
        float32 [S].
    """
    loudness = _rms(noise)
    return samples + noise * np.float32(_rms(samples) / loudness / 10 ** (snr_db / 20)) if loudness else samples


def over_telephone(samples: np.ndarray, codec: str) -> np.ndarray:
    """Sends a clip over a line of 8 kHz.

    Args:
        samples: float32 [S] at 16 kHz.
        codec: ULAW, ALAW or GSM610.
    Returns:
        float32 [S].
    """
    line = io.BytesIO()
    narrow = soxr.resample(samples, SAMPLE_RATE_HZ, _TELEPHONE_HZ)
    soundfile.write(line, narrow, _TELEPHONE_HZ, format="WAV", subtype=codec)
    line.seek(0)
    heard, _ = soundfile.read(line, dtype="float32")
    wide = soxr.resample(heard, _TELEPHONE_HZ, SAMPLE_RATE_HZ)[: len(samples)]
    return np.pad(wide, (0, len(samples) - len(wide)))


def _piece(noise: np.ndarray, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Cuts so many samples from anywhere in a noise; a short one is repeated from there."""
    if len(noise) > num_samples:
        start = int(rng.integers(len(noise) - num_samples))
        return noise[start : start + num_samples]
    return np.resize(np.roll(noise, -int(rng.integers(len(noise)))), num_samples)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _fft_size(least: int) -> int:
    """Finds a length from `least` on that is quick to transform: a few small factors and many twos."""
    twos = 1 << max(0, least.bit_length() - 4)
    return -(-least // twos) * twos
