"""Labels that are pieces of words: a BPE or unigram vocabulary of transcripts. The one importer of sentencepiece.

A piece that begins a word carries the space before it ("▁THE"), so no label stands for the space alone. Blank and
unknown are the first labels, as everywhere. Text rules come before (`normalize`): the pieces take a text as it is.
"""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from wav2vec2_tf.files import make_folder, write_json, write_whole
from wav2vec2_tf.text import tokenizer_json
from wav2vec2_tf.text.tokenizer import STANDARD_TOKENS, Wav2Vec2CTCTokenizer
from wav2vec2_tf.text.tokenizer_files import FILES, JSON_FILE, SUBWORD_FILE, TOKEN_ROLES

KINDS = ("bpe", "unigram")
SPACE = "▁"  # sentencepiece's sign for the space before a word

_HEAD = STANDARD_TOKENS[:4]  # <pad> <s> </s> <unk>
_MOST_TEXTS = 1_000_000  # that unigram looks at: it holds them, and every substring, in memory


class SubwordTokenizer(Wav2Vec2CTCTokenizer):
    """Maps text to CTC labels, one per piece of a word, and ids back to text.

    >>> tokenizer = SubwordTokenizer.train(["THE CAT", "THE HAT", "THAT CAT"], size=14)
    >>> tokenizer.pieces("THAT HAT")
    ['▁TH', 'AT', '▁', 'H', 'AT']
    >>> tokenizer.decode(tokenizer.encode("THAT HAT"), group_tokens=False)
    'THAT HAT'

    Args:
        model: A SentencePiece model, the content of tokenizer.model. One without a pad piece gets `<pad>` as its last
            label, which is the CTC blank.
        name: What errors call it.
    Raises:
        ValueError: It is no such model, or has pieces that are bytes.
        ImportError: sentencepiece is not installed.
    """

    def __init__(self, model: bytes, name: str | Path = SUBWORD_FILE):
        self.model = model
        self._processor = _load(model, str(name))
        processor = self._processor
        roles = (processor.unk_id(), processor.pad_id(), processor.bos_id(), processor.eos_id())
        unk, pad, bos, eos = (processor.id_to_piece(index) if index >= 0 else None for index in roles)
        vocab = {processor.id_to_piece(index): index for index in range(len(processor))}
        super().__init__(vocab, unk, pad or _HEAD[0], None, bos, eos)
        self._num_given = len(self.vocab)  # a blank that was appended is a label all the same

    @classmethod
    def train(cls, texts: Iterable[str], size: int, kind: str = "bpe") -> "SubwordTokenizer":
        """Makes a vocabulary from texts; the same texts give the same one, in any order where `kind` is bpe.

        Args:
            texts: Transcripts, already normalised.
            size: Labels, `<pad> <s> </s> <unk>` and every single character among them.
            kind: "bpe" joins the most frequent pair again and again, from the counts of words. "unigram" starts with
                all frequent substrings and drops those the texts lose least by; of more than a million texts it takes
                every second, third and so on.
        Raises:
            ValueError: `kind` is unknown, or the texts do not make that many pieces or need more.
            ImportError: sentencepiece is not installed.
        """
        if kind not in KINDS:
            raise ValueError(f"There is no kind of subwords {kind!r}. Choose from: {', '.join(KINDS)}.")
        if kind == "bpe":
            counts = Counter(word for text in texts for word in text.split())
            lines, form = [f"{word}\t{count}" for word, count in sorted(counts.items())], "tsv"
        else:
            lines, form = list(texts), "text"
            lines = lines[:: max(1, -(-len(lines) // _MOST_TEXTS))]
        return cls(_train(lines, form, size, kind))

    @property
    def characters(self) -> frozenset[str]:
        """Gives every character that a text can be made of, the space included."""
        silent = {self.bos_token, self.eos_token, self.unk_token, self.pad_token}
        return frozenset("".join(token for token in self.vocab if token not in silent)) - {SPACE} | {" "}

    def encode(self, text: str) -> list[int]:
        """Turns text into label ids: the pieces of each word; characters without any get `unk_token_id`.

        There is at most one label more than characters.
        """
        return self._processor.encode(text)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Turns many texts into label ids at once."""
        return self._processor.encode(list(texts), num_threads=1)

    def pieces(self, text: str) -> list[str]:
        """Shows what `encode` cuts a text into."""
        return [self._tokens[index] for index in self.encode(text)]

    def _spelled(self, token: str) -> str:
        return token.replace(SPACE, " ")

    def save_pretrained(self, folder: str | Path) -> None:
        """Writes tokenizer.model, and the files that transformers reads; those of another tokenizer go."""
        folder = make_folder(folder)
        for name in set(FILES) - {SUBWORD_FILE, JSON_FILE, "tokenizer_config.json"}:
            (folder / name).unlink(missing_ok=True)
        write_whole(folder / SUBWORD_FILE, lambda part: part.write_bytes(self.model))
        write_json(folder / JSON_FILE, self._for_transformers())
        # the class of theirs that merges repeats and leaves out the blank, whatever its name says
        write_json(folder / "tokenizer_config.json", {"tokenizer_class": "ParakeetTokenizer", **self._roles})

    @property
    def _roles(self) -> dict[str, str]:
        return {role: getattr(self, role) for role in TOKEN_ROLES if getattr(self, role)}

    def _for_transformers(self) -> dict:
        known = len(self._processor)  # a blank that was appended is not
        scores = [self._processor.get_score(index) if index < known else 0.0 for index in range(len(self))]
        specials = {token: self.vocab[token] for token in self._roles.values()}
        return tokenizer_json.describe(list(self.vocab), scores, specials, self.unk_token_id)


def _load(model: bytes, name: str):
    processor = _sentencepiece().SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise ValueError(f"{name} is no SentencePiece model ({error}). Fetch or write the file again.") from error
    if any(processor.is_byte(index) for index in range(len(processor))):
        raise ValueError(
            f"{name} has pieces that are bytes, not text (byte_fallback). Train it without, or let the rules for text "
            "keep to its characters."
        )
    return processor


def _train(lines: Sequence[str], form: str, size: int, kind: str) -> bytes:
    if not any(line.strip() for line in lines):
        raise ValueError("Subwords are made from transcripts, and none has a word. Check the transcript column.")
    pad, bos, eos, unk = _HEAD
    model = io.BytesIO()
    try:
        _sentencepiece().SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, input_format=form, model_type=kind, vocab_size=size,
            pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece=pad, bos_piece=bos, eos_piece=eos, unk_piece=unk,
            character_coverage=1.0, normalization_rule_name="identity", max_sentence_length=1 << 20, minloglevel=2,
        )  # fmt: skip
    except (RuntimeError, OSError) as error:
        said = str(error).rpartition("] ")[2].partition(" Increase")[0].strip() or "These are too few."
        raise ValueError(
            f"{size} subwords ({kind}) cannot be made of these transcripts: {said} Choose another --subwords; every "
            "character needs a place among them, and they cannot be more than the pieces there are."
        ) from error
    return model.getvalue()


def _sentencepiece():
    try:
        import sentencepiece
    except ImportError as error:
        raise ImportError("Subwords need sentencepiece: pip install 'wav2vec2-tf[subwords]'.") from error
    return sentencepiece
