import numpy as np
import pytest
import tensorflow as tf

from data_tools.index import load_index
from data_tools.reader import batches
from train.config import OptimizerConfig
from train.layout import split
from train.optimizer import build_optimizer
from train.setup import build_model, load_processor, plan, reader_options
from train.step import Counts, TrainStep, count_heard, countable, fetch
from train.strategy import Cluster


@pytest.fixture
def batch(config):
    index, tokenizer = load_index(config.data), load_processor(config).tokenizer
    buckets = plan(index, "train", config.batches)
    return next(iter(batches(index, "train", buckets=buckets, **reader_options(tokenizer))))


@pytest.fixture
def make(config, changed):
    """Gives a fresh model of the same weights, and its compiled update."""

    def make(jit_compile=False, report=print, skip=False, freeze_steps=0, **changes):
        settings = changed(**changes)
        model = build_model(settings, load_processor(settings).tokenizer)
        optimizer = build_optimizer(OptimizerConfig(), model.trainable_variables)
        options = dict(clip_norm=0.0, seed=1, jit_compile=jit_compile, report=report)
        options |= dict(skip=skip, freeze_steps=freeze_steps)
        return model, TrainStep(model, optimizer, Cluster(), do_normalize=True, **options)

    return make


def padded(batch, rows):
    """Appends rows of weight 0, as the reader fills up a batch."""
    fill = {name: tf.zeros([rows, *value.shape[1:]], value.dtype) for name, value in batch.items()}
    fill["id"] = fill["text"] = tf.fill([rows], "")
    return {name: tf.concat([value, fill[name]], 0) for name, value in batch.items()}


def with_infeasible_row(batch):
    """Shortens the last row until its labels cannot fit."""
    num_samples = tf.concat([batch["num_samples"][:-1], [700]], 0)
    return batch | {"num_samples": num_samples}


def without_last_row(batch):
    return {name: value[:-1] for name, value in batch.items()}


def test_rows_count_that_have_an_utterance_and_an_alignment(make, batch):
    filled = padded(with_infeasible_row(batch), 2)
    counted = countable(filled, make()[0].frame_lengths(filled["num_samples"])).numpy()
    np.testing.assert_array_equal(counted, [1] * (len(counted) - 3) + [0] * 3)


def test_an_update_without_a_feasible_row_changes_nothing(make, batch):
    model, step = make()
    before = [weight.numpy() for weight in model.weights]
    counts = fetch([step(split(batch | {"num_samples": tf.zeros_like(batch["num_samples"])}, 1), 0, 1e-3)])[0]
    assert (counts.loss, counts.grad_norm, counts.infeasible) == (0, 0, len(batch["id"]))
    for old, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, weight)


def test_the_loss_is_the_mean_over_utterances_and_padding_rows_change_nothing(make, batch):
    _, step = make()
    _, other = make()
    alone = fetch([step(split(batch, 1), 0, 1e-3)])[0]
    filled = fetch([other(split(padded(batch, 3), 1), 0, 1e-3)])[0]
    assert filled.loss == pytest.approx(alone.loss, rel=1e-4)
    assert filled.grad_norm == pytest.approx(alone.grad_norm, rel=1e-3)
    assert filled.utterances == alone.utterances == len(batch["id"])


def test_infeasible_rows_are_counted_and_change_nothing(make, batch):
    _, step = make()
    _, other = make()
    masked = fetch([step(split(with_infeasible_row(batch), 1), 0, 1e-3)])[0]
    absent = fetch([other(split(without_last_row(batch), 1), 0, 1e-3)])[0]
    assert (masked.infeasible, absent.infeasible) == (1, 0)
    assert masked.loss == pytest.approx(absent.loss, rel=1e-4)
    assert masked.grad_norm == pytest.approx(absent.grad_norm, rel=1e-3)


def test_xla_and_graph_agree(make, batch):
    shared = split(batch, 1)
    (graph,), (xla,) = (fetch([make(jit_compile)[1](shared, 0, 1e-3)]) for jit_compile in (False, True))
    np.testing.assert_allclose(np.hstack(xla), np.hstack(graph), rtol=1e-3)


def test_chance_is_a_function_of_seed_and_step(make, batch, config):
    from train.config import ModelConfig  # dropout on, unlike the other tests

    model, shared = dict(vars(config.model)) | dict(hidden_dropout=0.5), split(batch, 1)
    losses = [fetch([make(model=ModelConfig(**model))[1](shared, step, 1e-3)])[0].loss for step in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]


def test_every_part_of_every_replica_draws_for_itself_and_again_the_same(make, batch):
    """Two parts of the same rows: were they drawn alike, the mean loss would be that of one."""
    _, step = make(model__hidden_dropout=0.5)
    (block,) = split(batch, 1)
    twice = {name: tf.concat([value, value], 0) for name, value in block.items()}
    one, two, again = (fetch([step((rows,), 0, 0.0)])[0].loss for rows in (block, twice, twice))
    assert two == again
    assert abs(two - one) > 1e-5 * one  # rounding is a hundred times smaller


