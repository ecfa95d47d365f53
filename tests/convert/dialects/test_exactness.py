"""Checkpoints that fairseq, transformers' TensorFlow models and the earlier port wrote score here as they did there."""

import json
from pathlib import Path

import numpy as np
import pytest

from convert.assign import named_weights
from convert.dialects import translate
from convert.names import canonical, why_ignored
from convert.readers import open_tensors
from wav2vec2_tf import Wav2Vec2Config, Wav2Vec2ForCTC

GOLDEN = Path(__file__).parents[2] / "golden"
FAIRSEQ = sorted((GOLDEN / "fairseq").glob("*.pt"))
TF = sorted(path.parent for path in (GOLDEN / "tf").glob("*/config.json"))


def opened(path: Path):
    """Gives a case's checkpoint, translated, and what its program computed."""
    if path.is_dir():
        files, expected = sorted(path.glob("tf_model*")), path / "expected.npz"
        config = json.loads((path / "config.json").read_text("utf-8"))
    else:
        files, expected, config = [path], path.with_suffix(".npz"), None
    return translate(path.name, files, open_tensors(files), config), dict(np.load(expected))


def filled(checkpoint):
    """Fills a model; a pretrained checkpoint leaves the head as it was."""
    model = Wav2Vec2ForCTC(Wav2Vec2Config.from_dict(checkpoint.config))
    kind, weights = model.config.model_type, named_weights(model)
    tensors = {canonical(tensor.name, kind): tensor for tensor in checkpoint.tensors if not why_ignored(tensor.name)}
    head = {"lm_head.weight", "lm_head.bias"} - tensors.keys()
    assert weights.keys() == tensors.keys() | head
    for name, tensor in tensors.items():
        weights[name][1].assign(weights[name][0].to_ours(tensor.read()))
    return model.wav2vec2 if head else model


def test_every_program_has_its_goldens():
    assert len(FAIRSEQ) == 7
    assert len(TF) == 7


@pytest.mark.parametrize("path", FAIRSEQ + TF, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_outputs_equal(path):
    checkpoint, saved = opened(path)
    model = filled(checkpoint)
    found, frames = model(saved["audio"], saved["num_samples"]).numpy(), model.frame_lengths(saved["num_samples"])
    real = np.arange(found.shape[1]) < np.asarray(frames)[:, None]
    assert real.sum() > 10
    np.testing.assert_allclose(found[real], saved["expected"][real], atol=2e-5)
