"""The model equals transformers on the same random weights: states, logits, loss and gradients."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from convert.assign import named_weights
from wav2vec2_tf import Wav2Vec2ForCTC, ctc_loss

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/outputs.npz"))


@pytest.fixture(scope="module", params=CASES)
def case(request):
    folder = GOLDEN / request.param
    return Wav2Vec2ForCTC.from_pretrained(folder), dict(np.load(folder / "outputs.npz"))


def real_frames(saved):
    return np.arange(saved["logits"].shape[1]) < saved["frames"][:, None]


def test_every_architecture_has_a_golden():
    assert len(CASES) == 15


def test_frame_lengths_equal(case):
    model, saved = case
    assert model.frame_lengths(saved["num_samples"]).tolist() == saved["frames"].tolist()


def test_logits_equal(case):
    model, saved = case
    logits = model(saved["audio"], saved["num_samples"]).numpy()
    np.testing.assert_allclose(logits[real_frames(saved)], saved["logits"][real_frames(saved)], atol=2e-5)


def test_logits_of_full_rows_need_no_lengths(case):
    model, saved = case
    full = saved["num_samples"] == saved["audio"].shape[1]
    np.testing.assert_allclose(model(saved["audio"][full]), saved["logits"][full], atol=2e-5)


def test_every_state_equals(case):
    model, saved = case
    _, states = model.wav2vec2(saved["audio"], saved["num_samples"], output_hidden_states=True)
    assert len(states) == 3
    for i, state in enumerate(states):
        found, truth = state.numpy()[real_frames(saved)], saved[f"state{i}"][real_frames(saved)]
        np.testing.assert_allclose(found, truth, atol=5e-5, err_msg=f"state {i}")


def test_loss_and_gradients_equal(case):
    model, saved = case
    pairs = {key: named_weights(model)[key.removeprefix("gradient.")] for key in saved if key.startswith("gradient.")}
    with tf.GradientTape() as tape:
        logits = model(saved["audio"], saved["num_samples"])
        loss = tf.reduce_sum(ctc_loss(logits, saved["frames"], saved["labels"], saved["label_lengths"]))
    assert float(loss) == pytest.approx(float(saved["loss"]), rel=1e-5)
    gradients = tape.gradient(loss, [weight.value for _, weight in pairs.values()])
    for (key, (name, _)), gradient in zip(pairs.items(), gradients, strict=True):
        atol = 1e-4 * np.abs(saved[key]).max()
        np.testing.assert_allclose(name.to_theirs(gradient.numpy()), saved[key], atol=atol, err_msg=key)
