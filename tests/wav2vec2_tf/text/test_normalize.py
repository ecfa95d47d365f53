"""Text rules: what each does, and how they combine."""

import pytest

from wav2vec2_tf.text.normalize import DEFAULT_RULES, RULES, allowed_characters, check_rules, normalize


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("nfc", "u\u0308ber", "über"),
        ("nfkc", "ﬁne Ａ", "fine A"),
        ("upper", "straße", "STRASSE"),
        ("lower", "STRASSE É", "strasse é"),
        ("straight_apostrophe", "San’yaku ‘tis", "San'yaku 'tis"),
        ("strip_punctuation", "'forty-two', isn't", " forty two   isn't"),
        ("strip_punctuation", "„Jugend“ – a|b 5%", " Jugend    a b 5 "),
        ("collapse_space", "  a\u00a0 \t\nb ", "a b"),
    ],
)
def test_each_rule_does_what_its_name_says(rule, text, expected):
    assert normalize(text, [rule]) == expected


def test_every_rule_has_a_case_above():
    cases = test_each_rule_does_what_its_name_says.pytestmark[0].args[1]
    assert {rule for rule, _, _ in cases} == set(RULES)


def test_rules_apply_in_the_order_given():
    assert normalize("ß", ["upper", "lower"]) == "ss"
    assert normalize("ß", ["lower", "upper"]) == "SS"


def test_default_rules_give_words_and_apostrophes():
    assert normalize("Thy beauty’s field, “forty-two”!") == "THY BEAUTY'S FIELD FORTY TWO"


def test_default_rules_change_nothing_the_second_time():
    once = normalize("  Außerdem: 'it's u\u0308ber’s -- a.m.  ")
    assert normalize(once) == once


def test_no_rules_change_nothing():
    assert normalize(" a-B ", []) == " a-B "


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="no text rule 'uper'. Choose from: nfc, .*upper"):
        normalize("a", [*DEFAULT_RULES, "uper"])


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("letters", "no text rule 'letters'. Choose from: nfc, .*spell_digits:LANGUAGE, letters:LANGUAGE"),
        ("upper:en", "no text rule 'upper:en'"),
        ("letters:xx", "letters of 'xx' are not known. Choose from: ar, "),
        ("spell_digits:xx", "num2words spells no numbers in 'xx'. It knows am, "),
    ],
)
def test_rules_of_a_language_name_one_that_is_known(rule, complaint):
    with pytest.raises(ValueError, match=complaint):
        check_rules([rule])


def test_rules_of_languages_combine_with_others():
    rules = ["nfc", "spell_digits:de", "strip_punctuation", "letters:de", "lower", "collapse_space"]
    assert normalize("Für 21 Señores, 2,5 km", rules) == "für einundzwanzig senores zwei komma fünf km"


def test_letters_limit_the_characters():
    assert allowed_characters(DEFAULT_RULES) is None
    assert "ü" in allowed_characters(["letters:de"])
    assert not {"ü", "1", "-"} & allowed_characters(["upper", "letters:en"])


def test_one_string_of_rules_is_refused():
    with pytest.raises(TypeError, match="list of names"):
        normalize("a", "upper")
