"""What a checkpoint asks of audio, as preprocessor_config.json says it, in NumPy.

The same normalisation for batches on the device is in `layers.waveform`; files are read by `audio`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from wav2vec2_tf.files import read_json
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ

#: Where the settings may stand; transformers 5 writes only the first, others the second, which wins.
FEATURE_FILES = ("processor_config.json", "preprocessor_config.json")
EPSILON = 1e-7
_MOST_CHANNELS = 8  # tells [S, channels], as soundfile reads a file, from [B, S]


@dataclass(frozen=True)
class FeatureSettings:
    """What preprocessor_config.json says about audio.

    Args:
        sampling_rate: Hertz the model was trained at.
        do_normalize: Bring each utterance to zero mean and unit variance.
        padding_value: Fills padded samples.
        return_attention_mask: The checkpoint was trained with masks; kept for the file, since the models of this
            package always know the real lengths.
        extra: Other keys, kept to be written back.
    """

    sampling_rate: int = SAMPLE_RATE_HZ
    do_normalize: bool = True
    padding_value: float = 0.0
    return_attention_mask: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], place: str | Path = "preprocessor_config.json") -> "FeatureSettings":
        """Reads the content of preprocessor_config.json; unknown keys go to `extra`.

        Raises:
            ValueError: The file describes features other than the raw waveform.
        """
        kind = values.get("feature_extractor_type", "Wav2Vec2FeatureExtractor")
        if kind != "Wav2Vec2FeatureExtractor" or values.get("feature_size", 1) != 1:
            raise ValueError(
                f"{place} describes {kind} with feature_size {values.get('feature_size', 1)}; this package reads the "
                "raw waveform (Wav2Vec2FeatureExtractor, feature_size 1)."
            )
        known = {item.name for item in fields(cls)} - {"extra"}
        extra = {key: value for key, value in values.items() if key not in known}
        return cls(**{key: value for key, value in values.items() if key in known}, extra=extra)

    def normalize(self, samples: np.ndarray, moments: "Moments | None" = None) -> np.ndarray:
        """Brings samples [..., S] to zero mean and unit variance, if the checkpoint asks for it.

        >>> FeatureSettings().normalize(np.array([1.0, 3.0])).round(6).tolist()
        [-1.0, 1.0]

        Args:
            samples: Utterances, or a piece of one.
            moments: Those of the whole utterance; by default the samples' own.
        Source: transformers' Wav2Vec2FeatureExtractor, epsilon 1e-7.
        """
        if not self.do_normalize:
            return samples.astype(np.float32)
        mean = samples.mean(axis=-1, keepdims=True) if moments is None else moments.mean
        variance = samples.var(axis=-1, keepdims=True) if moments is None else moments.variance
        return ((samples - mean) / np.sqrt(variance + EPSILON)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Gives the content of preprocessor_config.json."""
        settings = {key: value for key, value in asdict(self).items() if key != "extra"}
        kind = {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "padding_side": "right"}
        return kind | dict(self.extra) | settings


@dataclass(frozen=True)
class Moments:
    """Mean and variance of an utterance that is too long to be held.

    >>> Moments().add(np.array([1.0, 2.0])).add(np.array([6.0]))
    Moments(num_samples=3, mean=3.0, variance=4.666666666666667)
    """

    num_samples: int = 0
    mean: float = 0.0
    variance: float = 0.0

    def add(self, samples: np.ndarray) -> "Moments":
        """Gives those of the utterance when `samples` [S] follow.

        Source: Chan, Golub and LeVeque 1979: sums of squares are never subtracted.
        """
        if not len(samples):
            return self
        wide, total = np.asarray(samples, np.float64), self.num_samples + len(samples)
        share, distance = len(samples) / total, float(wide.mean()) - self.mean
        variance = (1 - share) * self.variance + share * float(wide.var()) + share * (1 - share) * distance**2
        return Moments(total, self.mean + share * distance, variance)


def read_feature(folder: Path, name: str | Path) -> FeatureSettings | None:
    """Reads what a checkpoint says about audio; None where it says nothing.

    Args:
        folder: A local folder with one of `FEATURE_FILES`.
        name: What errors call it.
    Raises:
        ValueError: A file is not JSON, or describes features other than the raw waveform.
    """
    for file in reversed(FEATURE_FILES):
        values = read_json(folder / file)
        values = values.get("feature_extractor", values)
        if "sampling_rate" in values:
            return FeatureSettings.from_dict(values, f"{name}: {file}")
    return None


@dataclass(frozen=True)
class SpeechBatch:
    """Utterances of different lengths in one array.

    Args:
        input_values: [B, S] float32, padded at the end.
        num_samples: [B] int32 real samples.
    """

    input_values: np.ndarray
    num_samples: np.ndarray

    @property
    def attention_mask(self) -> np.ndarray:
        """[B, S] int32: 1 for real samples, 0 for padding."""
        return (np.arange(self.input_values.shape[1]) < self.num_samples[:, None]).astype(np.int32)


def checked_samples(value, name: str = "speech", axes: tuple[int, ...] = (1, 2)) -> np.ndarray:
    """Gives samples as float64 (sums over minutes of float32 lose digits), or says what is wrong with them.

    Args:
        value: Float samples in [-1, 1] or int16; array, list or eager tensor.
        name: What the error calls them.
        axes: How many axes they may have.
    Raises:
        ValueError: Not an array, another type, other axes, no sample, several channels, or a non-finite sample.
    """
    try:
        array = np.asarray(value)
    except (ValueError, NotImplementedError) as error:  # rows of several lengths; a tensor inside a TF graph
        raise ValueError(
            f"{name} is no array of samples ({error}). For utterances of several lengths use pad(); inside tf.data or "
            "tf.function use wav2vec2_tf.layers.waveform.normalize."
        ) from error
    if array.dtype == np.int16:
        array = array / 32768.0
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{name}: samples are float in [-1, 1] or int16, not {array.dtype}. Convert them first.")
    if array.ndim not in axes or array.size == 0:
        raise ValueError(f"{name}: needs samples with the axes [S]{' or [B, S]' * (2 in axes)}; got {array.shape}.")
    if array.ndim == 2 and array.shape[1] <= _MOST_CHANNELS < array.shape[0]:
        raise ValueError(
            f"{name}: shape {array.shape} looks like [S, channels]; the model takes mono. Use wav2vec2_tf.audio.load, "
            "or average the channels."
        )
    if not np.isfinite(array).all():
        where = int(np.flatnonzero(~np.isfinite(array.ravel()))[0])
        raise ValueError(
            f"{name}: sample {where} is {array.ravel()[where]}; every sample must be finite. Check the file."
        )
    return array.astype(np.float64)
