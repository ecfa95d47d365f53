"""Claims about filling weights: every tensor arrives, in any float type, and nothing that is not finite."""

import gc

import ml_dtypes
import numpy as np
import pytest

from convert.assign import assign, named_weights
from convert.audit import AuditError
from convert.names import ALIASES
from tests.convert.whole import checkpoint
from tests.tiny import ARCHITECTURES, noise, tiny
from wav2vec2_tf import Wav2Vec2ForCTC
from wav2vec2_tf.layers.initial import blank_weights


def arrays_for(model, seed=0):
    rng = np.random.default_rng(seed)
    pairs = named_weights(model).items()
    return {theirs: name.to_theirs(rng.standard_normal(weight.shape).astype("f")) for theirs, (name, weight) in pairs}


@pytest.mark.parametrize("changes", [{}, {"adapter_attn_dim": 3}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_has_a_name_and_takes_its_tensor(architecture, changes):
    with blank_weights():
        model = Wav2Vec2ForCTC(tiny(architecture, **changes))
    arrays = arrays_for(model)
    assert len(arrays) == len(model.weights)
    assign(model, checkpoint(arrays))
    for theirs, (name, weight) in named_weights(model).items():
        np.testing.assert_array_equal(name.to_theirs(weight.numpy()), arrays[theirs])


def test_a_model_of_another_name_is_the_same():
    assert named_weights(Wav2Vec2ForCTC(tiny(), name="mine")).keys() == named_weights(Wav2Vec2ForCTC(tiny())).keys()


def test_both_names_of_weight_norm_fill_the_same_weights():
    ours, theirs = Wav2Vec2ForCTC(tiny()), Wav2Vec2ForCTC(tiny())
    arrays, older = arrays_for(ours), {new: old for old, new in ALIASES.items()}
    assign(ours, checkpoint(arrays))
    assign(theirs, checkpoint({older.get(name, name): array for name, array in arrays.items()}))
    np.testing.assert_array_equal(ours(noise(1, 640)), theirs(noise(1, 640)))


def test_what_is_absent_keeps_its_random_start():
    model = Wav2Vec2ForCTC(tiny())
    arrays, before = arrays_for(model), model.wav2vec2.masked_spec_embed.numpy()
    del arrays["wav2vec2.masked_spec_embed"]
    assert assign(model, checkpoint(arrays)).fresh == ("wav2vec2.masked_spec_embed",)
    np.testing.assert_array_equal(model.wav2vec2.masked_spec_embed.numpy(), before)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_every_float_type_becomes_float32(dtype):
    model = Wav2Vec2ForCTC(tiny())
    arrays = {name: array.astype(dtype) for name, array in arrays_for(model).items()}
    assign(model, checkpoint(arrays))
    assert {weight.dtype for weight in model.weights} == {"float32"}
    np.testing.assert_array_equal(model.lm_head.bias.numpy(), arrays["lm_head.bias"].astype(np.float32))


def test_weights_live_on_without_their_file_and_can_be_trained_in_place():
    model = Wav2Vec2ForCTC(tiny())
    arrays = arrays_for(model)
    truth = arrays["lm_head.bias"].copy()
    assign(model, checkpoint(arrays))
    for array in arrays.values():
        array[...] = 0
    del arrays
    gc.collect()
    model.lm_head.bias.assign_add(np.ones(9, np.float32))
    np.testing.assert_array_equal(model.lm_head.bias.numpy(), truth + 1)


def test_tensors_that_are_not_finite_are_all_told():
    model = Wav2Vec2ForCTC(tiny())
    arrays = arrays_for(model)
    arrays["lm_head.bias"][[1, 3]] = np.nan, np.inf
    arrays["wav2vec2.encoder.layer_norm.bias"][0] = -np.inf
    with pytest.raises(AuditError, match="not finite") as caught:
        assign(model, checkpoint(arrays))
    told = {line.strip() for line in str(caught.value).splitlines()[1:-1]}
    assert told == {
        "not finite: lm_head.bias holds 2 numbers that are NaN or infinite",
        "not finite: wav2vec2.encoder.layer_norm.bias holds 1 numbers that are NaN or infinite",
    }


def test_large_numbers_are_not_taken_for_infinite():
    model = Wav2Vec2ForCTC(tiny())
    arrays = arrays_for(model)
    arrays["lm_head.weight"][...] = 3e38  # the sum overflows
    assert assign(model, checkpoint(arrays)).findings == ()


def test_an_error_while_reading_comes_through():
    model = Wav2Vec2ForCTC(tiny())
    whole = checkpoint(arrays_for(model))

    def fail():
        raise OSError("the disk is gone")

    broken = [type(t)(t.name, t.shape, t.dtype, fail, t.file) if t.name == "lm_head.bias" else t for t in whole.tensors]
    with pytest.raises(OSError, match="the disk is gone"):
        assign(model, type(whole)("HERE", "", tuple(broken), {}))


def test_findings_stop_before_anything_is_read():
    model = Wav2Vec2ForCTC(tiny())
    with pytest.raises(AuditError, match="missing: lm_head.weight"):
        assign(model, checkpoint({"lm_head.bias": np.zeros(9, "f4")}))


def test_blank_weights_are_only_blank_inside():
    with blank_weights():
        Wav2Vec2ForCTC(tiny())
    assert 0.01 < float(np.std(Wav2Vec2ForCTC(tiny()).lm_head.kernel.numpy())) < 0.03
