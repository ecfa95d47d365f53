"""Training on recorded speech, as far as minutes allow; `make an4` goes the whole way."""

import pytest

from data_tools.make_tfrecords import Options, make_tfrecords
from tests.conftest import ROOT
from train.flags import parse
from train.overfit import overfit_one_batch


@pytest.mark.slow
def test_four_recordings_are_learned_by_heart(speech_dir, tmp_path):
    an4, shards = speech_dir / "an4", tmp_path / "shards"
    make_tfrecords(Options(out=shards, manifest=an4 / "manifest.tsv", audio_root=an4))
    recipe = str(ROOT / "train/configs/an4.yaml")
    config = parse(["--config", recipe, "--data", str(shards), "--out", str(tmp_path / "run")]).config
    assert overfit_one_batch(config).learned
