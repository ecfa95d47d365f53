"""What learns and what does not; new heads; recipes and checkpoints that do not fit together."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from data_tools.place import Place
from data_tools.vocabulary import save_vocabulary
from tests.tones import make_shards
from train.optimizer_kinds import make_optimizer
from train.setup import DataError, build_model, check_feasible, check_vocabulary, load_processor, plan
from wav2vec2_tf import SubwordTokenizer, Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC
from wav2vec2_tf.lengths import Conv

ADAPTED = dict(model__adapter_attn_dim=4, model__do_stable_layer_norm=True)


def build(config):
    return build_model(config, load_processor(config).tokenizer)


def learning(model) -> set[str]:
    """The parts of a model in which something learns."""
    parts = {variable.path.removeprefix("wav2vec2/") for variable in model.trainable_variables}
    return {"adapter" if "adapter_layer" in part else part.split("/")[0] for part in parts}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (dict(), {"feature_extractor", "feature_projection", "masked_spec_embed", "encoder", "adapter", "lm_head"}),
        (
            dict(freeze_feature_encoder=True),
            {"feature_projection", "masked_spec_embed", "encoder", "adapter", "lm_head"},
        ),
        (dict(trainable="adapters"), {"adapter", "lm_head"}),
        (dict(trainable="head"), {"lm_head"}),
        (dict(trainable="head", freeze_feature_encoder=True), {"lm_head"}),
    ],
)
def test_what_learns_is_as_asked(changed, changes, expected):
    assert learning(build(changed(**ADAPTED, **changes))) == expected


def test_the_optimizer_keeps_nothing_about_what_does_not_learn(changed):
    sizes = {}
    for trainable in ("all", "adapters", "head"):
        config = changed(**ADAPTED, trainable=trainable)
        variables = build(config).trainable_variables
        optimizer = make_optimizer(config.optimizer, variables)
        optimizer.build(variables)
        sizes[trainable] = sum(np.prod(variable.shape) for variable in optimizer.variables)
        weights = sum(np.prod(variable.shape) for variable in variables)
        assert sizes[trainable] <= 2 * weights + 2  # and a counter and a rate
    assert sizes["head"] < sizes["adapters"] < sizes["all"] / 4


def test_a_model_is_made_for_the_shards_subwords(changed, shards, tmp_path):
    pieces = shutil.copytree(shards, tmp_path / "pieces")
    made = SubwordTokenizer.train(["HI LOW", "LOW HI HI"], 16)
    save_vocabulary(made, Place.of(pieces))
    config = changed(data=pieces)
    tokenizer = load_processor(config).tokenizer
    assert tokenizer.vocab == made.vocab
    assert build(config).config.vocab_size == len(made) == 16
    check_vocabulary(tokenizer, pieces, "the model")
    with pytest.raises(DataError, match="vocab.json and the vocabulary of the model differ in"):
        check_vocabulary(tokenizer, shards, "the model")


def test_subwords_need_fewer_frames_than_characters():
    index = SimpleNamespace(
        folder="shards", lengths=lambda split: np.array([32_000]), label_counts=lambda split: np.array([30])
    )
    sparse = [Conv(400, 320), Conv(4, 4)]  # 24 frames
    with pytest.raises(DataError, match="no utterance of shards, train, has as many frames as labels"):
        check_feasible(index, "train", sparse, Wav2Vec2CTCTokenizer.standard())
    check_feasible(index, "train", sparse, SubwordTokenizer.train(["HI LOW", "LOW HI HI"], 16))


def test_adapters_cannot_learn_where_there_are_none(changed):
    with pytest.raises(ValueError, match="needs a model with adapters .*--trainable head"):
        build(changed(trainable="adapters"))


@pytest.fixture
def tuned(config, tmp_path):
    """The folder of a model with a head."""
    processor = load_processor(config)
    build_model(config, processor.tokenizer).save_pretrained(tmp_path / "tuned")
    processor.save_pretrained(tmp_path / "tuned")
    return str(tmp_path / "tuned")


@pytest.mark.filterwarnings("ignore:.*lm_head starts at random")
@pytest.mark.parametrize("words", [("EA", "E"), ("A", "BE", "ABE")])
def test_a_new_head_takes_the_vocabulary_of_the_shards_and_keeps_the_body(tuned, changed, words, tmp_path):
    """Of another size, and of the same."""
    shards = make_shards(tmp_path / "other", {"train": 4, "dev": 2}, words=words)
    config = changed(init_from=tuned, data=shards, new_head=True)
    processor, before = load_processor(config), Wav2Vec2ForCTC.from_pretrained(tuned)
    assert processor.tokenizer.vocab == json.loads((shards / "vocab.json").read_text())
    model, again = build(config), build(config)
    assert model.config.vocab_size == model.lm_head.kernel.shape[1] == len(processor.tokenizer)
    np.testing.assert_array_equal(model.lm_head.kernel, again.lm_head.kernel)
    same = model.lm_head.kernel.shape == before.lm_head.kernel.shape
    assert not (same and np.array_equal(model.lm_head.kernel, before.lm_head.kernel))
    np.testing.assert_array_equal(model.wav2vec2.weights[0], before.wav2vec2.weights[0])


def test_another_vocabulary_without_a_new_head_is_refused_and_the_way_out_named(tuned, changed, tmp_path):
    shards = make_shards(tmp_path / "other", {"train": 4, "dev": 2}, words=("EA", "E"))
    with pytest.raises(DataError, match="--new_head true"):
        load_processor(changed(init_from=tuned, data=shards))


def test_a_recipe_for_another_architecture_is_refused_before_a_model_is_made(tuned, changed):
    with pytest.raises(ValueError, match=r"--recipe base_100h is for base; .*tuned has hidden_size 32, not 768"):
        load_processor(changed(init_from=tuned, recipe="base_100h"))


@pytest.mark.parametrize(
    ("changes", "flag"),
    [(dict(recipe="two_stage_body"), "--recipe two_stage_body"), (dict(new_head=True), "--new_head")],
)
def test_a_recipe_or_a_new_head_without_a_checkpoint_is_refused(changed, changes, flag):
    with pytest.raises(ValueError, match=f"{flag} is for a pretrained model. .*--init_from"):
        load_processor(changed(**changes))


def test_several_splits_are_joined(config, changed):
    from data_tools.index import load_index

    index = load_index(config.data)
    np.testing.assert_array_equal(
        index.lengths("train+dev"), np.concatenate([index.lengths("train"), index.lengths("dev")])
    )
    assert plan(index, "train+dev", config.batches).edges
    with pytest.raises(DataError, match="a split 'nope'; it has train, dev"):
        plan(index, "train+nope", config.batches)
