"""Mean and variance of what is too long to be held are those of the whole."""

import numpy as np
import pytest

from wav2vec2_tf.features import FeatureSettings, Moments


@pytest.mark.parametrize("block", [1, 7, 1000, 5000])
def test_moments_are_the_wholes_own_whatever_the_blocks(block):
    samples = (np.random.default_rng(0).normal(size=5000) * 0.01 + 3.0).astype(np.float32)  # far from zero
    moments = Moments()
    for first in range(0, len(samples), block):
        moments = moments.add(samples[first : first + block])
    wide = samples.astype(np.float64)
    assert moments.num_samples == 5000
    assert moments.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert moments.variance == pytest.approx(wide.var(), rel=1e-9)


def test_pieces_are_normalised_as_the_whole():
    settings, samples = FeatureSettings(), np.random.default_rng(0).normal(size=1000) + 1.0
    moments = Moments().add(samples)
    pieces = [settings.normalize(piece, moments) for piece in np.split(samples, 4)]
    np.testing.assert_allclose(np.concatenate(pieces), settings.normalize(samples), atol=1e-6)


def test_nothing_added_changes_nothing():
    moments = Moments().add(np.ones(3))
    assert moments.add(np.zeros(0)) == moments
