"""Claims about the activations: `gelu` is the exact one."""

import math

import numpy as np
import pytest

from wav2vec2_tf.layers.activations import ACTIVATIONS

POINTS = np.linspace(-4, 4, 81, dtype=np.float32)
TRUTH = {
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: max(x, 0.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_equal_their_formulas(name):
    np.testing.assert_allclose(ACTIVATIONS[name](POINTS), [TRUTH[name](float(x)) for x in POINTS], atol=1e-6)
