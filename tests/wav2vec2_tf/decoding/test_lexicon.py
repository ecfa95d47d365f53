import pytest

from wav2vec2_tf.decoding.lexicon import labels_of, spell
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

STANDARD = Wav2Vec2CTCTokenizer.standard()


def test_the_case_of_the_labels_is_found():
    lower = Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(["<pad>", "<unk>", "|", "g", "o"])})
    assert spell(["GO", "OG"], lower).spellings == ((3, 4), (4, 3))
    assert spell(["go"], STANDARD).spellings == spell(["GO"], STANDARD).spellings == ((21, 8),)
    assert labels_of("go  on", STANDARD) == labels_of("GO ON", STANDARD) == (21, 8, 4, 8, 9)


def test_words_without_labels_are_left_out_and_told():
    lexicon = spell(["GO", "ON", "CAFÉ"], STANDARD)
    assert (lexicon.words, lexicon.left_out) == (("GO", "ON"), ("CAFÉ",))


def test_another_alphabet_is_refused_with_examples():
    with pytest.raises(ValueError, match=r"Only 1 of the language model's 3 words .*'иду'"):
        spell(["GO", "иду", "нет"], STANDARD)


@pytest.mark.parametrize("phrase", ["", "ÄÖ", "GO 2"])
def test_a_hot_word_that_cannot_be_spelled_is_refused(phrase):
    with pytest.raises(ValueError, match=f"hot word '{phrase}' cannot be spelled"):
        labels_of(phrase, STANDARD)


def test_words_do_not_go_with_pieces_of_words():
    pytest.importorskip("sentencepiece")
    from wav2vec2_tf.text.subwords import SubwordTokenizer

    with pytest.raises(ValueError, match="labels are pieces of words"):
        spell(["GO"], SubwordTokenizer.train(["GO ON", "NO"], size=10))
