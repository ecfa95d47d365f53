"""Text rules: what each does, and how they combine."""

import pytest

from wav2vec2_tf.text.normalize import DEFAULT_RULES, RULES, normalize


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


def test_one_string_of_rules_is_refused():
    with pytest.raises(TypeError, match="list of names"):
        normalize("a", "upper")
