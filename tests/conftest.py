"""What all tests share: a quiet TensorFlow, and where real speech lies."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read once, when TensorFlow is imported

ROOT = Path(__file__).parents[1]

collect_ignore_glob = ["golden/recreate*.py"]  # they alone need PyTorch


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


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("accelerator"):
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU") + tf.config.list_physical_devices("TPU"):
            pytest.skip("no GPU or TPU here")
