"""The activation functions a `config.json` can name."""

import keras

ACTIVATIONS = {
    "gelu":     lambda x: keras.activations.gelu(x, approximate=False),  # erf, as in the published models
    "gelu_new": lambda x: keras.activations.gelu(x, approximate=True),
    "relu":     keras.activations.relu,
}  # fmt: skip
