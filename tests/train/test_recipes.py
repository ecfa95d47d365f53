"""Each recipe against the columns of its source and against its frozen text; what it refuses."""

import math
import sys
from pathlib import Path

import pytest
import yaml

from train.config import architecture, to_yaml
from train.flags import parse
from train.recipes import RECIPES, check_recipe
from wav2vec2_tf.config import Wav2Vec2Config

ROOT = Path(__file__).parents[2]
FROZEN = Path(__file__).parent / "recipes"
FLAGS = ["--data", "SHARDS", "--out", "RUN"]


def resolved(name: str) -> str:
    """What a run of this recipe is, in full: what it says of itself, and RUN/config.yaml."""
    config = parse(["--recipe", name, *FLAGS]).config
    comment = "".join(f"# {line}\n" for line in RECIPES[name].lines())
    return comment + to_yaml(config, architecture(config))


def write_frozen():
    """Freezes the texts anew: `python -m tests.train.test_recipes`; the difference is to be reviewed."""
    FROZEN.mkdir(exist_ok=True)
    for old in FROZEN.glob("*.yaml"):
        old.unlink()
    for name in RECIPES:
        (FROZEN / f"{name}.yaml").write_text(resolved(name), encoding="utf-8")


@pytest.mark.parametrize("name", RECIPES)
def test_the_resolved_config_is_the_frozen_text(name):
    frozen = (FROZEN / f"{name}.yaml").read_text(encoding="utf-8")
    assert resolved(name) == frozen, "a moved default or recipe: look, then `python -m tests.train.test_recipes`"


def test_every_frozen_text_has_its_recipe():
    assert {path.stem for path in FROZEN.iterdir()} == set(RECIPES)


# The published table: s audio per update, updates, peak rate, frozen for, masks of time and channels, LayerDrop.
PUBLISHED = """
base_10m        no  1600 13000  5e-5 10000 0.65 0.25 0.1
base_1h         no  1600 13000  5e-5 10000 0.65 0.25 0.1
base_10h        no  1600 20000  5e-5 10000 0.65 0.5  0.05
base_100h       no  1600 80000  3e-5 0     0.65 0.5  0.1
base_960h       no  1600 320000 1e-4 0     0.5  0.1  0.1
large_10m       yes 1600 13000  1e-4 10000 0.65 0.25 0.1
large_1h        yes 1600 13000  3e-4 10000 0.75 0.25 0.1
large_10h       yes 1600 20000  1e-4 10000 0.75 0.25 0.1
large_100h      yes 1600 80000  3e-5 10000 0.5  0.5  0.1
large_960h      yes 1920 320000 3e-5 10000 0.5  0.25 0.1
xls_r_cv        yes 1600 13000  3e-4 10000 0.75 0.25 0.1
xls_r_voxpopuli yes 1600 50000  3e-4 10000 0.75 0.25 0.1
""".strip().splitlines()


