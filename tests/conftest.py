"""What all tests share: a quiet TensorFlow, one seed, and where real speech lies."""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow is imported

ROOT = Path(__file__).parents[1]

collect_ignore_glob = ["golden/recreate*.py"]  # they alone need PyTorch


@pytest.fixture(autouse=True)
def same_weights_whatever_ran_before():
    """Starts every test from the same random weights; a test without Keras does not load it for that."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def speech_dir() -> Path:
    """The folder of real recordings beside the repository; tests that need it are skipped where it is missing."""
    folder = (ROOT / "../shared/speech").resolve()
    if not folder.is_dir():
        pytest.skip(f"no real speech: {folder} is missing")
    return folder


@pytest.fixture(scope="session")
def sample_dir() -> Path:
    """The corpus in the box: manifest.tsv and one folder per split."""
    return ROOT / "data_tools" / "sample"


@contextlib.contextmanager
def _files_end_at(size: int):
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture
def files_end_at():
    """A context in which the system refuses to write any file beyond so many bytes, as a full disk does.

    It holds for the whole process, the file that pytest reports into included: let it end before the test does.
    """
    return _files_end_at


@pytest.fixture(scope="session")
def xla_bytes(tmp_path_factory) -> dict[str, int]:
    """What XLA sets aside for steps of a tiny model (`tests.xla_memory`)."""
    from tests.xla_memory import measure

    return measure(tmp_path_factory.mktemp("xla"))


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """An empty cache of huggingface_hub, and no token from the machine."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "hub-cache"


@pytest.fixture
def hub(hub_cache, monkeypatch):
    """An empty hub in the place of the real one (`HubServer`)."""
    from huggingface_hub import constants

    from tests.hub_server import HubServer

    with HubServer() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)  # the server has no xet storage
        yield server
