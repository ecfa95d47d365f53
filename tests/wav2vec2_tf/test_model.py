"""Claims about the body: shapes, seeds, masks, and what is refused."""

import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import ARCHITECTURES, NO_CHANCE, SAMPLES, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2Config, Wav2Vec2Model
from wav2vec2_tf.lengths import frames_for
from wav2vec2_tf.presets import Presets

# what acts alone    with this config
SITES = {
    "feat_proj_dropout":  dict(feat_proj_dropout=0.5),
    "hidden_dropout":     dict(hidden_dropout=0.5),
    "activation_dropout": dict(activation_dropout=0.5),
    "attention_dropout":  dict(attention_dropout=0.5),
    "layerdrop":          dict(layerdrop=0.5),
    "mask_time":          dict(mask_time_prob=0.5),
    "mask_feature":       dict(mask_feature_prob=0.5),
}  # fmt: skip
AUDIO = noise(2, SAMPLES)


def built(architecture="group_norm", **changes):
    return perturb(Wav2Vec2Model(tiny(architecture, **NO_CHANCE | changes)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_are_one_per_block_and_the_input(architecture):
    last, states = built(architecture)(AUDIO, output_hidden_states=True)
    assert [state.shape for state in states] == [(2, 20, 16)] * 3
    np.testing.assert_array_equal(last, states[-1])


def test_every_weight_is_made_at_once():
    names = {weight.path for weight in Wav2Vec2Model(tiny("layer_norm", adapter_attn_dim=3)).weights}
    assert len(names) == 1 + 3 * 4 + 4 + 3 + 2 + 2 * (8 + 2 + 4 + 2 + 6)


def test_frame_lengths_are_those_of_lengths():
    sizes = np.array([0, 57, 58, 1000], np.int32)
    assert built().frame_lengths(tf.constant(sizes)).numpy().tolist() == frames_for(sizes, tiny().convs).tolist()


@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_kind_of_chance_acts_in_training_by_step_and_repeats(architecture, site):
    model = built(architecture, **SITES[site])
    steps = [model(AUDIO, training=True, seed=tf.constant([5, step])).numpy() for step in (0, 0, 1, 2)]
    np.testing.assert_array_equal(steps[0], steps[1])
    assert any(not np.allclose(steps[0], other) for other in steps[2:])
    plain = model(AUDIO)
    assert any(not np.allclose(plain, step) for step in steps)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_chance_training_equals_inference(architecture):
    model = built(architecture)
    np.testing.assert_array_equal(model(AUDIO, training=True, seed=tf.constant([1, 2])), model(AUDIO))


def test_inference_ignores_a_seed():
    model = built(hidden_dropout=0.5, mask_time_prob=0.5)
    np.testing.assert_array_equal(model(AUDIO, seed=tf.constant([1, 2])), model(AUDIO))


def test_masking_can_be_switched_off():
    model = built(mask_time_prob=0.5, mask_feature_prob=0.5, apply_spec_augment=False)
    np.testing.assert_array_equal(model(AUDIO, training=True, seed=tf.constant([1, 2])), model(AUDIO))


def test_without_a_seed_training_draws_anew_at_every_call():
    model = built(hidden_dropout=0.5)
    assert not np.allclose(model(AUDIO, training=True), model(AUDIO, training=True))


def test_rows_of_a_batch_are_masked_apart():
    model = built(mask_time_prob=0.5)
    twice = np.repeat(AUDIO[:1], 2, axis=0)
    first, second = model(twice, training=True, seed=tf.constant([1, 2])).numpy()
    assert not np.allclose(first, second)


def test_masks_keep_to_the_real_frames():
    model = built(mask_time_prob=0.9)
    sizes = tf.constant([SAMPLES, 320])
    changed = np.concatenate([AUDIO[:, :320], AUDIO[:, 320:] * [[1.0], [7.0]]], axis=1).astype("f")
    first, second = (model(x, sizes, training=True, seed=tf.constant([1, 2])) for x in (AUDIO, changed))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1, :5], second[1, :5])


@pytest.mark.parametrize("preset", [name for name in vars(Presets) if not name.startswith("_")])
def test_every_preset_builds_and_runs_when_made_narrow(preset):
    narrow = dict(hidden_size=32, num_hidden_layers=1, intermediate_size=8, conv_dim=(4,) * 7)
    config = getattr(Wav2Vec2Config, preset)(**narrow, num_attention_heads=16)
    assert Wav2Vec2Model(config)(noise(1, 1040)).shape == (1, 3, 32)


def test_input_of_another_rank_is_refused():
    with pytest.raises(ValueError, match=r"input_values must be \[batch, samples\]; got \(1280,\)\. Add a batch axis"):
        built()(AUDIO[0])


def test_integer_input_is_refused():
    with pytest.raises(ValueError, match=r"input_values must be float; got int16\. Normalise them first"):
        built()((1000 * AUDIO).astype(np.int16))


def test_input_too_short_for_a_frame_is_refused():
    with pytest.raises(ValueError, match="input_values hold 57 samples; one frame takes 58. Pad, or leave the clip"):
        built()(AUDIO[:, :57])
