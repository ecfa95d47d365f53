"""The texts of a corpus: which vocabulary they make or keep to, and which utterances have none; nothing is decoded yet.

The rules themselves live in `wav2vec2_tf.text`, decoding in `clips`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_tools.clips import Job, Rejection
from data_tools.manifest import Utterance
from data_tools.sources import place, read_text
from wav2vec2_tf.text.normalize import allowed_characters, check_rules, normalize
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer
from wav2vec2_tf.text.vocabulary import build_vocabulary


@dataclass(frozen=True)
class Texts:
    """A corpus whose texts are settled.

    Args:
        jobs: What to decode.
        rejections: What is left out before.
        rules: Names of the text rules.
        tokenizer: The vocabulary.
        account: What became of each character, to be printed.
    """

    jobs: Sequence[Job]
    rejections: Sequence[Rejection]
    rules: tuple[str, ...]
    tokenizer: Wav2Vec2CTCTokenizer
    account: str


def settle_corpus(utterances: Sequence[Utterance], rules: Sequence[str], vocab: Path | None) -> Texts:
    """Makes the texts of a corpus and its vocabulary.

    Args:
        utterances: The corpus.
        rules: Names of text rules.
        vocab: A vocab.json that the texts keep to; None makes one of the transcripts.
    Returns:
        The texts.
    Raises:
        ValueError: A rule is unknown, the vocabulary cannot be read, or no character is left.
    """
    rules = check_rules(rules)
    if vocab is not None:
        tokenizer = read_vocabulary(vocab)
        return Texts(
            *settle_texts(utterances, rules, tokenizer), rules, tokenizer, f"{len(tokenizer)} tokens from {vocab}"
        )
    jobs, rejections = settle_texts(utterances, rules, None)
    limited = jobs and allowed_characters(rules)  # what is left out for its letters gets no place in the vocabulary
    texts = (job.utterance.text for job in jobs) if limited else (utterance.text for utterance in utterances)
    tokenizer, account = build_vocabulary(texts, rules)
    return Texts(jobs, rejections, rules, tokenizer, str(account))


def read_vocabulary(path: Path) -> Wav2Vec2CTCTokenizer:
    """Reads a vocab.json, here or in a bucket.

    Raises:
        ValueError: It is not there, is not JSON or no vocabulary.
    """
    try:
        vocab = json.loads(read_text(place(path)))
    except (OSError, ValueError) as error:
        raise ValueError(f"--vocab {path} cannot be read ({error}). Name a vocab.json.") from error
    return Wav2Vec2CTCTokenizer(vocab)


def settle_texts(
    utterances: Sequence[Utterance], rules: Sequence[str], tokenizer: Wav2Vec2CTCTokenizer | None
) -> tuple[list[Job], list[Rejection]]:
    """Makes the text of each utterance and sorts out those that have none, before anything is decoded.

    Args:
        utterances: The corpus.
        rules: Text rules; `letters:LANGUAGE` among them limits the characters, too.
        tokenizer: Whose characters the texts may have; None allows all.
    Returns:
        What to decode, and what is left out.
    """
    allowed = _allowed(rules, tokenizer)
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


def _allowed(rules: Sequence[str], tokenizer: Wav2Vec2CTCTokenizer | None) -> frozenset[str] | None:
    of_rules = allowed_characters(rules)
    if tokenizer is None:
        return of_rules
    own = frozenset(tokenizer.characters)
    return own if of_rules is None else own & of_rules
