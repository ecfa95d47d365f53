"""TensorFlow's own generators draw up to a hundred times as slowly under XLA on a CPU as they can, and take a TPU's
compiler more than a minute each.
"""

import re
from pathlib import Path

import tensorflow as tf

from wav2vec2_tf.layers.chance import dropout

ROOT = Path(__file__).parents[2]


def test_no_layer_draws_with_tensorflows_own_generators():
    files = list((ROOT / "wav2vec2_tf").rglob("*.py"))
    assert len(files) > 20
    assert not [path for path in files if re.search(r"\b(stateless_\w+|random\.(uniform|normal))\(", path.read_text())]


def test_a_draw_is_a_short_program():
    traced = tf.function(lambda x, seed: dropout(x, 0.1, seed), jit_compile=True)
    text = traced.experimental_get_compiler_ir(tf.ones([2, 3, 4]), tf.constant([1, 2]))(stage="hlo")
    operations = re.findall(r" = \S+ ([a-z][a-z0-9-]*)\(", text)
    assert "xor" in operations
    assert "rng-bit-generator" not in operations
    assert len(operations) < 100  # TensorFlow's was a call of some hundred more, once expanded
