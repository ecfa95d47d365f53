"""The best CTC path: what torchaudio finds and what trying every path finds, whole or in parts, in little memory."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from wav2vec2_tf.decoding import trellis
from wav2vec2_tf.decoding.trellis import BLANK, best_path
from wav2vec2_tf.lengths import ctc_frames_needed

GOLDEN = Path(__file__).parents[2] / "golden" / "alignment.npz"


@pytest.fixture(params=["a table", "parts"])
def _way(request, monkeypatch):
    """The same claims whether one table is enough or the path is found at middle frames."""
    if request.param == "parts":
        monkeypatch.setattr(trellis, "_TABLE_CELLS", 1)
        monkeypatch.setattr(trellis, "_FIRST_ALLOWANCE", 0.1)  # doubled again and again


def draw(rng: np.random.Generator, num_frames: int, num_labels: int, sharpness: float = 0.5):
    """Draws log-probabilities of a few labels, and a text that fits into the frames."""
    log_probs = np.log(rng.dirichlet(np.full(4, sharpness), num_frames) + 1e-12).astype(np.float32)
    labels = rng.integers(1, 4, num_labels)
    while ctc_frames_needed(labels.tolist()) > num_frames:
        labels = labels[:-1]
    return log_probs, labels


def score_of(path, log_probs, labels) -> float:
    """Gives the score of a path, once it is found to say the labels in order."""
    said = [labels[position] if position != BLANK else 0 for position in path]
    kept = [position for position, _ in itertools.groupby(path) if position != BLANK]
    assert kept == list(range(len(labels)))
    assert all(labels[b] != labels[a] for a, b in itertools.pairwise(path) if b == a + 1 and a != BLANK)
    return float(log_probs[np.arange(len(path)), said].sum(dtype=np.float64)) if len(path) else 0.0


def best_score(log_probs, labels) -> float:
    """Gives the best score by the plain recursion over all states."""
    states = [0, *itertools.chain.from_iterable((label, 0) for label in labels)]
    scores = np.full(len(states), -np.inf)
    scores[:2] = log_probs[0, states[:2]]
    for row in log_probs[1:].astype(np.float64):
        before, scores = scores, np.full(len(states), -np.inf)
        for state, label in enumerate(states):
            skips = state > 1 and label != 0 and states[state - 2] != label
            scores[state] = max(before[max(0, state - 1 - skips) : state + 1]) + row[label]
    return max(scores[-2:])


@pytest.mark.usefixtures("_way")
def test_paths_are_torchaudios():
    golden = np.load(GOLDEN)
    for case in range(5):
        log_probs, labels = golden[f"log_probs_{case}"], golden[f"labels_{case}"]
        path = best_path(log_probs, labels)
        assert np.where(path == BLANK, 0, labels[path]).tolist() == golden[f"path_{case}"].tolist()
        assert score_of(path.tolist(), log_probs, labels) == pytest.approx(golden[f"scores_{case}"].sum(), rel=1e-5)


@pytest.mark.usefixtures("_way")
def test_no_path_is_better():
    rng = np.random.default_rng(0)
    for _ in range(150):
        log_probs, labels = draw(rng, rng.integers(1, 25), rng.integers(0, 12), rng.choice([0.1, 1.0]))
        path = best_path(log_probs, labels).tolist()
        assert score_of(path, log_probs, labels) == pytest.approx(best_score(log_probs, labels), abs=1e-3)


@pytest.mark.usefixtures("_way")
def test_a_text_that_just_fits_has_one_path():
    assert best_path(np.zeros((6, 3)), [1, 1, 2, 2]).tolist() == [0, BLANK, 1, 2, BLANK, 3]


@pytest.mark.usefixtures("_way")
def test_no_labels_are_blanks_only():
    assert best_path(np.zeros((7, 3)), []).tolist() == [BLANK] * 7
    assert best_path(np.zeros((0, 3)), []).tolist() == []


@pytest.mark.usefixtures("_way")
def test_the_blank_may_have_any_column():
    log_probs, labels = draw(np.random.default_rng(3), 20, 6)
    moved = best_path(np.roll(log_probs, -1, axis=1), labels - 1, blank=3)
    assert moved.tolist() == best_path(log_probs, labels).tolist()


@pytest.mark.usefixtures("_way")
def test_a_label_the_model_rules_out_is_still_placed():
    log_probs = np.log(np.array([[0.9, 0.1, 1e-30], [0.1, 0.9, 1e-30], [0.9, 0.1, 1e-30]]))
    log_probs[:, 2] = -np.inf
    assert best_path(log_probs, [1, 2]).tolist() == [BLANK, 0, 1]


def test_parts_and_a_table_find_the_same_path_in_a_long_recording(monkeypatch):
    rng = np.random.default_rng(1)
    log_probs, labels = draw(rng, 3000, 700)
    whole = best_path(log_probs, labels)
    monkeypatch.setattr(trellis, "_TABLE_CELLS", 1 << 12)
    assert score_of(best_path(log_probs, labels).tolist(), log_probs, labels) == pytest.approx(
        score_of(whole.tolist(), log_probs, labels), rel=1e-6
    )


def test_memory_grows_with_frames_plus_labels_not_with_their_product(monkeypatch):
    monkeypatch.setattr(trellis, "_TABLE_CELLS", 1 << 18)
    log_probs, labels = draw(np.random.default_rng(2), 6000, 2000, sharpness=0.1)
    tracemalloc.start()
    best_path(log_probs, labels)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2 * trellis._TABLE_CELLS + 200 * (len(log_probs) + len(labels))
    assert len(log_probs) * len(labels) > 5 * peak_bytes


def test_a_text_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"3 labels need at least 4 frames; the recording has 3. Check that the text"):
        best_path(np.zeros((3, 3)), [1, 1, 2])


@pytest.mark.parametrize("labels", [[0], [3], [-1], [[1]]])
def test_labels_that_are_none_are_refused(labels):
    with pytest.raises(ValueError, match=r"ids in 0..2 without the blank 0; got"):
        best_path(np.zeros((3, 3)), labels)


def test_axes_are_checked():
    with pytest.raises(ValueError, match=r"axes \[T, V\]; got shape \(1, 3, 3\)"):
        best_path(np.zeros((1, 3, 3)), [1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_is_refused(bad):
    log_probs = np.zeros((3, 3))
    log_probs[1, 2] = bad
    with pytest.raises(ValueError, match=r"not a number \(NaN\) in some frames"):
        best_path(log_probs, [1])
