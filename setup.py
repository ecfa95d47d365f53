"""The four packages as one distribution, with the range of every dependency that is accepted."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "wav2vec2_tf" / "__init__.py").read_text("utf-8"), re.MULTILINE)
PACKAGES = ("wav2vec2_tf", "data_tools", "train", "convert")

REQUIRES = [
    "tensorflow       >= 2.16,  < 2.22",  # 2.16 and 2.17 for the sake of tfio
    "keras            >= 3.12,  < 4",
    "tensorboard      >= 2.16,  < 2.22",  # TensorFlow 2.21 no longer brings it, and tf.summary needs it
    "numpy            >= 1.26,  < 3",
    "soundfile        >= 0.13,  < 0.15",  # its wheels carry a libsndfile with MP3 and Opus; 0.13 sets the bit rate
    "soxr             >= 0.5,   < 2",
    "google-crc32c    >= 1.5,   < 2",
    "jiwer            >= 4.0,   < 5",
    "safetensors      >= 0.7,   < 0.9",
    "h5py             >= 3.11,  < 4",
    "ml_dtypes        >= 0.3,   < 0.7",
    "huggingface_hub  >= 1.0,   < 3",
    "jsonargparse[signatures] >= 4.50, < 5",
    "pyyaml           >= 6.0,   < 7",
    "tqdm             >= 4.66,  < 5",
    "matplotlib       >= 3.8,   < 4",
]
BEAM = ["apache-beam >= 2.77, < 3"]
GCS = ["gcsfs >= 2024.6, < 2027"]
DIGITS = ["num2words >= 0.5.14, < 0.6"]
LM = ["flashlight-text >= 0.0.7, < 0.1"]  # its wheel holds KenLM; there is none for Python 3.13 yet
SUBWORDS = ["sentencepiece >= 0.2, < 0.3"]
EXTRAS = {
    "beam": BEAM,
    "digits": DIGITS,
    "gcs": GCS,
    "lm": LM,
    "rescoring": ["keras-hub >= 0.32, < 0.40"],
    "subwords": SUBWORDS,
    "test": [
        *BEAM,  # half a minute to install, and protobuf 6 in the place of 7; TensorFlow takes either
        *GCS,
        *DIGITS,
        *(f"{need}; python_version < '3.13'" for need in LM),
        *SUBWORDS,
        "pytest         >= 8,   < 10",
        "trustme        >= 1.1, < 2",
        "pytest-timeout >= 2.3, < 3",
        "pytest-xdist   >= 3.6, < 4",
        "ruff           == 0.17.*",  # a linter's rules move with its version
    ],
    # s3:// and az:// only. Its native code wants TensorFlow 2.16: an environment of its own, as `make test-tfio` makes.
    "tfio": ["tensorflow-io >= 0.37, < 0.38", "tensorflow >= 2.16, < 2.17"],
    # both hold the same files, and tensorflow-tpu's must win (docs/training_at_scale.md); later libtpu's lack symbols
    "tpu": ["tensorflow == 2.20.*", "tensorflow-tpu == 2.20.*", "libtpu == 0.0.21"],
}

setup(
    name="wav2vec2-tf",
    version=VERSION.group(1),
    description="wav2vec 2.0 speech recognition, native to TensorFlow and Keras 3: data, training, evaluation, use",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=[pattern for name in PACKAGES for pattern in (name, f"{name}.*")]),
    package_data={"data_tools": ["sample/manifest.tsv", "sample/*/*.ogg"], "train": ["configs/*.yaml"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
)