@pytest.mark.parametrize("row", PUBLISHED)
def test_the_recipes_of_fairseq_have_their_published_values(row):
    name, normalizes, *numbers = row.split()
    config = parse(["--recipe", name, *FLAGS]).config
    model = architecture(config)
    found = (
        config.batches.batch_seconds, config.steps, config.optimizer.learning_rate, config.freeze_encoder_steps,
        model.mask_time_prob, model.mask_feature_prob, model.layerdrop,
    )  # fmt: skip
    assert found == tuple(map(float, numbers))
    assert (model.mask_time_length, model.mask_feature_length) == (10, 64)
    dropouts = model.hidden_dropout, model.attention_dropout, model.feat_proj_dropout, model.final_dropout
    assert (*dropouts, model.activation_dropout) == (0, 0, 0, 0, 0.1)
    optimizer, schedule = config.optimizer, config.schedule
    assert (optimizer.name, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == ("adam", 0.9, 0.98, 1e-8)
    assert (optimizer.weight_decay, optimizer.clip_norm, config.freeze_feature_encoder) == (0, 0, True)
    assert (schedule.name, schedule.warmup, schedule.hold) == ("tri_stage", 0.1, 0.4)
    assert (schedule.initial_scale, schedule.final_scale) == (0.01, 0.05)
    assert (model.feat_extract_norm == "layer") == (normalizes == "yes")


@pytest.mark.parametrize("name", RECIPES)
def test_a_device_holds_what_divides_the_update(name):
    """As many devices, or parts, as the source had."""
    batches = parse(["--recipe", name, *FLAGS]).config.batches
    if batches.device_seconds is not None:
        assert math.isclose(batches.batch_seconds % batches.device_seconds, 0)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_tells_its_source_command_and_expected_error_rate(name):
    recipe = RECIPES[name]
    assert "not run here" in recipe.expected
    assert all(
        word in "\n".join(recipe.lines()) for word in (recipe.source, recipe.command, recipe.expected, recipe.data)
    )
    flags = recipe.command.split()[3:]
    init_from = [] if recipe.values.get("init_from") else ["--init_from"]
    assert set(init_from) <= set(flags)
    assert parse(flags).config.recipe == name


def row_of(name: str) -> str:
    """The line of docs/recipes.md about a recipe."""
    recipe, config = RECIPES[name], parse(["--recipe", name, *FLAGS]).config
    length = f"{config.steps:,} updates" if config.steps else f"{config.epochs} epochs"
    cells = (
        f"`{name}`",
        recipe.data,
        f"{config.batches.batch_seconds:.0f}",
        length,
        config.optimizer.learning_rate,
        recipe.published or "-",
    )
    return f"| {' | '.join(map(str, cells))} |"


@pytest.mark.parametrize("name", RECIPES)
def test_the_documentation_tells_every_recipe_as_it_is(name):
    assert row_of(name) in (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")


def test_flags_and_files_win_over_a_recipe(tmp_path):
    file = tmp_path / "more.yaml"
    file.write_text("steps: 11\noptimizer:\n  learning_rate: 1.0e-3\n")
    config = parse(["--recipe=base_10h", "--config", str(file), *FLAGS, "--optimizer.learning-rate", "2e-3"]).config
    assert (config.steps, config.optimizer.learning_rate, config.freeze_encoder_steps) == (11, 2e-3, 10_000)


def test_a_recipe_may_stand_in_the_file(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("recipe: large_1h\nepochs: 3\nsteps: null\n")
    config = parse(["--config", str(file), *FLAGS]).config
    assert (config.recipe, config.epochs, config.steps, config.preset) == ("large_1h", 3, None, "large_lv60")


def test_the_saved_config_of_a_recipe_repeats_the_run_without_it(tmp_path):
    config = parse(["--recipe", "base_10h", *FLAGS, "--steps", "7"]).config
    text = to_yaml(config, architecture(config)).replace("recipe: base_10h\n", "")
    (tmp_path / "config.yaml").write_text(text)
    again = parse(["--config", str(tmp_path / "config.yaml")]).config
    assert (again.steps, again.optimizer, again.batches) == (7, config.optimizer, config.batches)
    assert architecture(again) == architecture(config)


@pytest.mark.parametrize("place", ["flag", "file"])
def test_an_unknown_recipe_ends_with_status_2_and_names_those_there_are(place, tmp_path, capsys):
    (tmp_path / "config.yaml").write_text("recipe: base_99h\n")
    arguments = {"flag": ["--recipe", "base_99h"], "file": ["--config", str(tmp_path / "config.yaml")]}[place]
    with pytest.raises(SystemExit) as stop:
        parse([*arguments, *FLAGS])
    assert stop.value.code == 2
    assert "base_100h" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["recipe: [", "- 1", None])
def test_a_file_that_cannot_be_read_is_still_told(text, tmp_path, capsys):
    file = tmp_path / "odd.yaml"
    if text:
        file.write_text(text)
    with pytest.raises(SystemExit):
        parse(["--config", str(file), *FLAGS])
    assert "config" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("base_100h", Wav2Vec2Config.base(vocab_size=40)),
        ("large_100h", Wav2Vec2Config.large_lv60()),
        ("xls_r_cv", Wav2Vec2Config.xls_r_1b()),
        ("mms_adapter", Wav2Vec2Config.xls_r_1b(adapter_attn_dim=16)),
    ],
)
def test_a_checkpoint_that_a_recipe_is_for_passes(name, model):
    check_recipe(name, model, normalizes=True, source="org/model")


@pytest.mark.parametrize(
    ("name", "model", "message"),
    [
        (
            "base_100h",
            Wav2Vec2Config.large_lv60(),
            "is for base; org/model has hidden_size 1024, not 768, .*Recipes for such a model: large_10m, .*xls_r_cv",
        ),
        (
            "large_10h",
            Wav2Vec2Config.large(),
            "feat_extract_norm 'group', not 'layer'.*such a model: none.*--print_config",
        ),
        ("base_10m", Wav2Vec2Config.hubert_base(), "model_type 'hubert', not 'wav2vec2'"),
        ("xls_r_cv", Wav2Vec2Config.xls_r_2b(), "xls_r_300m and xls_r_1b; .* num_hidden_layers 48, not 24"),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused_with_the_recipes_for_it(name, model, message):
    with pytest.raises(ValueError, match=message):
        check_recipe(name, model, normalizes=True, source="org/model")


def test_a_checkpoint_with_layer_norm_that_does_not_normalise_is_refused():
    with pytest.raises(ValueError, match="org/model says do_normalize false. Correct its preprocessor_config.json"):
        check_recipe("large_100h", Wav2Vec2Config.large_lv60(), normalizes=False, source="org/model")


def test_group_norm_cancels_the_scale_so_either_passes():
    for normalizes in (True, False):
        check_recipe("base_100h", Wav2Vec2Config.base(), normalizes, source="org/model")


def test_the_frozen_text_is_yaml_that_repeats_the_recipe():
    values = yaml.safe_load((FROZEN / "two_stage_body.yaml").read_text(encoding="utf-8"))
    assert values["schedule"]["hold"] == pytest.approx(11 / 15)


if __name__ == "__main__":
    sys.exit(write_frozen())
