"""The texts of a corpus: which vocabulary they make or keep to, and which utterances have none; nothing is decoded yet.

The rules themselves live in `wav2vec2_tf.text`, decoding in `clips`.
"""

import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data_tools.clips import Job, Rejection
from data_tools.manifest import Utterance
from data_tools.sources import open_binary, place, read_text
from wav2vec2_tf.text.normalize import allowed_characters, check_rules, normalize
from wav2vec2_tf.text.subwords import SubwordTokenizer
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


def settle_corpus(
    utterances: Sequence[Utterance],
    rules: Sequence[str],
    vocab: Path | None,
    subwords: int | None = None,
    subword_kind: str = "bpe",
) -> Texts:
    """Makes the texts of a corpus and its vocabulary.

    Args:
        utterances: The corpus.
        rules: Names of text rules.
        vocab: A vocab.json, or a tokenizer.model of subwords, that the texts keep to; None makes one of the
            transcripts.
        subwords: Labels of a vocabulary of subwords; None makes one of characters.
        subword_kind: See `SubwordTokenizer.train`.
    Returns:
        The texts.
    Raises:
        ValueError: A rule is unknown, the vocabulary cannot be read, no character is left, or there cannot be as many
            subwords.
        ImportError: Subwords are asked for, and sentencepiece is not installed.
    """
    rules = check_rules(rules)
    if vocab is not None and subwords is not None:
        raise ValueError(f"--vocab {vocab} is a vocabulary, and --subwords {subwords} makes one. Give one of them.")
    if vocab is not None:
        tokenizer = read_vocabulary(vocab)
        return Texts(
            *settle_texts(utterances, rules, tokenizer), rules, tokenizer, f"{len(tokenizer)} tokens from {vocab}"
        )
    jobs, rejections = settle_texts(utterances, rules, None)
    limited = jobs and allowed_characters(rules)  # what is left out for its letters gets no place in the vocabulary
    texts = (job.utterance.text for job in jobs) if limited else (utterance.text for utterance in utterances)
    tokenizer, account = build_vocabulary(texts, rules)
    if subwords is not None:
        tokenizer, told = _make_subwords(jobs, subwords, subword_kind)
        account = f"{told}\n\n{account}"
    return Texts(jobs, rejections, rules, tokenizer, str(account))


def _make_subwords(jobs: Sequence[Job], size: int, kind: str) -> tuple[SubwordTokenizer, str]:
    """Trains a vocabulary, on the splits called train-something where there are any: the others are for testing."""
    texts = [job.text for job in jobs if job.utterance.split.startswith("train")] or [job.text for job in jobs]
    tokenizer = SubwordTokenizer.train(texts, size, kind)
    words, labels = (sum(map(len, rows)) for rows in (map(str.split, texts), tokenizer.encode_all(texts)))
    told = f"{len(tokenizer)} subwords ({kind}) from {len(texts)} transcripts: {labels / words:.2f} labels per word"
    return tokenizer, f"{told}\n{textwrap.fill(' '.join(tokenizer.vocab), 118, break_on_hyphens=False)}"


def read_vocabulary(path: Path) -> Wav2Vec2CTCTokenizer:
    """Reads a vocab.json, or a tokenizer.model of subwords, here or in a bucket.

    Raises:
        ValueError: It is not there, is not JSON or no vocabulary.
    """
    try:
        if path.suffix == ".model":
            with open_binary(place(path)) as file:
                return SubwordTokenizer(file.read(), path)
        vocab = json.loads(read_text(place(path)))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--vocab {path} cannot be read ({error}). Name a vocab.json, or a tokenizer.model of subwords."
        ) from error
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
