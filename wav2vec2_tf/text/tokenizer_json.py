"""Subwords in the form of Hugging Face's tokenizers, so that transformers reads them; ours is tokenizer.model.

The same labels come out there, for pieces and scores are written as SentencePiece has them. Only what a model of others
does to a text before it is cut (`nmt_nfkc`) is not: the rules for text have done it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_SPACE = "▁"


def describe(
    pieces: Sequence[str], scores: Sequence[float], specials: Mapping[str, int], unk_id: int
) -> dict[str, Any]:
    """Gives the content of tokenizer.json.

    Args:
        pieces: By id.
        scores: Of each, as SentencePiece has them: log-probabilities of unigram, negative ranks (whole numbers) of BPE.
        specials: Tokens that are no text -> id.
        unk_id: The one for unknown characters.
    """
    is_bpe = all(float(score).is_integer() for score in scores)
    # the space before a word is its first character there too, and one is put before the text
    spaces = {"type": "Metaspace", "replacement": _SPACE, "prepend_scheme": "always", "split": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(token, index) for token, index in specials.items()],
        "normalizer": None,
        "pre_tokenizer": spaces,
        "post_processor": None,
        "decoder": spaces,
        "model": _bpe(pieces, scores, unk_id) if is_bpe else _unigram(pieces, scores, unk_id),
    }


def _added(token: str, index: int) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": token} | flags | {"special": True}


def _unigram(pieces: Sequence[str], scores: Sequence[float], unk_id: int) -> dict[str, Any]:
    vocab = [[piece, float(score)] for piece, score in zip(pieces, scores, strict=True)]
    return {"type": "Unigram", "unk_id": unk_id, "vocab": vocab, "byte_fallback": False}


def _bpe(pieces: Sequence[str], scores: Sequence[float], unk_id: int) -> dict[str, Any]:
    vocab = {piece: index for index, piece in enumerate(pieces)}
    merges = []  # of two pieces into a third, the one of the best rank first
    for piece in sorted(pieces, key=lambda piece: -scores[vocab[piece]]):
        halves = ((piece[:i], piece[i:]) for i in range(1, len(piece)))
        merges += sorted(
            (pair for pair in halves if vocab.keys() >= set(pair)), key=lambda pair: [*map(vocab.get, pair)]
        )
    settings = {"dropout": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "byte_fallback": False}
    fused = {"unk_token": pieces[unk_id], "fuse_unk": True, "ignore_merges": False}
    return {"type": "BPE", **settings, **fused, "vocab": vocab, "merges": [list(pair) for pair in merges]}
