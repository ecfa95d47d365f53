import numpy as np
import pytest

from tests.brute_force import Arpa, best_paths
from wav2vec2_tf.decoding import searches
from wav2vec2_tf.decoding.arpa import write_arpa
from wav2vec2_tf.decoding.beam import BeamDecoder
from wav2vec2_tf.decoding.ngram import estimate
from wav2vec2_tf.text.tokenizer import Wav2Vec2CTCTokenizer

pytest.importorskip("flashlight.lib.text", reason="flashlight-text is not installed (extra lm)")

LETTERS = ("<pad>", "|", "A", "B")  # few, so that every path can be tried
TEXT = ["AB A", "AB BA", "A AB BA", "BA", "BB A", "AB AB A", "A", "AB"]
FRAMES = 7


@pytest.fixture
def tokenizer():
    special = dict(bos_token=None, eos_token=None, unk_token=None)
    return Wav2Vec2CTCTokenizer({token: i for i, token in enumerate(LETTERS)}, **special)


@pytest.fixture
def lm(tmp_path):
    write_arpa(tmp_path / "words.arpa", estimate([line.split() for line in TEXT], order=3))
    return tmp_path / "words.arpa"


@pytest.fixture
def label_lm(tmp_path):
    lines = [["|" if char == " " else char for char in line] for line in TEXT]
    write_arpa(tmp_path / "letters.arpa", estimate(lines, order=4))
    return tmp_path / "letters.arpa"


@pytest.fixture
def whole_beam(monkeypatch):
    """Nothing is given up, so that the search must find the best there is."""
    monkeypatch.setattr(searches, "THRESHOLD", 1e4)
    return dict(beam_size=100_000)


def frames(seed=0, count=FRAMES):
    drawn = np.random.default_rng(seed).dirichlet(np.full(len(LETTERS), 0.5), count) + 1e-4
    return np.log(drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)


def words_in(labels):
    return "".join(LETTERS[label].replace("|", " ") for label in labels).split()


def expect_equal(found, truth, count=5):
    best = sorted(truth, key=truth.get, reverse=True)[:count]
    assert [h.text for h in found] == best
    np.testing.assert_allclose([h.score for h in found], [truth[text] for text in best], atol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_words_equal_trying_every_path(tokenizer, lm, whole_beam, seed):
    decoder = BeamDecoder(tokenizer, lm, lm_weight=1.3, word_score=0.7, **whole_beam)
    model, known = Arpa(lm), set(" ".join(TEXT).split())

    def score(labels):
        words = words_in(labels)
        said = " ".join(words), 1.3 * model.total(words, 3) + 0.7 * len(words)
        return said if known.issuperset(words) else None

    expect_equal(decoder.n_best(frames(seed), 5), best_paths(frames(seed), score))


@pytest.mark.parametrize("seed", range(4))
def test_labels_equal_trying_every_path(tokenizer, label_lm, whole_beam, seed):
    decoder = BeamDecoder(tokenizer, label_lm, lm_weight=0.8, **whole_beam)
    model = Arpa(label_lm)

    def score(labels):
        said = [LETTERS[label] for label in labels]
        return "".join(said).replace("|", " ").strip(), 0.8 * model.total(said, 4)

    expect_equal(decoder.n_best(frames(seed), 5), best_paths(frames(seed), score))
