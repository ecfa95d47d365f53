"""Files of n-gram models: the words in an ARPA file or a KenLM binary, a missing </s> put in, and ARPA files written.

Scores are read by KenLM itself, in `beam`; estimating them is `ngram`'s part.
"""

import contextlib
import gzip
import mmap
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TextIO

from wav2vec2_tf.decoding.ngram import BEGIN, END, UNKNOWN, Gram, Ngram
from wav2vec2_tf.files import write_whole

_KENLM_MAGIC = b"mmap lm http://kheafield.com/code"
_GZIP_MAGIC = b"\x1f\x8b"


def words_of(path: str | os.PathLike) -> list[str]:
    """Lists the words a language model knows, marks (<s>, </s>, <unk>) left out.

    Args:
        path: An ARPA file, plain or .gz, or a KenLM binary that holds its words, as build_binary makes them.
    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is neither, is cut short, or holds no words.
    """
    found = _words_of_binary(path) if _is_binary(path) else _words_of_arpa(path)
    words = [word for word in found if word not in (BEGIN, END, UNKNOWN)]
    if not words:
        raise ValueError(f"{path} knows no words. Make it again: python -m wav2vec2_tf.decoding.build_lm.")
    return words


@contextlib.contextmanager
def readable(path: str | os.PathLike) -> Iterator[str]:
    """Gives a path that KenLM reads: the file itself or, where an ARPA file lacks </s>, a temporary copy with it.

    KenLM refuses a model without </s>. In the copy the end of a sentence is free after every word that has no backoff
    weight, which is what such files, edited by hand, get.

    Args:
        path: As for `words_of`.
    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no language model.
    """
    if _is_binary(path) or any(word == END for word in _words_of_arpa(path)):
        yield os.fspath(path)
        return
    warnings.warn(
        f"{path} has no {END}: a copy with it is used, in which the end of a sentence costs nothing.", stacklevel=4
    )
    with tempfile.TemporaryDirectory(prefix="wav2vec2_tf-") as folder:
        copy = Path(folder) / "with_end.arpa"
        with _opened(path) as source, copy.open("w", encoding="utf-8") as target:
            _copy_with_end(source, target)
        yield str(copy)


def write_arpa(path: str | os.PathLike, model: Sequence[dict[Gram, Ngram]]) -> None:
    """Writes an ARPA file, whole or not at all; compressed where the name ends in .gz.

    Args:
        path: Where to.
        model: From `ngram.estimate`.
    Raises:
        OSError: It cannot be written.
    """

    def write(part: Path) -> None:
        opened = gzip.open if os.fspath(path).endswith(".gz") else open
        with opened(part, "wt", encoding="utf-8") as file:
            file.writelines(_lines(model))

    write_whole(Path(path), write)


def _lines(model: Sequence[dict[Gram, Ngram]]) -> Iterator[str]:
    yield "\\data\\\n"
    yield from (f"ngram {length}={len(grams)}\n" for length, grams in enumerate(model, 1))
    for length, grams in enumerate(model, 1):
        yield f"\n\\{length}-grams:\n"
        for gram, found in grams.items():
            backoff = f"\t{found.log10_backoff:.7g}" if length < len(model) else ""
            yield f"{found.log10_prob:.7g}\t{' '.join(gram)}{backoff}\n"
    yield "\n\\end\\\n"


def _is_binary(path: str | os.PathLike) -> bool:
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no language model {path}. Name an .arpa, .arpa.gz or KenLM binary file.")
    with open(path, "rb") as file:
        return file.read(len(_KENLM_MAGIC)) == _KENLM_MAGIC


def _opened(path: str | os.PathLike) -> TextIO:
    with open(path, "rb") as file:
        compressed = file.read(2) == _GZIP_MAGIC
    return gzip.open(path, "rt", encoding="utf-8") if compressed else open(path, encoding="utf-8")


def _words_of_arpa(path: str | os.PathLike) -> Iterator[str]:
    """Gives the second column of the unigrams, and checks that there are as many as the head says."""
    try:
        with _opened(path) as file:
            head = list(takewhile(lambda line: not line.startswith("\\1-grams:"), file))
            count = re.search(r"^ngram +1 *= *(\d+)", "".join(head), re.MULTILINE)
            if count is None:
                raise ValueError("it has no line 'ngram 1=...'")
            rows = takewhile(str.strip, file)
            words = [line.split()[1] for line in rows]
        if len(words) != int(count[1]):
            raise ValueError(f"its head says {count[1]} words, {len(words)} are there")
    except (ValueError, IndexError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path} is no ARPA language model: {error}. Name an .arpa, .arpa.gz or KenLM binary file."
        ) from error
    return iter(words)


def _words_of_binary(path: str | os.PathLike) -> list[str]:
    """Gives the strings at the end of the file, from <unk> on."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.rfind(UNKNOWN.encode() + b"\0")
        if start < 0 or content[-1:] != b"\0":
            raise ValueError(f"{path} holds no list of its words. Give the ARPA file.")
        return content[start:-1].decode("utf-8").split("\0")


def _copy_with_end(source: TextIO, target: TextIO) -> None:
    in_head = True
    for line in source:
        if in_head and (count := re.match(r"ngram +1 *= *(\d+)", line)):
            line = f"ngram 1={int(count[1]) + 1}\n"
        target.write(line)
        if in_head and line.startswith("\\1-grams:"):
            target.write(f"0\t{END}\n")
            in_head = False
            shutil.copyfileobj(source, target)
