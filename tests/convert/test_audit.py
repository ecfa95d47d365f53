"""Claims about the audit: every tensor is used, left out by a named rule, or told; all findings come at once."""

import ml_dtypes
import numpy as np
import pytest

from convert.audit import AuditError, audit
from convert.names import names_by_path
from tests.convert.whole import arrays_of, checkpoint, shapes_of, tensor
from tests.tiny import tiny

CONFIG = tiny(num_hidden_layers=1)
SHAPES = shapes_of(CONFIG)
CTC = dict(architectures=["Wav2Vec2ForCTC"])
HEAD = {"lm_head.weight", "lm_head.bias"}


def audited(arrays, config=CONFIG, shapes=SHAPES, ignore=False, **facts):
    return audit(shapes, checkpoint(arrays, **facts), config, ignore)


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


def test_a_fitting_checkpoint_has_no_finding_and_every_tensor_is_used():
    found = audited(arrays_of(SHAPES), **CTC)
    assert (found.findings, found.ignored, found.fresh) == ((), (), ())
    assert [name for name, _ in found.used] == list(SHAPES)
    found.raise_findings()


def test_tensors_of_pretraining_are_left_out_with_the_reason():
    found = audited(arrays_of(SHAPES) | {"quantizer.codevectors": np.zeros(3, "f4")})
    assert found.ignored == (("quantizer.codevectors", "quantizer of pretraining"),)
    assert not found.findings


def test_a_body_alone_leaves_the_head_fresh():
    found = audited(without(arrays_of(SHAPES), *HEAD))
    assert set(found.fresh) == HEAD
    assert found.has_fresh_head
    assert not found.findings


def test_a_ctc_checkpoint_without_its_head_is_not_whole():
    assert audited(without(arrays_of(SHAPES), *HEAD), **CTC).findings == (
        "missing: lm_head.bias",
        "missing: lm_head.weight",
    )


def test_half_a_head_is_not_whole():
    assert audited(without(arrays_of(SHAPES), "lm_head.bias")).findings == ("missing: lm_head.bias",)


def test_the_mask_vector_may_be_absent():
    found = audited(without(arrays_of(SHAPES), "wav2vec2.masked_spec_embed"), **CTC)
    assert (found.findings, found.fresh) == ((), ("wav2vec2.masked_spec_embed",))


@pytest.mark.parametrize(
    "other", [np.dtype("f2"), np.dtype("f4"), np.dtype("f8"), np.dtype(ml_dtypes.bfloat16)], ids=lambda t: t.name
)
def test_every_float_type_is_a_weight(other):
    assert not audited({name: array.astype(other) for name, array in arrays_of(SHAPES).items()}).findings


def test_all_findings_are_told_at_once():
    arrays = without(arrays_of(SHAPES), "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0")
    arrays["lm_head.bias"] = np.zeros((9, 1), "f4")
    arrays["mystery.weight"] = np.zeros(2, "f4")
    arrays["lm_head.weight"] = arrays["lm_head.weight"].astype("i1")
    found = audited(arrays)
    assert found.findings == (
        "missing: wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0",
        "unknown: mystery.weight",
        "wrong shape: lm_head.bias is (9, 1), the config asks for (9,)",
        "wrong type: lm_head.weight is int8; weights are floats (quantised files do not load)",
    )
    with pytest.raises(AuditError, match="(?s)HERE does not fit its config.json:\n  missing:.*int8.*download is whole"):
        found.raise_findings()


def test_a_tensor_under_both_names_of_weight_norm_is_double():
    arrays = arrays_of(SHAPES) | {"wav2vec2.encoder.pos_conv_embed.conv.weight_g": np.zeros((1, 1, 4), "f4")}
    (finding,) = audited(arrays).findings
    assert finding.startswith("double: wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0 is given")
    assert "weight_g in FILE" in finding


def test_a_tensor_in_two_files_is_double():
    found = checkpoint(arrays_of(SHAPES))
    twice = (*found.tensors, tensor("lm_head.bias", np.zeros(9, "f4"), "OTHER"))
    (finding,) = audit(SHAPES, type(found)("HERE", "", twice, {}), CONFIG).findings
    assert finding == "double: lm_head.bias is given by lm_head.bias in FILE, lm_head.bias in OTHER"


def test_a_config_of_lv60_over_a_group_norm_model_is_told_with_the_values_to_give():
    lv60 = tiny("layer_norm", num_hidden_layers=1)
    shapes = shapes_of(lv60)
    found = audit(shapes, checkpoint(arrays_of(shapes)), lv60)
    assert found.findings[:2] == (
        "config: feat_extract_norm is 'layer', the tensors are those of 'group'",
        "config: conv_bias is True, the tensors are those of False",
    )
    given = "feat_extract_norm='group', conv_bias=False, do_stable_layer_norm=False"
    assert given in found.way_out


def test_fields_that_a_kind_of_model_does_not_have_are_not_told():
    data2vec = tiny(num_hidden_layers=1, model_type="data2vec-audio", feat_extract_norm="layer")
    names = names_by_path(data2vec)
    shapes = {names["wav2vec2/feature_extractor/conv_layers_0/kernel"]: (10, 1, 6)}
    assert audit(shapes, checkpoint(arrays_of(shapes)), data2vec).findings == ()


def test_a_head_of_another_size_is_told_with_both_ways_out():
    arrays = arrays_of(SHAPES) | {"lm_head.weight": np.zeros((40, 16), "f4"), "lm_head.bias": np.zeros(40, "f4")}
    found = audited(arrays)
    assert "config: vocab_size is 9, the tensors are those of 40" in found.findings
    assert "wrong shape: lm_head.weight is (40, 16), the config asks for (9, 16)" in found.findings
    assert "vocab_size=40" in found.way_out
    assert "ignore_mismatched_sizes=True" in found.way_out


def test_a_head_of_another_size_can_be_left_out():
    arrays = arrays_of(SHAPES) | {"lm_head.weight": np.zeros((40, 16), "f4"), "lm_head.bias": np.zeros(40, "f4")}
    found = audited(arrays, ignore=True, **CTC)
    assert found.has_fresh_head
    assert dict(found.ignored) == dict.fromkeys(HEAD, "head of another size")
    assert not found.findings


def test_a_fitting_head_stays_also_where_another_might_be_left_out():
    assert not audited(arrays_of(SHAPES), ignore=True, **CTC).has_fresh_head


def test_a_tensor_with_another_number_of_axes_is_told():
    name = "wav2vec2.feature_extractor.conv_layers.0.conv.weight"
    (finding,) = audited(arrays_of(SHAPES) | {name: np.zeros((6, 10), "f4")}).findings
    assert finding == f"wrong shape: {name} is (6, 10), the config asks for (6, 1, 10)"
