"""What decoding finds: a `Transcript` with its words and characters, each a `Span` of time with a confidence.

Decoders, alignment and long audio make them; writing them to files is `wav2vec2_tf.formats`'.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Span:
    """A word or a character, and when it is heard.

    Args:
        text: What is heard.
        start_seconds, end_seconds: From the beginning of the recording.
        confidence: 0 to 1: the geometric mean of the model's probabilities on its frames.
    """

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float


@dataclass(frozen=True)
class Transcript:
    """What was heard in one recording.

    Args:
        text: The transcript; "" where the model hears no label.
        duration_seconds: Length of the recording.
        words: The words in order, as far as the decoder tells them.
        characters: The same for characters; spaces are left out.
        confidence: The geometric mean over all frames; 0 where nothing was decoded.
    """

    text: str
    duration_seconds: float
    words: tuple[Span, ...] = ()
    characters: tuple[Span, ...] = ()
    confidence: float = 0.0