def test_each_shape_is_compiled_once_and_told(make, batch):
    lines = []
    _, step = make(report=lines.append)
    for i, example in enumerate([batch, batch, without_last_row(batch), batch]):
        step(split(example, 1), i, 1e-3)
    assert step.compiled.function.experimental_get_tracing_count() == 2
    assert [line.split(" in ")[0] for line in lines] == [
        "compiling shape 6 x 0.8 s ...",
        "compiled shape 6 x 0.8 s",
        "compiling shape 5 x 0.8 s ...",
        "compiled shape 5 x 0.8 s",
    ]


def test_what_is_heard_is_counted_on_real_frames_only():
    logits = tf.one_hot([[0, 1, 0, 0], [0, 0, 2, 0]], 3)
    np.testing.assert_array_equal(count_heard(logits, tf.constant([3, 2])), [4, 1, 0])
    np.testing.assert_array_equal(count_heard(logits, tf.constant([3, 0])), [2, 1, 0])


def test_the_norms_of_the_blocks_make_up_the_norm(make, batch):
    _, step = make()
    counts = fetch([step(split(batch, 1), 0, 1e-3)])[0]
    assert step.blocks[-3:] == ["encoder/layers_0", "encoder/layers_1", "lm_head"]
    assert np.linalg.norm(counts.block_norms) == pytest.approx(counts.grad_norm, rel=1e-5)
    assert (counts.block_norms > 0).sum() > 5


def test_an_update_that_is_not_finite_is_left_out_where_asked(make, batch):
    model, step = make(skip=True)
    model.lm_head.bias.assign(model.lm_head.bias + np.inf)
    before = [weight.numpy() for weight in model.weights]
    counts = fetch([step(split(batch, 1), 0, 1e-3)])[0]
    assert not np.isfinite(counts.grad_norm)
    for old, weight in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, weight)


def test_fetch_keeps_the_order_of_updates_and_fields():
    def numbers(i):
        return [tf.constant(float(10 * i + j)) for j in range(8)] + [tf.range(3.0) + i, tf.range(2.0)]

    fetched = fetch([Counts(*numbers(i)) for i in range(3)])
    assert (fetched[2].loss, fetched[0].grad_norm) == (20.0, 7.0)
    np.testing.assert_array_equal(fetched[1].heard, [1, 2, 3])
    np.testing.assert_array_equal(fetched[1].block_norms, [0, 1])
    assert fetch([]) == []


@pytest.mark.parametrize("jit_compile", [False, True])
def test_while_the_encoder_is_frozen_the_head_learns_alone_as_it_would_with_the_body(make, batch, jit_compile):
    """The loss is that of the whole model, dropout and masks included; so is the head's gradient."""
    chance = dict(model__hidden_dropout=0.3, model__mask_time_prob=0.3, jit_compile=jit_compile)
    (frozen, freezing), (whole, learning) = make(freeze_steps=2, **chance), make(**chance)
    before = [weight.numpy() for weight in frozen.weights]
    counts, expected = (fetch([step(split(batch, 1), 1, 1e-3)])[0] for step in (freezing, learning))
    assert counts.loss == pytest.approx(expected.loss, rel=1e-5)
    assert counts.block_norms[-1] == pytest.approx(expected.block_norms[-1], rel=1e-3)
    assert not counts.block_norms[:-1].any()
    np.testing.assert_allclose(frozen.lm_head.kernel, whole.lm_head.kernel, atol=1e-6)
    for old, weight in zip(before, frozen.weights, strict=True):
        assert np.array_equal(old, weight) != weight.path.startswith("lm_head/")


def test_after_the_frozen_updates_everything_learns_and_both_kinds_are_told(make, batch):
    lines = []
    model, step = make(freeze_steps=1, report=lines.append)
    before = [weight.numpy() for weight in model.trainable_variables]
    for i in range(3):
        step(split(batch, 1), i, 1e-3)
    still = [w.path for old, w in zip(before, model.trainable_variables, strict=True) if np.array_equal(old, w)]
    assert still == ["wav2vec2/masked_spec_embed"]  # no masks in these tests
    compiled = [line.split(" in ")[0] for line in lines if line.startswith("compiled")]
    assert compiled == ["compiled shape 6 x 0.8 s, head only", "compiled shape 6 x 0.8 s"]


def test_a_shape_that_does_not_fit_into_memory_is_named_with_the_way_out(make, batch, monkeypatch):
    _, step = make()

    def full(*_):
        raise tf.errors.ResourceExhaustedError(None, None, "out of memory")

    monkeypatch.setattr(step.compiled, "_call", full)
    with pytest.raises(MemoryError, match=r"shape 6 x 0.8 s does not fit .*out of memory.*--batches.device_seconds"):
        step(split(batch, 1), 0, 1e-3)
