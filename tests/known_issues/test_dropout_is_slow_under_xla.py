"""TensorFlow's own choice of algorithm draws a hundred times as slowly under XLA on a CPU: it is named everywhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_stateless_draw_names_its_algorithm():
    calls = [
        call
        for path in (ROOT / "wav2vec2_tf").rglob("*.py")
        for call in re.findall(r"stateless_\w+\(.*", path.read_text("utf-8"))
    ]
    assert len(calls) >= 3
    assert all("alg=" in call for call in calls), calls
