"""Claims about the table of families: it speaks of fields that exist, and each once."""

import dataclasses

import pytest

from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.families import FAMILIES, family

FIELDS = {item.name for item in dataclasses.fields(Wav2Vec2Config)}


@pytest.mark.parametrize("kind", FAMILIES.values(), ids=FAMILIES)
def test_it_names_fields_of_the_config_and_none_twice(kind):
    assert kind.absent | kind.tacit | kind.defaults.keys() <= FIELDS
    assert not kind.absent & kind.tacit


def test_every_field_belongs_to_some_kind_of_model():
    assert not frozenset.intersection(*(kind.absent for kind in FAMILIES.values()))


def test_prefixes_and_classes_differ():
    assert len({kind.prefix for kind in FAMILIES.values()}) == len(FAMILIES)
    assert len({kind.ctc_class for kind in FAMILIES.values()}) == len(FAMILIES)


def test_another_kind_is_refused_and_the_supported_ones_are_listed():
    message = "model_type 'sew' is not supported; this package reads wav2vec2, hubert, data2vec-audio, wavlm. Give a"
    with pytest.raises(ValueError, match=message):
        family("sew")
