"""The files of a CTC tokenizer in the form of transformers, of version 4 and 5: read into settings, and written.

What the settings mean is the tokenizer's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wav2vec2_tf.files import make_folder, read_json, write_json
from wav2vec2_tf.text.languages import is_nested

#: A SentencePiece model, which takes the place of vocab.json where labels are pieces of words.
SUBWORD_FILE = "tokenizer.model"

#: The same in the form that transformers reads; it is written only.
JSON_FILE = "tokenizer.json"

#: In the order of their fetching: without one of the last two there is no tokenizer.
FILES = ("added_tokens.json", "special_tokens_map.json", "tokenizer_config.json", SUBWORD_FILE, "vocab.json")

# The order in which transformers appends tokens that vocab.json lacks.
TOKEN_ROLES = ("bos_token", "eos_token", "unk_token", "pad_token", "word_delimiter_token")
SETTINGS = (*TOKEN_ROLES, "do_lower_case", "replace_word_delimiter_char")


@dataclass(frozen=True)
class TokenizerFiles:
    """What the files say.

    Args:
        vocab: vocab.json: token -> id, or language -> token -> id.
        added: Further tokens -> id, beside a vocabulary of one language.
        settings: Arguments of the tokenizer.
        target_lang: The language of a nested vocabulary.
        extra: Other keys of tokenizer_config.json.
    """

    vocab: Mapping[str, Any]
    added: Mapping[str, int]
    settings: Mapping[str, Any]
    target_lang: str | None
    extra: Mapping[str, Any]


def read(folder: Path, name: str | Path) -> TokenizerFiles:
    """Reads the files of a folder.

    Args:
        folder: A local folder.
        name: What errors call it.
    Raises:
        FileNotFoundError: There is no vocab.json.
        ValueError: A file is not JSON, or the tokenizer is one of phonemes.
    """
    if not (folder / "vocab.json").is_file():
        raise FileNotFoundError(f"There is no vocab.json in {name}. Give the source that holds the tokenizer's files.")
    vocab = read_json(folder / "vocab.json")
    config = read_json(folder / "tokenizer_config.json") | read_json(folder / "special_tokens_map.json")
    if "Phoneme" in str(config.get("tokenizer_class")):
        raise ValueError(
            f"{name} has a {config['tokenizer_class']}: its labels are phonemes, this tokenizer's letters. Load the "
            "model alone and look the ids up in vocab.json, or take a checkpoint of letters."
        )
    added = {item["content"]: int(index) for index, item in config.pop("added_tokens_decoder", {}).items()}
    added |= read_json(folder / "added_tokens.json")
    settings = {key: _content(config.pop(key)) for key in SETTINGS if key in config}
    if is_nested(vocab):  # the added tokens are those of the language that was saved last
        return TokenizerFiles(vocab, {}, settings, config.pop("target_lang", None), config)
    return TokenizerFiles(vocab, added, settings, None, config)


def write(folder: Path, files: TokenizerFiles) -> None:
    """Writes the files, in the form transformers reads too; the folder is made if absent."""
    make_folder(folder)
    for name in (SUBWORD_FILE, JSON_FILE):  # of the tokenizer that is replaced, and read first
        (folder / name).unlink(missing_ok=True)
    write_json(folder / "vocab.json", files.vocab)
    if files.added:
        write_json(folder / "added_tokens.json", files.added)
    else:
        (folder / "added_tokens.json").unlink(missing_ok=True)  # of the tokenizer that is replaced
    specials = {role: files.settings[role] for role in TOKEN_ROLES[:4] if files.settings[role] is not None}
    write_json(folder / "special_tokens_map.json", specials)
    language = {"target_lang": files.target_lang} if files.target_lang is not None else {}
    config = {"tokenizer_class": "Wav2Vec2CTCTokenizer"} | dict(files.extra) | dict(files.settings) | language
    write_json(folder / "tokenizer_config.json", config)


def _content(value: Any) -> Any:
    return value["content"] if isinstance(value, Mapping) else value  # "<pad>" or {"content": "<pad>", ...}
