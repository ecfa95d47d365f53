"""Claims about assigning weights: every tensor counts, all findings are told at once."""

import numpy as np
import pytest

from convert.assign import assign, named_weights
from convert.names import ALIASES
from tests.tiny import ARCHITECTURES, noise, tiny
from wav2vec2_tf import Wav2Vec2ForCTC


def tensors_of(model, seed=0):
    rng = np.random.default_rng(seed)
    pairs = named_weights(model).items()
    return {theirs: name.to_theirs(rng.standard_normal(weight.shape).astype("f")) for theirs, (name, weight) in pairs}


@pytest.mark.parametrize("changes", [{}, {"adapter_attn_dim": 3}])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_weight_has_a_name_and_takes_its_tensor(architecture, changes):
    model = Wav2Vec2ForCTC(tiny(architecture, **changes))
    tensors = tensors_of(model)
    assert len(tensors) == len(model.weights)
    assign(model, tensors, "here")
    for theirs, (name, weight) in named_weights(model).items():
        np.testing.assert_array_equal(name.to_theirs(weight.numpy()), tensors[theirs])


def test_a_model_of_another_name_is_the_same():
    assert named_weights(Wav2Vec2ForCTC(tiny(), name="mine")).keys() == named_weights(Wav2Vec2ForCTC(tiny())).keys()


def test_both_names_of_weight_norm_fill_the_same_weights():
    ours, theirs = Wav2Vec2ForCTC(tiny()), Wav2Vec2ForCTC(tiny())
    tensors, older = tensors_of(ours), {new: old for old, new in ALIASES.items()}
    assign(ours, tensors, "new")
    assign(theirs, {older.get(name, name): tensor for name, tensor in tensors.items()}, "old")
    np.testing.assert_array_equal(ours(noise(1, 640)), theirs(noise(1, 640)))


def test_the_mask_vector_may_be_absent():
    model = Wav2Vec2ForCTC(tiny())
    tensors = tensors_of(model)
    before = model.wav2vec2.masked_spec_embed.numpy()
    del tensors["wav2vec2.masked_spec_embed"]
    assign(model, tensors, "here")
    np.testing.assert_array_equal(model.wav2vec2.masked_spec_embed.numpy(), before)


def test_half_precision_tensors_become_float32():
    model = Wav2Vec2ForCTC(tiny())
    assign(model, {name: tensor.astype(np.float16) for name, tensor in tensors_of(model).items()}, "here")
    assert {weight.dtype for weight in model.weights} == {"float32"}


def test_all_that_does_not_fit_is_listed():
    model = Wav2Vec2ForCTC(tiny())
    tensors = tensors_of(model) | {"lm_head.bias": np.zeros(5, np.float32), "encoder.extra": np.zeros(3)}
    del tensors["wav2vec2.encoder.layer_norm.weight"]
    with pytest.raises(ValueError, match="FILE does not fit its config.json") as caught:
        assign(model, tensors, "FILE")
    assert str(caught.value).splitlines()[1:-1] == [
        "  missing: wav2vec2.encoder.layer_norm.weight",
        "  unknown: encoder.extra",
        "  wrong shape: lm_head.bias is (5,) in our layout, the config asks (9,)",
    ]
