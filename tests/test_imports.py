"""Who may import whom: arrows point down only, and importing the package costs no TensorFlow.

The table below is the architecture; every import of every module, inside functions too, is read from the syntax tree.
"""

import ast
import subprocess
import sys
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("wav2vec2_tf", "data_tools", "train", "convert")

# A module belongs to the longest prefix that fits it.
LAYERS = {
    "floor": """wav2vec2_tf wav2vec2_tf.config wav2vec2_tf.lengths wav2vec2_tf.audio wav2vec2_tf.text
                wav2vec2_tf.processor wav2vec2_tf.decoding wav2vec2_tf.chunking
                wav2vec2_tf.remote wav2vec2_tf.huggingface wav2vec2_tf.gcs convert convert.names convert.audit
                convert.tensors convert.readers convert.dialects convert.writer convert.sources convert.report""",
    "model": """wav2vec2_tf.layers wav2vec2_tf.model wav2vec2_tf.model_ctc wav2vec2_tf.model_pretraining wav2vec2_tf.ctc
                wav2vec2_tf.hearing wav2vec2_tf.decoding.rescoring convert.assign""",
    "files": """wav2vec2_tf.hub wav2vec2_tf.intake wav2vec2_tf.transcriber wav2vec2_tf.recordings convert.conversion
                data_tools""",
    "run": "train",
    "doors": """wav2vec2_tf.transcribe wav2vec2_tf.align wav2vec2_tf.decoding.build_lm
                train.__main__ train.evaluate train.compare train.tune_lm convert.__main__ convert.export
                data_tools.make_tfrecords data_tools.sample_corpus data_tools.inspect data_tools.input_host""",
}
HEIGHT = {layer: height for height, layer in enumerate(LAYERS)}
HOME = {prefix: layer for layer, prefixes in LAYERS.items() for prefix in prefixes.split()}

# What a layer may take from outside, on top of what the layers below it may.
LIBRARIES = {"floor": {"numpy", "soundfile", "soxr", "h5py", "ml_dtypes"}, "model": {"tensorflow", "keras"}}

# The one step upwards, taken inside a function: a model is loaded and saved by name.
UPWARDS = {
    ("wav2vec2_tf.model_ctc", "wav2vec2_tf.hub"),
}
DATA_TOOLS_MAY_USE = (
    *("wav2vec2_tf.audio", "wav2vec2_tf.files", "wav2vec2_tf.text", "wav2vec2_tf.lengths"),
    *("wav2vec2_tf.gcs", "wav2vec2_tf.waiting"),
)
OPTIONAL = set(
    """gcsfs huggingface_hub tensorflow_io flashlight kenlm gradio apache_beam google num2words sentencepiece
    keras_hub""".split()
)
PRIVATE = ("keras.src", "tensorflow.python")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports_of(source: str, module: str = "m", modules: frozenset = frozenset(SOURCES)) -> list[tuple[str, bool]]:
    """Lists what a module imports, and whether it does so as soon as it is loaded."""
    tree = ast.parse(source)
    deferred = {id(node) for outer in ast.walk(tree) if isinstance(outer, FUNCTIONS) for node in ast.walk(outer)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), module.rpartition(".")[0])
            names = [f"{origin}.{a.name}" if f"{origin}.{a.name}" in modules else origin for a in node.names]
        else:
            continue
        found += [(name, id(node) not in deferred) for name in names]
    return found


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def layer_of(module: str) -> str:
    prefix = module
    while prefix not in HOME:
        prefix = prefix.rpartition(".")[0]
        assert prefix, f"{module} has no place in LAYERS"
    return HOME[prefix]


def objection(module: str, target: str, at_load: bool) -> str:
    """Says what is wrong with one import; "" if nothing is."""
    here, package = layer_of(module), target.partition(".")[0]
    if package not in PACKAGES:
        return _objection_to_library(here, package, at_load)
    there = layer_of(target)
    if (module, target) in UPWARDS and not at_load:
        return ""
    if there == "doors":
        return "doors are imported by nobody"
    if there == "run" and module.partition(".")[0] != "train":
        return "train is imported by nobody"
    if module.startswith("data_tools") and package == "wav2vec2_tf" and not target.startswith(DATA_TOOLS_MAY_USE):
        return f"data_tools uses only {', '.join(DATA_TOOLS_MAY_USE)}"
    if HEIGHT[there] > HEIGHT[here]:
        return f"{here} must not import {there}"
    return ""


