"""The texts of a corpus: which vocabulary they make or keep to, and which utterances have none; nothing is decoded yet.

The rules themselves live in `wav2vec2_tf.text`, decoding in `clips`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from data_tools.clips import Job, Rejection
from data_tools.manifest import Utterance
from wav2vec2_tf.text.normalize import normalize
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer


def read_vocabulary(path: Path) -> Wav2Vec2CTCTokenizer:
    """Reads a vocab.json.

    Raises:
        ValueError: It is not there, is not JSON or no vocabulary.
    """
    try:
        vocab = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--vocab {path} cannot be read ({error}). Name a vocab.json.") from error
    return Wav2Vec2CTCTokenizer(vocab)


def settle_texts(
    utterances: Sequence[Utterance], rules: Sequence[str], tokenizer: Wav2Vec2CTCTokenizer | None
) -> tuple[list[Job], list[Rejection]]:
    """Makes the text of each utterance and sorts out those that have none, before anything is decoded.

    Args:
        utterances: The corpus.
        rules: Text rules.
        tokenizer: Whose characters the texts may have; None allows all.
    Returns:
        What to decode, and what is left out.
    """
    allowed = None if tokenizer is None else set(tokenizer.characters)
    jobs, rejections, seen = [], [], set()
    for utterance in utterances:
        text = normalize(utterance.text, rules)
        unknown = set() if allowed is None else set(text) - allowed
        if utterance.id in seen:
            rejections.append(Rejection(utterance, "duplicate_id", f"{utterance.id} is the id of an earlier line"))
        elif not text.strip():
            rejections.append(Rejection(utterance, "empty_text", f"nothing is left of {utterance.text!r}"))
        elif unknown:
            detail = f"{' '.join(sorted(unknown))} in {text!r}"
            rejections.append(Rejection(utterance, "outside_vocabulary", detail))
        else:
            jobs.append(Job(utterance, text))
        seen.add(utterance.id)
    return jobs, rejections
