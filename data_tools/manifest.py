"""What a corpus lists: utterances, each a recording or a piece of one, with what is said in it.

Reading a corpus is left to `manifests`, decoding to `clips`, what the text becomes to `wav2vec2_tf.text`.
"""

import re
from dataclasses import dataclass

from data_tools.sources import Audio

DEFAULT_SPLIT = "train"
_SPLIT_WORDS = "train|training|validation|valid|val|dev|test|testing|eval|evaluation"


class ManifestError(ValueError):
    """A manifest that cannot be used; the message names the file and the line."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording, or a piece of one, and its transcript.

    Args:
        id: Unique in a corpus.
        audio: Where the recording lies; `sources.open_audio` opens it.
        text: The transcript as written in the corpus.
        speaker: "" where unknown.
        split: Such as "train" or "test".
        source: The recording as the manifest names it.
        start_seconds: Where the utterance begins in the recording.
        duration_seconds: How long it is; None: to the end of the recording.
        channel: Which channel of the recording, counted from 0; None: the mean of all.
    """

    id: str
    audio: Audio
    text: str
    speaker: str
    split: str
    source: str
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    channel: int | None = None

    @property
    def is_segment(self) -> bool:
        """Whether it is a piece of its recording rather than all of it."""
        return self.start_seconds > 0 or self.duration_seconds is not None


def check_split(split: str, where: str) -> str:
    """Gives a split's name back once it may be part of a file's name.

    Raises:
        ManifestError: It may not.
    """
    if not re.fullmatch(r"[\w.-]+", split):
        raise ManifestError(f"{where}: the split {split!r} names files; use letters, digits, . _ and -.")
    return split


def split_in(name: str) -> str:
    """Finds the split that a path speaks of.

    >>> split_in("data/dev"), split_in("shards/test-000012.tar"), split_in("contest/a.tar")
    ('dev', 'test', 'train')

    Args:
        name: A relative path.
    Returns:
        The first word of it that names a split, as written there; else "train".
    """
    words = re.search(rf"(?<![A-Za-z])({_SPLIT_WORDS})(?![A-Za-z])", name)
    return words[1] if words else DEFAULT_SPLIT
