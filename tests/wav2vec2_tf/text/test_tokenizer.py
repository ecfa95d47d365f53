"""The tokenizer against transformers' answers (golden/recreate_tokenizer.py), its files, and its refusals."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from wav2vec2_tf.text.tokenizer import STANDARD_TOKENS, Wav2Vec2CTCTokenizer

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "tokenizer.json").read_text(encoding="utf-8"))["tokenizers"]
ID = {token: index for index, token in enumerate(STANDARD_TOKENS)}
E, L = ID["E"], ID["L"]


@pytest.fixture(params=sorted(GOLDEN))
def golden(request):
    return GOLDEN[request.param]


@pytest.fixture
def standard():
    return Wav2Vec2CTCTokenizer.standard()


def test_encoding_equals_transformers(golden):
    tokenizer = Wav2Vec2CTCTokenizer(golden["vocab"], **golden["settings"])
    for text, ids in golden["encode"]:
        assert tokenizer.encode(text) == ids, text


def test_decoding_equals_transformers(golden):
    tokenizer = Wav2Vec2CTCTokenizer(golden["vocab"], **golden["settings"])
    for ids, grouped, labels in golden["decode"]:
        assert tokenizer.decode(ids, skip_special_tokens=False) == grouped
        assert tokenizer.decode(ids, skip_special_tokens=False, group_tokens=False) == labels


def test_real_transcripts_come_back_as_they_were(speech_dir):
    with open(speech_dir / "wild" / "manifest.tsv", encoding="utf-8", newline="") as file:
        texts = [" ".join(row["transcript"].split()) for row in csv.DictReader(file, delimiter="\t")]
    characters = sorted(set("".join(texts)) - {" "})
    tokenizer = Wav2Vec2CTCTokenizer({token: i for i, token in enumerate([*STANDARD_TOKENS[:5], *characters])})
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text), group_tokens=False) == text


def test_standard_vocabulary_has_the_published_order(standard):
    assert (len(standard), standard.pad_token_id, standard.unk_token_id, standard.word_delimiter_token_id) == (
        32,
        0,
        3,
        4,
    )
    assert standard.encode("Z") == [31]


def test_a_letter_doubled_across_a_blank_stays_double(standard):
    assert standard.decode([L, L, 0, L, ID["O"]]) == "LLO"


def test_labels_are_decoded_without_merging(standard):
    assert standard.decode([L, L, ID["O"]], group_tokens=False) == "LLO"


def test_special_tokens_are_skipped_or_shown(standard):
    assert standard.decode([1, L, 3, 2]) == "L"
    assert standard.decode([1, L, 3, 2], skip_special_tokens=False) == "<s>L<unk></s>"


def test_ids_beyond_the_vocabulary_are_unknown(standard):
    assert standard.decode([L, -100, 99], skip_special_tokens=False) == "L<unk>"


@pytest.mark.parametrize("container", [list, tuple, np.array, lambda ids: np.array([ids])])
def test_ids_come_in_any_container(standard, container):
    assert standard.decode(container([E, E, 4, L])) == "E L"


def test_characters_agree_with_encode(golden):
    tokenizer = Wav2Vec2CTCTokenizer(golden["vocab"], **golden["settings"])
    assert tokenizer.characters[" "] == tokenizer.word_delimiter_token_id
    for char, index in tokenizer.characters.items():
        assert tokenizer.encode(char) == [index]


def test_characters_hold_both_cases_when_text_is_capitalised():
    table = Wav2Vec2CTCTokenizer({"<pad>": 0, "A": 1}, do_lower_case=True).characters
    assert (table["a"], table["A"]) == (1, 1)


def test_missing_special_tokens_are_appended_as_transformers_does():
    tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "a": 1})
    assert list(tokenizer.vocab.items())[2:] == [("<s>", 2), ("</s>", 3), ("<unk>", 4), ("|", 5)]


def test_a_saved_tokenizer_comes_back_equal(tmp_path, golden):
    tokenizer = Wav2Vec2CTCTokenizer(golden["vocab"], **golden["settings"], extra={"model_max_length": 9})
    tokenizer.save_pretrained(tmp_path)
    again = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    assert vars(again) == vars(tokenizer) | {"extra": again.extra}
    assert again.extra == {"tokenizer_class": "Wav2Vec2CTCTokenizer", "model_max_length": 9}


def test_appended_tokens_are_saved_beside_the_vocabulary(tmp_path):
    tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3})
    tokenizer.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "vocab.json").read_text()) == {"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}
    assert json.loads((tmp_path / "added_tokens.json").read_text()) == {"<s>": 4, "</s>": 5}
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path).vocab == tokenizer.vocab


def test_a_saved_tokenizer_leaves_nothing_of_the_one_it_replaces(tmp_path, standard):
    Wav2Vec2CTCTokenizer({"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}).save_pretrained(tmp_path)
    standard.save_pretrained(tmp_path)
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path).vocab == standard.vocab


def test_special_tokens_are_read_in_both_spellings(tmp_path):
    (tmp_path / "vocab.json").write_text('{"[PAD]": 0, "[UNK]": 1, " ": 2, "a": 3}')
    (tmp_path / "tokenizer_config.json").write_text(
        '{"pad_token": "[PAD]", "word_delimiter_token": " ", "bos_token": null}'
    )
    (tmp_path / "special_tokens_map.json").write_text('{"unk_token": {"content": "[UNK]"}, "eos_token": null}')
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    assert len(tokenizer) == 4
    assert tokenizer.decode(tokenizer.encode("a ab"), skip_special_tokens=False) == "a a[UNK]"


def test_ids_of_added_tokens_are_read_from_the_newer_config(tmp_path):
    (tmp_path / "vocab.json").write_text('{"<pad>": 0, "<unk>": 1, "|": 2, "a": 3}')
    (tmp_path / "tokenizer_config.json").write_text(
        '{"added_tokens_decoder": {"7": {"content": "<s>"}, "8": {"content": "</s>"}}}'
    )
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path).vocab["</s>"] == 8


def test_phonemes_are_not_run_together_as_if_they_were_letters(tmp_path):
    (tmp_path / "vocab.json").write_text('{"<pad>": 0, "<unk>": 1, "aː": 2, "t": 3}')
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer"}')
    with pytest.raises(ValueError, match="has a Wav2Vec2PhonemeCTCTokenizer: its labels are phonemes"):
        Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)


def test_unknown_character_without_unknown_token_is_refused():
    tokenizer = Wav2Vec2CTCTokenizer({"<pad>": 0, "a": 1}, unk_token=None)
    with pytest.raises(ValueError, match="'é' in 'aé' is not in the vocabulary"):
        tokenizer.encode("aé")


@pytest.mark.parametrize(
    ("vocab", "message"),
    [
        ({}, "the vocabulary is empty"),
        ({"eng": {"a": 0}, "deu": {"a": 0}}, r"one vocabulary per language \(deu, eng\). Choose: target_lang='deu'"),
        ({"eng": {"a": 0}, "a": 0}, r"token 'eng' has id \{'a': 0\}"),
        ({"a": 0, "b": 0}, "tokens 'a' and 'b' share the id 0"),
        ({"a": -1}, "token 'a' has id -1"),
        ({"a": "1"}, "token 'a' has id '1'"),
        ({"a": 1, "b": 2}, "share the id 2"),
    ],
)
def test_broken_vocabularies_are_refused(vocab, message):
    with pytest.raises(ValueError, match=message):
        Wav2Vec2CTCTokenizer(vocab)


def test_a_folder_without_vocabulary_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no .*vocab.json"):
        Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize(("content", "message"), [('{"a": 1', "not valid JSON"), ("[1]", "holds a JSON list")])
def test_a_damaged_file_is_refused(tmp_path, content, message):
    (tmp_path / "vocab.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, standard):
    standard.save_pretrained(tmp_path)
    before = (tmp_path / "vocab.json").read_bytes()

    def full(self, text, **_):
        self.write_bytes(text[:10].encode())
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        Wav2Vec2CTCTokenizer({"<pad>": 0, "x": 1}).save_pretrained(tmp_path)
    assert (tmp_path / "vocab.json").read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


# ---- one vocabulary per language ----

SPECIAL = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4}
NESTED = {"eng": SPECIAL | {"a": 5, "b": 6}, "swe": SPECIAL | {"å": 5, "b": 6, "a": 7}}


@pytest.fixture
def nested(tmp_path):
    """A folder as transformers 5 writes it: added tokens are those of one language."""
    (tmp_path / "mms").mkdir()
    added = {str(index): {"content": token, "special": False} for token, index in SPECIAL.items()}
    config = {"target_lang": "eng", "added_tokens_decoder": added, "tokenizer_class": "Wav2Vec2CTCTokenizer"}
    (tmp_path / "mms" / "vocab.json").write_text(json.dumps(NESTED), "utf-8")
    (tmp_path / "mms" / "tokenizer_config.json").write_text(json.dumps(config), "utf-8")
    return tmp_path / "mms"


def test_the_language_is_the_one_the_files_name(nested):
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(nested)
    assert (tokenizer.target_lang, tokenizer.encode("ab"), len(tokenizer)) == ("eng", [5, 6], 7)


def test_another_language_is_taken_and_changed_to(nested):
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(nested, target_lang="swe")
    assert (tokenizer.target_lang, tokenizer.encode("abå"), len(tokenizer)) == ("swe", [7, 6, 5], 8)
    tokenizer.set_target_lang("eng")
    assert tokenizer.decode([5, 6], group_tokens=False) == "ab"
    assert tokenizer.encode("å") == [tokenizer.unk_token_id]


def test_all_languages_are_saved(nested, tmp_path):
    Wav2Vec2CTCTokenizer.from_pretrained(nested, target_lang="swe").save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "vocab.json").read_text("utf-8")) == NESTED
    assert not (tmp_path / "again" / "added_tokens.json").exists()
    again = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "again")
    assert (again.target_lang, again.vocab) == ("swe", NESTED["swe"])


def test_a_language_that_lacks_a_special_token_gets_its_own(tmp_path):
    tokenizer = Wav2Vec2CTCTokenizer({"eng": {"<pad>": 0, "a": 1}, "swe": {"<pad>": 0}}, target_lang="eng")
    tokenizer.set_target_lang("swe")
    tokenizer.save_pretrained(tmp_path)
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path).vocab == tokenizer.vocab
    assert (tokenizer.vocab["<s>"], tokenizer.languages["swe"]) == (1, {"<pad>": 0})


def test_an_unknown_language_is_refused_and_changes_nothing(nested):
    tokenizer = Wav2Vec2CTCTokenizer.from_pretrained(nested)
    with pytest.raises(ValueError, match="vocab.json has no language 'deu'; it has eng, swe"):
        tokenizer.set_target_lang("deu")
    assert tokenizer.vocab == NESTED["eng"]


def test_a_long_list_of_languages_is_cut():
    vocab = {f"l{i:02d}": SPECIAL for i in range(12)}
    with pytest.raises(ValueError, match=r"l09 and 2 more\)"):
        Wav2Vec2CTCTokenizer(vocab)


def test_a_language_for_one_vocabulary_is_refused(tmp_path, standard):
    standard.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="target_lang='swe' means nothing"):
        Wav2Vec2CTCTokenizer.from_pretrained(tmp_path, target_lang="swe")