def _objection_to_library(here: str, package: str, at_load: bool) -> str:
    if package in OPTIONAL and at_load:
        return "optional packages are imported where they are used, inside a function"
    if package in sys.stdlib_module_names or HEIGHT[here] > HEIGHT["model"] or package in OPTIONAL:
        return ""
    allowed = LIBRARIES["floor"] | (LIBRARIES["model"] if here == "model" else set())
    return "" if package in allowed else f"{here} may import only {', '.join(sorted(allowed))}"


@pytest.mark.parametrize("module", SOURCES)
def test_imports_point_down(module):
    found = imports_of(SOURCES[module].read_text("utf-8"), module)
    wrong = [f"{target}: {why}" for target, at_load in found if (why := objection(module, target, at_load))]
    assert not wrong


@pytest.mark.parametrize(
    ("module", "source", "why"),
    [
        ("wav2vec2_tf.lengths", "import tensorflow as tf", "floor may import only"),
        ("wav2vec2_tf.text.rules", "def f():\n    import keras", "floor may import only"),
        ("wav2vec2_tf.layers.attention", "from wav2vec2_tf import hub", "model must not import files"),
        ("wav2vec2_tf.model_ctc", "from wav2vec2_tf import hub", "model must not import files"),
        ("data_tools.reader", "from wav2vec2_tf.model import Wav2Vec2Model", "data_tools uses only"),
        ("wav2vec2_tf.hub", "from train.config import RunConfig", "train is imported by nobody"),
        ("train.loop", "from train.evaluate import main", "doors are imported by nobody"),
        ("wav2vec2_tf.hub", "import gcsfs", "inside a function"),
    ],
)
def test_an_import_that_points_up_is_found(module, source, why):
    modules = frozenset(SOURCES) | {"wav2vec2_tf.hub"}
    objections = [objection(module, name, at_load) for name, at_load in imports_of(source, module, modules)]
    assert any(why in text for text in objections)


@pytest.mark.parametrize("package", sorted(OPTIONAL))
def test_an_optional_package_has_one_importing_file(package):
    users = [
        module
        for module, path in SOURCES.items()
        if package in {name.partition(".")[0] for name, _ in imports_of(path.read_text("utf-8"), module)}
    ]
    assert len(users) <= 1


def test_nothing_private_to_keras_or_tensorflow_is_used():
    used = {
        (str(path.relative_to(ROOT)), name)
        for folder in (*PACKAGES, "tests", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        for name, _ in imports_of(path.read_text("utf-8"), module_of(path))
        if name.startswith(PRIVATE)
    }
    assert not used


def test_every_library_is_declared_in_setup_py():
    declared = (ROOT / "setup.py").read_text("utf-8").replace("-", "_").replace("pyyaml", "yaml")
    imported = {name for module, path in SOURCES.items() for name, _ in imports_of(path.read_text("utf-8"), module)}
    outside = {name.partition(".")[0] for name in imported} - set(PACKAGES) - set(sys.stdlib_module_names)
    assert not {name for name in outside if f'"{name}' not in declared}


def run_python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


def test_importing_the_package_loads_no_tensorflow():
    done = run_python("import sys, wav2vec2_tf; assert not {'tensorflow', 'keras'} & set(sys.modules); print('light')")
    assert done.stdout == "light\n", done.stderr


def test_the_floor_works_without_tensorflow_and_optional_packages():
    hidden = sorted({"tensorflow", "keras", "torch", *OPTIONAL})
    floor = [module for module in SOURCES if layer_of(module) == "floor"]
    done = run_python(
        f"import importlib, sys\nsys.modules.update(dict.fromkeys({hidden}))\n"
        f"for name in {floor}:\n    importlib.import_module(name)\nprint('whole')"
    )
    assert done.stdout == "whole\n", done.stderr
