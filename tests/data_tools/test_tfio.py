"""What s3:// and az:// say where tensorflow-io is missing; with it, tests/tfio tests them."""

import sys
from types import SimpleNamespace

import pytest

from data_tools import inspect, tfio
from data_tools.place import Place


@pytest.fixture(autouse=True)
def nothing_loaded():
    tfio.load.cache_clear()
    yield
    tfio.load.cache_clear()


@pytest.mark.parametrize("url", ["s3://bucket/shards", "az://account/container/shards"])
def test_missing_tensorflow_io_names_the_extra(url, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    with pytest.raises(ImportError, match=r"need tensorflow-io: pip install 'wav2vec2-tf\[tfio\]' in an environment"):
        Place.of(url).list()


def test_inspect_names_the_extra_without_a_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    assert inspect.main(["s3://bucket/shards", "--out", str(tmp_path)]) == 1
    assert "inspect: s3:// and az:// need tensorflow-io" in capsys.readouterr().err


def test_tensorflow_io_beside_another_tensorflow_is_told(monkeypatch):
    import tensorflow as tf

    monkeypatch.setitem(sys.modules, "tensorflow_io", SimpleNamespace(__version__="0.1"))
    monkeypatch.setattr(tf.io.gfile, "get_registered_schemes", lambda: ["gs", ""])
    with pytest.raises(ImportError, match="tensorflow-io 0.1 does not work with TensorFlow .*need pip install"):
        Place.of("s3://bucket/shards").exists("a")
