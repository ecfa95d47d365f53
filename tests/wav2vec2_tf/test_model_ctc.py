"""Claims about the CTC model: padding is harmless, every way of running gives one number, and it trains."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny import KINDS, NO_CHANCE, SAMPLES, noise, perturb, tiny
from wav2vec2_tf import Wav2Vec2ForCTC, ctc_loss
from wav2vec2_tf.model_ctc import best_labels

SIZES = np.array([SAMPLES, 700, 58, 0], np.int32)
AUDIO = noise(4, SAMPLES) * (np.arange(SAMPLES) < SIZES[:, None])
LABELS = np.array([[1, 2, 2, 5], [3, 4, 0, 0], [7, 0, 0, 0], [0, 0, 0, 0]], np.int32)
NUM_LABELS = np.array([4, 2, 1, 0], np.int32)
SEED = tf.constant([11, 3])


@pytest.fixture(params=["float32", "mixed_bfloat16", "mixed_float16"])
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def built(architecture="group_norm", **changes):
    return perturb(Wav2Vec2ForCTC(tiny(architecture, **changes)))


def train_step(model, seed=SEED, audio=AUDIO):
    """Gives the loss summed over the batch and the gradient of every trainable weight."""
    with tf.GradientTape() as tape:
        logits = model(audio, SIZES, training=True, seed=seed)
        loss = tf.reduce_sum(ctc_loss(logits, model.frame_lengths(SIZES), LABELS, NUM_LABELS))
    weights = [weight.value for weight in model.trainable_variables]
    return loss, tape.gradient(
        loss, weights, unconnected_gradients="zero"
    )  # the mask vector's, where nothing is masked


@pytest.mark.parametrize("rubbish", [0.0, 1e3, 1e30, np.inf, np.nan])
@pytest.mark.parametrize("architecture", KINDS)
def test_padding_leaves_real_frames_unchanged(architecture, rubbish):
    model = built(architecture)
    padded = np.where(np.arange(SAMPLES) < SIZES[:, None], AUDIO, np.float32(rubbish))
    logits, frames = model(padded, SIZES).numpy(), model.frame_lengths(SIZES)
    for row in range(3):
        alone = model(AUDIO[row : row + 1, : SIZES[row]]).numpy()[0]
        np.testing.assert_allclose(logits[row, : frames[row]], alone, atol=1e-5)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("architecture", KINDS)
def test_padding_leaves_loss_and_gradients_unchanged(architecture):
    model = built(architecture, **NO_CHANCE)
    longer = np.concatenate([AUDIO, np.full((4, 333), 55, np.float32)], axis=1)
    (loss, gradients), (padded_loss, padded_gradients) = train_step(model), train_step(model, audio=longer)
    assert float(loss) == pytest.approx(float(padded_loss), rel=1e-5)
    for gradient, padded in zip(gradients, padded_gradients, strict=True):
        np.testing.assert_allclose(gradient, padded, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("architecture", KINDS)
def test_eager_graph_and_xla_agree_in_value_and_gradient(architecture):
    model = built(architecture, **NO_CHANCE)
    loss, gradients = train_step(model)
    for jit in (False, True):
        other_loss, others = tf.function(lambda: train_step(model), jit_compile=jit)()
        assert float(other_loss) == pytest.approx(float(loss), rel=1e-5)
        for gradient, other in zip(gradients, others, strict=True):
            np.testing.assert_allclose(other, gradient, atol=2e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def true_step():
    """The train step in float32 that the other precisions are measured against."""
    return functools.cache(lambda architecture: train_step(built(architecture, **NO_CHANCE)))


@pytest.mark.parametrize(
    ("architecture", "jit"),
    [("group_norm", False), ("layer_norm", False), ("layer_norm", True), ("hubert", False), ("wavlm", True)],
    ids=str,
)
def test_a_train_step_is_finite_in_every_precision_and_near_float32(architecture, jit, true_step, policy):
    keras.config.set_dtype_policy("float32")
    true_loss, true_gradients = true_step(architecture)
    keras.config.set_dtype_policy(policy)
    model = built(architecture, **NO_CHANCE)
    loss, gradients = tf.function(train_step, jit_compile=jit)(model, SEED)
    assert float(loss) == pytest.approx(float(true_loss), rel=0.02)
    assert all(weight.dtype == "float32" for weight in model.trainable_variables)
    for gradient, true_gradient in zip(gradients, true_gradients, strict=True):
        assert np.isfinite(gradient).all()
        assert np.linalg.norm(gradient - true_gradient) <= 0.1 * np.linalg.norm(true_gradient) + 0.02


def test_logits_are_float32_in_every_precision(policy):
    assert built()(AUDIO, SIZES).dtype == tf.float32


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_one_traced_step_draws_anew_for_every_step_and_repeats(jit):
    model = built("layer_norm", layerdrop=0.3, mask_time_prob=0.3, mask_feature_prob=0.2)
    step = tf.function(lambda number: train_step(model, tf.stack([4, number]))[0], jit_compile=jit)
    losses = [float(step(tf.constant(number))) for number in (0, 1, 2, 3, 0)]
    assert len(set(losses)) == 4
    assert losses[0] == losses[-1]
    assert step.experimental_get_tracing_count() == 1


def test_final_dropout_acts():
    model = built(**NO_CHANCE | dict(final_dropout=0.5))
    assert not np.allclose(model(AUDIO, SIZES, training=True, seed=SEED), model(AUDIO, SIZES))


def test_without_a_seed_training_draws_anew_at_every_call():
    model = built(**NO_CHANCE | dict(final_dropout=0.5))
    assert not np.allclose(model(AUDIO, training=True), model(AUDIO, training=True))


@pytest.mark.parametrize("freeze", ["freeze_feature_encoder", "freeze_feature_extractor"])
def test_a_frozen_feature_encoder_has_no_gradient_and_the_rest_has(freeze):
    model = built("layer_norm", **NO_CHANCE | dict(mask_time_prob=0.5))
    assert sum("feature_extractor" in weight.path for weight in model.trainable_variables) == 12
    getattr(model, freeze)()
    paths = [weight.path for weight in model.trainable_variables]
    assert not any("feature_extractor" in path for path in paths)
    _, gradients = train_step(model)
    silent = [path for path, g in zip(paths, gradients, strict=True) if not np.any(g)]
    assert all("k_proj/bias" in path for path in silent), silent  # a shift of all scores changes no softmax


@pytest.mark.parametrize("architecture", KINDS)
def test_every_weight_learns(architecture):
    changes = dict(adapter_attn_dim=3) if architecture == "layer_norm" else {}
    model = built(architecture, **NO_CHANCE | dict(mask_time_prob=0.5) | changes)
    _, gradients = train_step(model)
    silent = [w.path for w, g in zip(model.trainable_variables, gradients, strict=True) if not np.any(g)]
    assert all("k_proj/bias" in path for path in silent), silent  # a shift of all scores changes no softmax


def test_a_batch_can_be_learned():
    model, optimizer = Wav2Vec2ForCTC(tiny("layer_norm", **NO_CHANCE)), keras.optimizers.Adam(0.01)
    optimizer.build(model.trainable_variables)

    @tf.function
    def learn():
        loss, gradients = train_step(model)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    losses = [float(learn()) for _ in range(100)]
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("architecture", ["group_norm", "wavlm"])
def test_shapes_may_be_unknown_when_traced(architecture):
    model = built(architecture)
    signature = [tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int32)]
    traced = tf.function(lambda audio, sizes: model(audio, sizes), input_signature=signature)
    for samples in (SAMPLES, 640):
        sizes = np.minimum(SIZES, samples)
        np.testing.assert_allclose(traced(AUDIO[:, :samples], sizes), model(AUDIO[:, :samples], sizes), atol=1e-5)


def test_doubles_and_halves_are_taken_as_input():
    model, truth = built(), None
    for dtype, atol in (("float32", 0), ("float64", 1e-6), ("float16", 0.05)):
        logits = model(tf.constant(AUDIO[:2], dtype), SIZES[:2]).numpy()
        truth = logits if truth is None else truth
        np.testing.assert_allclose(logits, truth, atol=atol)


def test_a_new_head_takes_the_place_of_the_old_one(tmp_path):
    model, again = built(), Wav2Vec2ForCTC(tiny(vocab_size=5))
    weights = [weight.path for weight in model.weights]
    for vocab_size in (40, 5):
        model.new_head(vocab_size)
    assert [weight.path for weight in model.weights] == weights
    assert [layer.name for layer in model.layers] == ["wav2vec2", "lm_head"]
    assert len(model.trainable_variables) == len(again.trainable_variables)
    assert model.config.vocab_size == model(noise(1, SAMPLES)).shape[-1] == 5
    model.save_weights(tmp_path / "new.weights.h5")
    again.load_weights(tmp_path / "new.weights.h5")
    np.testing.assert_array_equal(again(noise(1, SAMPLES)), model(noise(1, SAMPLES)))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_best_labels_are_the_likeliest_and_padding_is_blank(jit_compile):
    logits = tf.constant(noise(3, 7, 9) * 3)
    frames = tf.constant([7, 4, 0])
    best = tf.function(lambda x: best_labels(x, frames, blank=2), jit_compile=jit_compile)(logits)
    log_probs = tf.nn.log_softmax(logits).numpy()
    real = np.arange(7) < frames.numpy()[:, None]
    np.testing.assert_array_equal(best.ids, np.where(real, log_probs.argmax(2), 2))
    np.testing.assert_allclose(best.log_probs, np.where(real, log_probs.max(2), 0), atol=1e-5)
    assert best.ids.dtype == tf.int32
