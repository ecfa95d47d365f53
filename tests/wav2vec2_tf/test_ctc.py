"""Claims about the CTC loss: the number is right, everywhere, and bad rows do no harm."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tests.tiny import noise, tiny
from wav2vec2_tf.ctc import CTCLoss, ctc_feasible, ctc_loss

MODES = {
    "eager": lambda f: f,
    "graph": tf.function,
    "xla": lambda f: tf.function(f, jit_compile=True),
}


def loss_and_gradient(logits, frames, labels, label_lengths, mode="eager", blank=0):
    @MODES[mode]
    def both(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = ctc_loss(logits, frames, labels, label_lengths, blank)
        return losses, tape.gradient(losses, logits)

    losses, gradient = both(tf.constant(logits))
    return losses.numpy(), gradient.numpy()


@pytest.fixture(scope="module")
def golden():
    return dict(np.load(Path(__file__).parents[1] / "golden" / "ctc.npz"))


@pytest.mark.parametrize("labels", [[], [1], [2, 2], [1, 2], [1, 2, 1], [2, 2, 2], [1, 1, 2]])
@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_loss_is_the_sum_over_all_paths(labels, num_frames):
    logits = 2 * noise(1, num_frames, 3, seed=num_frames)
    padded = np.array([labels + [0] * (3 - len(labels))], np.int32)
    losses, _ = loss_and_gradient(logits, [num_frames], padded, [len(labels)])
    truth = reference.brute_force_ctc(logits[0], labels)
    assert bool(ctc_feasible([num_frames], tf.constant(padded), tf.constant([len(labels)]))[0]) == np.isfinite(truth)
    np.testing.assert_allclose(losses[0], truth if np.isfinite(truth) else 0, atol=1e-5)


def test_reference_recursion_is_the_sum_over_all_paths():
    logits = 2 * noise(5, 3)
    loss, gradient = reference.ctc(logits, [1, 1, 2])
    assert loss == pytest.approx(reference.brute_force_ctc(logits, [1, 1, 2]), abs=1e-12)
    bumped = logits.astype(np.float64)
    bumped[2, 1] += 1e-6
    assert (reference.ctc(bumped, [1, 1, 2])[0] - loss) / 1e-6 == pytest.approx(gradient[2, 1], abs=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_values_and_gradients_equal_pytorch_in_float64(golden, mode):
    # rows: plain, repeats, empty, exactly fitting, infeasible by a repeat, too long, no frames, one frame, ...
    arguments = (golden["frames"], golden["labels"], golden["label_lengths"])
    losses, gradient = loss_and_gradient(golden["logits"], *arguments, mode=mode)
    np.testing.assert_allclose(losses, golden["losses"], atol=1e-4)
    np.testing.assert_allclose(gradient, golden["gradient"], atol=1e-4)


def test_infeasible_rows_have_loss_zero_and_gradient_zero(golden):
    feasible = ctc_feasible(golden["frames"], golden["labels"], golden["label_lengths"]).numpy()
    losses, gradient = loss_and_gradient(golden["logits"], golden["frames"], golden["labels"], golden["label_lengths"])
    assert feasible.tolist() == [True, True, True, True, False, False, True, False, True, True, True]
    assert not losses[~feasible].any()
    assert not gradient[~feasible].any()


def test_rows_do_not_touch_each_other(golden):
    together, _ = loss_and_gradient(golden["logits"], golden["frames"], golden["labels"], golden["label_lengths"])
    for i in range(len(together)):
        row = [golden[key][i : i + 1] for key in ("logits", "frames", "labels", "label_lengths")]
        assert loss_and_gradient(*row)[0][0] == pytest.approx(together[i], abs=1e-4)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("rubbish", [1e4, np.inf, np.nan])
def test_what_lies_beyond_the_lengths_changes_nothing(golden, rubbish, mode):
    beyond = np.arange(30) >= golden["frames"][:, None]
    logits = np.where(beyond[..., None], np.float32(rubbish), golden["logits"])
    outside = np.arange(8) >= golden["label_lengths"][:, None]
    labels = np.where(outside, 5, golden["labels"])
    losses, gradient = loss_and_gradient(logits, golden["frames"], labels, golden["label_lengths"], mode=mode)
    np.testing.assert_allclose(losses, golden["losses"], atol=1e-4)
    np.testing.assert_allclose(gradient, golden["gradient"], atol=1e-4)


def test_1500_frames_keep_their_digits():
    logits, labels = 6 * noise(1500, 32), np.random.default_rng(1).integers(1, 32, 220)
    losses, gradient = loss_and_gradient(logits[None], [1500], labels[None], [220])
    loss, slope = reference.ctc(logits, labels.tolist())
    assert loss > 3000
    np.testing.assert_allclose(losses[0], loss, rtol=1e-5)
    np.testing.assert_allclose(gradient[0], slope, atol=1e-4)


@pytest.mark.parametrize("path", [[5] * 10, [1, 1, 0, 2, 2, 0, 0, 3, 0, 0]], ids=["wrong", "right"])
def test_very_confident_logits_keep_their_digits(path):
    logits = np.eye(6, dtype=np.float32)[[path]] * 200
    losses, gradient = loss_and_gradient(logits, [10], np.array([[1, 2, 3]]), [3])
    loss, slope = reference.ctc(logits[0], [1, 2, 3])
    np.testing.assert_allclose(losses[0], loss, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(gradient[0], slope, atol=1e-5)


def test_a_label_with_logit_minus_infinity_has_no_gradient():
    logits = noise(1, 6, 4)
    logits[..., 3] = -np.inf
    losses, gradient = loss_and_gradient(logits, [6], [[1, 2]], [2])
    assert losses[0] == pytest.approx(reference.brute_force_ctc(logits[0, :, :3], [1, 2]), abs=1e-5)
    assert np.isfinite(gradient).all()
    assert not gradient[..., 3].any()


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_logits_are_computed_in_float32(golden, dtype):
    logits = tf.cast(golden["logits"], dtype)
    arguments = (golden["frames"], golden["labels"], golden["label_lengths"])
    losses, gradient = loss_and_gradient(logits, *arguments)
    truth, _ = loss_and_gradient(tf.cast(logits, tf.float32), *arguments)
    assert losses.dtype == np.float32
    np.testing.assert_array_equal(losses, truth)
    assert gradient.dtype == dtype.as_numpy_dtype


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("num_frames", "width"), [(1, 0), (1, 1), (4, 0)])
def test_one_frame_and_no_labels_work(num_frames, width, mode):
    logits, labels = noise(2, num_frames, 4), np.full((2, width), 2, np.int32)
    losses, gradient = loss_and_gradient(logits, [num_frames] * 2, labels, [width, 0], mode=mode)
    truth = [reference.brute_force_ctc(logits[0], [2] * width), reference.brute_force_ctc(logits[1], [])]
    np.testing.assert_allclose(losses, truth, atol=1e-5)
    np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-6)


def test_another_blank_is_the_same_problem_renamed():
    logits, labels = noise(1, 7, 5), np.array([[1, 2, 2]], np.int32)
    losses, _ = loss_and_gradient(logits, [7], labels, [3])
    swapped = logits[..., [4, 1, 2, 3, 0]]
    assert loss_and_gradient(swapped, [7], labels, [3], blank=4)[0] == pytest.approx(losses)


def test_shapes_may_be_unknown_when_traced():
    signature = [tf.TensorSpec([None, None, 5]), *[tf.TensorSpec([None], tf.int32)] * 2]
    signature.insert(2, tf.TensorSpec([None, None], tf.int32))
    traced = tf.function(ctc_loss, input_signature=signature)
    for batch, num_frames, width in ((1, 1, 0), (2, 6, 2)):
        logits, labels = noise(batch, num_frames, 5), np.ones((batch, width), np.int32)
        arguments = (np.full(batch, num_frames, np.int32), labels, np.minimum(np.full(batch, width, np.int32), 1))
        np.testing.assert_allclose(traced(logits, *arguments), ctc_loss(logits, *arguments), rtol=1e-6)


def test_ctc_loss_of_the_port_sums_and_divides():
    config, logits = tiny(), noise(3, 20, 9)
    labels = np.array([[1, 2, 2, 0], [3, 0, 0, 0], [0, 0, 0, 0]], np.int32)
    truth = float(tf.reduce_sum(ctc_loss(logits, [20] * 3, labels, [3, 1, 0])))
    assert float(CTCLoss(config, (3, 64 * 20))(labels, logits)) == pytest.approx(truth, rel=1e-6)
    by_name = CTCLoss(config=config, model_input_shape=tf.TensorShape([3, 64 * 20]), division_factor=3)
    assert float(by_name(labels.astype(np.float32), logits)) == pytest.approx(truth / 3, rel=1e-6)


def test_ctc_loss_of_the_port_takes_negative_padding():
    loss, logits = CTCLoss(tiny(), (1, 64 * 20)), noise(1, 20, 9)
    assert float(loss(np.array([[1, 2, -100, -100]]), logits)) == float(loss(np.array([[1, 2, 0, 0]]), logits))


def test_ctc_loss_of_the_port_takes_a_short_last_batch():
    loss = CTCLoss(tiny(), (8, 64 * 20))
    assert np.isfinite(loss(np.array([[1, 2]]), noise(1, 20, 9)))


def test_ctc_loss_of_the_port_refuses_another_length():
    loss = CTCLoss(tiny(), (2, 64 * 30))
    with pytest.raises(ValueError, match=r"1920 samples, which are 30 frames; the logits have 20\. Give the shape"):
        loss(np.array([[1, 2]]), noise(1, 20, 9))
