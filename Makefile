# Everything runs in a virtual environment of its own, made on first use. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= .venv-torch
TFIO   ?= .venv-tfio
TPU    ?= .venv-tpu
RUNS   ?= runs
SPEECH ?= ../shared/speech
AN4    ?= $(SPEECH)/an4
PY     := $(VENV)/bin/python

export TF_CPP_MIN_LOG_LEVEL ?= 2

DEMO       := $(RUNS)/demo
SAMPLE     := data_tools/sample
DEMO_CLIP  ?= test/0018-belinda.ogg

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9_-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: venv
venv: $(VENV)/installed  ## the environment, without what only tests need

# A stamp is written last: an installation cut short is taken up again, a whole one is not repeated.
$(VENV)/installed: setup.py pyproject.toml | $(PY)
	@echo "Installing TensorFlow and the rest into $(VENV) (700 MB to download; about a minute on a fast line) ..."
	$(PY) -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(PY):
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed; $(PYTHON) is " + \
	    sys.version.split()[0] + ". Name another: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments:" \
	    "Debian keeps that apart. Run: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

.PHONY: demo
demo: $(VENV)/installed  ## the whole path on the corpus in the box: shards, training, error rate, a transcript
	@rm -rf $(DEMO)
	$(PY) -m data_tools.make_tfrecords --manifest $(SAMPLE)/manifest.tsv --audio_root $(SAMPLE) --out $(DEMO)/data
	$(PY) -m train --config train/configs/demo.yaml --data $(DEMO)/data --out $(DEMO)/run
	$(PY) -m train.evaluate --model $(DEMO)/run/best --data $(DEMO)/data --split test --jit_compile false
	@text=$$($(PY) -m wav2vec2_tf.transcribe --model $(DEMO)/run/best $(SAMPLE)/$(DEMO_CLIP)); \
	echo; echo "One recording of a voice the model has never heard, $(SAMPLE)/$(DEMO_CLIP)"; \
	awk -F '\t' '$$1 == "$(DEMO_CLIP)" {print "  reference   " $$2}' $(SAMPLE)/manifest.tsv; \
	echo "  transcript  $$text"

.PHONY: test
test: $(VENV)/installed-test  ## ruff and the suite
	$(VENV)/bin/ruff check
	$(PY) -m pytest --numprocesses 2 --dist loadfile --durations 25

.PHONY: test-slow
test-slow: $(VENV)/installed-test  ## the tests that take minutes
	$(PY) -m pytest -m slow

.PHONY: test-rescoring
test-rescoring: $(VENV)/installed-test  ## rescoring with a language model of keras-hub, which it installs
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[rescoring]'
	$(PY) -m pytest tests/wav2vec2_tf/decoding/test_rescoring.py

# tensorflow-io is built for TensorFlow 2.16, which has wheels for Python 3.11 and 3.12: an environment of its own.
$(TFIO)/installed: setup.py | $(PY)
	$(PYTHON) -m venv $(TFIO)
	$(TFIO)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[tfio]' 'moto[server] >= 5, < 6' \
	    'pytest >= 8, < 10' 'pytest-timeout >= 2.3, < 3'
	@if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --prefix $(TFIO) azurite@3.35.0; else \
	    echo "npm is missing, so there is no Azurite: the tests of az:// will be skipped" >&2; fi
	@touch $@

.PHONY: test-tfio
test-tfio: $(TFIO)/installed  ## s3:// and az://, on local servers, in an environment with tensorflow-io and TensorFlow 2.16
	PATH="$(abspath $(TFIO))/node_modules/.bin:$$PATH" $(TFIO)/bin/python -m pytest -m tfio tests/tfio

# PyTorch is the reference of parity checks and of nothing else: it lives in an environment of its own.
$(TORCH)/installed: | $(PY)
	$(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 'transformers >= 5.23, < 6' accelerate soundfile
	@touch $@

.PHONY: parity
parity: $(VENV)/installed $(TORCH)/installed  ## every architecture at its real size against PyTorch (SPEECH=folder of recordings)
	@test -f $(SPEECH)/an4/manifest.tsv || { echo "No an4/manifest.tsv in $(SPEECH). Name the folder: make parity SPEECH=..." >&2; exit 1; }
	$(PY) -m benchmarks.parity --torch-python $(TORCH)/bin/python --speech $(SPEECH)
	$(PY) -m benchmarks.loading --torch-python $(TORCH)/bin/python

# The TPU compiler comes with libtpu and is called through JAX, in an environment of its own.
$(TPU)/installed: | $(PY)
	$(PYTHON) -m venv $(TPU)
	$(TPU)/bin/python -m pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2 libtpu==0.0.51
	@touch $@

.PHONY: tpu-compile
tpu-compile: $(VENV)/installed $(TPU)/installed  ## the train step compiled for TPUs, without one (hours on two cores; TPU_FLAGS="--models base --devices v5e")
	$(PY) -m benchmarks.tpu_compile --tpu-python $(TPU)/bin/python $(TPU_FLAGS)

.PHONY: an4
an4: $(VENV)/installed  ## real speech: AN4 from random weights (AN4=folder with manifest.tsv; up to an hour on two cores)
	@test -f $(AN4)/manifest.tsv || { echo "No manifest.tsv in $(AN4). Name the folder: make an4 AN4=..." >&2; exit 1; }
	@test ! -e $(RUNS)/an4/run || { echo "$(RUNS)/an4/run is there already. Move it away, or set RUNS." >&2; exit 1; }
	test -f $(RUNS)/an4/data/index.json || \
	    $(PY) -m data_tools.make_tfrecords --manifest $(AN4)/manifest.tsv --audio_root $(AN4) --out $(RUNS)/an4/data
	$(PY) -m train --config train/configs/an4.yaml --data $(RUNS)/an4/data --out $(RUNS)/an4/run
	$(PY) -m train.evaluate --model $(RUNS)/an4/run/best --data $(RUNS)/an4/data --split test

.PHONY: clean
clean:  ## caches and the demo's output; runs of your own and the environment stay
	rm -rf $(DEMO) build dist *.egg-info .pytest_cache .ruff_cache
	find wav2vec2_tf data_tools train convert tests -name __pycache__ -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean  ## the environment as well
	rm -rf $(VENV) $(TORCH) $(TFIO) $(TPU)
