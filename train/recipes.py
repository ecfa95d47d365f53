"""Published ways to fine-tune, by name: `--recipe base_100h` puts their values in the place of the defaults.

Each states where it comes from, what it was made for, its command, and the error rate published for it. The values are
in `recipe_table`; flags are made from them in `config`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from train import recipe_table as table
from wav2vec2_tf.config import Wav2Vec2Config

# what tells one pretrained body from another
TRAITS = ("model_type", "hidden_size", "num_hidden_layers", "feat_extract_norm", "do_stable_layer_norm")


@dataclass(frozen=True)
class Recipe:
    """One published way to fine-tune.

    Attributes:
        name: As in `--recipe NAME`.
        source: Where the values stand.
        data: What it was made for.
        values: Fields of `RunConfig` that are not its defaults, sections nested.
        presets: Architectures it is for.
        flags: What else its command line needs.
        published: Word error rate, and who reports it; "" if we know of none. None was run here.
        notes: What one should know besides.
    """

    name: str
    source: str
    data: str
    values: Mapping[str, Any] = field(repr=False)
    presets: tuple[str, ...]
    flags: str = ""
    published: str = ""
    notes: str = ""

    @property
    def command(self) -> str:
        """The command line."""
        return f"python -m train --recipe {self.name} --data SHARDS --out RUN {self.flags}".rstrip()

    @property
    def expected(self) -> str:
        """What word error rate to expect."""
        return f"not run here; {self.published or 'no published word error rate known to us'}"

    def lines(self) -> list[str]:
        """Says what it is, one fact per line."""
        facts = {name: getattr(self, name) for name in ("source", "data", "command", "expected", "notes")}
        return [f"recipe {name}: {value}" for name, value in facts.items() if value]

    def fits(self, model: Wav2Vec2Config) -> bool:
        """Tells whether it is for such a model."""
        return any(_traits(model) == _traits(getattr(Wav2Vec2Config, preset)()) for preset in self.presets)


def _fairseq(name: str) -> Recipe:
    data, flags = next(facts for ending, facts in table.CORPORA.items() if name.endswith(ending))
    body = table.FAIRSEQ[name][0]
    file, notes = _XLS_R if body == "xls_r" else (f"config/finetuning/{name.replace('large', 'vox')}.yaml", "")
    return Recipe(
        name=name,
        source=f"fairseq examples/wav2vec/{file}",
        data=data,
        values=table.fairseq(name),
        presets=table.BODIES[body][1],
        flags=flags,
        published=table.PUBLISHED.get(name, ""),
        notes=notes,
    )


_XLS_R = (
    "xlsr/config/finetune.yaml, updates as in its README",
    "the rate is the highest of those its authors try, 2e-5 to 3e-4, and keep by dev WER; the larger model: "
    "--init_from facebook/wav2vec2-xls-r-1b",
)
_TRANSFORMERS = "transformers examples/pytorch/speech-recognition/{}, as its README calls it"
_PORT = "the earlier TF port, gsoc-wav2vec2 src/main.py, stage {}"
_SPLITS = "--train_split train-clean-100 --dev_split dev-clean"
_OTHERS = (
    Recipe(
        name="community",
        source=_TRANSFORMERS.format("run_speech_recognition_ctc.py"),
        data="Common Voice, Turkish",
        values=table.transformers(
            *("facebook/wav2vec2-large-xlsr-53", "xls_r_300m", 3e-4, 500, 15),
            model=table.QUIET | dict(activation_dropout=0.0, layerdrop=0.0),
            freeze_feature_encoder=True,
        ),
        presets=("xls_r_300m",),
        published="35 % (its README)",
    ),
    Recipe(
        name="mms_adapter",
        source=_TRANSFORMERS.format("run_speech_recognition_ctc_adapter.py"),
        data="Common Voice, Turkish",
        values=table.transformers(
            *("facebook/mms-1b-all", "xls_r_1b", 1e-3, 100, 4),
            model=dict(adapter_attn_dim=16, final_dropout=0.0, layerdrop=0.0),
            trainable="adapters",
            new_head=True,
        ),
        presets=("xls_r_1b",),
        published="below 27 % (its README)",
        notes="adapters start from those in the checkpoint, as its code has it; only the head is new",
    ),
    Recipe(
        name="two_stage_head",
        source=_PORT.format(1),
        data="LibriSpeech, 100 h",
        values=table.port(1e-3, dict(name="constant", warmup=0.0), init_from=table.BODIES["base"][0], trainable="head"),
        presets=("base",),
        flags=_SPLITS,
        notes="the first of two runs: only the head learns, then --recipe two_stage_body goes on from it",
    ),
    Recipe(
        name="two_stage_body",
        source=_PORT.format(2),
        data="LibriSpeech, 100 h",
        values=table.port(1e-4, dict(name="step", warmup=0.0, hold=11 / 15, final_scale=0.5)),
        presets=("base",),
        flags=f"--init_from HEAD_RUN/best {_SPLITS}",
        published="test-clean 7.4 %, 8.2 % without the first stage (the port)",
    ),
)
RECIPES = {recipe.name: recipe for recipe in (*map(_fairseq, table.FAIRSEQ), *_OTHERS)}


def flat_values(name: str) -> dict[str, Any]:
    """Gives the values of a recipe under the names of their flags.

    >>> flat_values("base_100h")["optimizer.learning_rate"]
    3e-05
    """
    values = {}
    for key, value in RECIPES[name].values.items():
        values |= {f"{key}.{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {key: value}
    return values


def check_recipe(name: str, model: Wav2Vec2Config, normalizes: bool, source: str) -> None:
    """Refuses a checkpoint that a recipe was not made for.

    Args:
        name: The recipe.
        model: Architecture of the checkpoint.
        normalizes: Whether its audio is brought to unit variance.
        source: Where it is from, for the error.
    Raises:
        ValueError: It is of another architecture; or it takes its audio as it is, but has layer norm in its
            convolutions (group norm cancels the scale).
    """
    recipe = RECIPES[name]
    if not recipe.fits(model):
        wanted, found = _traits(getattr(Wav2Vec2Config, recipe.presets[0])()), _traits(model)
        differing = ", ".join(f"{trait} {found[trait]!r}, not {wanted[trait]!r}" for trait in _differing(wanted, found))
        others = ", ".join(other.name for other in RECIPES.values() if other.fits(model)) or "none"
        raise ValueError(
            f"--recipe {name} is for {' and '.join(recipe.presets)}; {source} has {differing}. Recipes for such a "
            f"model: {others}. To take the values all the same, save what --print_config prints, remove its line "
            f"`recipe`, and give it with --config."
        )
    if model.feat_extract_norm == "layer" and not normalizes:
        raise ValueError(
            f"--recipe {name} is for models pretrained on audio of zero mean and unit variance; {source} says "
            f"do_normalize false. Correct its preprocessor_config.json, or take the checkpoint as it was published."
        )


def _traits(config: Wav2Vec2Config) -> dict[str, Any]:
    return {trait: getattr(config, trait) for trait in TRAITS}


def _differing(wanted: dict, found: dict) -> list[str]:
    return [trait for trait in wanted if wanted[trait] != found[trait]]
