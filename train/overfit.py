"""`--overfit_one_batch`: can this model, with these shards and rates, learn a few utterances by heart?

If not, no amount of data will help: the set-up is wrong (labels, normalisation, rate, architecture). Dropout, masks and
LayerDrop are off, and the rate rises briefly and then stays. Nothing is written.
"""

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

from tqdm import tqdm

from data_tools.index import load_index
from data_tools.reader import batches
from train.config import RunConfig
from train.edits import Errors
from train.evaluation import compare
from train.evaluator import Evaluator
from train.layout import split
from train.optimizer import build_optimizer
from train.setup import build_model, load_processor, plan, reader_options
from train.step import TrainStep, fetch
from train.strategy import Cluster

ROWS, STEPS, WARMUP_STEPS, LOOK_EVERY = 4, 600, 20, 25
CALM = dict.fromkeys(
    "hidden_dropout activation_dropout attention_dropout feat_proj_dropout final_dropout layerdrop".split(), 0.0
) | {"apply_spec_augment": False}


@dataclass(frozen=True)
class Verdict:
    """Whether a batch was learned by heart.

    Attributes:
        learned: Word error rate 0 on the batch.
        steps: Updates it took, or that were tried.
        loss: The last loss, nats per utterance.
        wer: The last word error rate.
        seconds: Time it took, compilation included.
    """

    learned: bool
    steps: int
    loss: float
    wer: float
    seconds: float

    def line(self) -> str:
        """Says it in a sentence."""
        facts = f"{self.steps} steps, {self.seconds:.0f} s: loss={self.loss:.3f} wer={self.wer:.1%}"
        if self.learned:
            return f"overfit_one_batch: PASSED after {facts}. The set-up can learn."
        return (
            f"overfit_one_batch: FAILED after {facts}. Look at the hypotheses above: only blanks ask for another "
            f"--optimizer.learning_rate or more --steps; wrong letters for a look at vocab.json and the shards' texts."
        )


def overfit_one_batch(config: RunConfig, report: Callable[[str], None] = tqdm.write) -> Verdict:
    """Repeats one batch of the shortest utterances until it is learned by heart.

    Args:
        config: The run; `steps` bounds the trial (600 if not given). `out` stays untouched.
        report: Takes lines of text.
    Returns:
        The verdict.
    Raises:
        FileNotFoundError, ValueError: Shards and config do not fit together.
    """
    start = time.monotonic()
    if config.strategy != "one":
        report(f"overfit_one_batch: on one device, though --strategy is {config.strategy}; --check is for the others")
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, **CALM))
    index, processor = load_index(config.data), load_processor(config)
    model = build_model(config, processor.tokenizer)
    optimizer = build_optimizer(config.optimizer, model.trainable_variables, config.precision)
    common = dict(jit_compile=config.jit_compile, report=report)
    update = TrainStep(
        model,
        optimizer,
        Cluster(),
        do_normalize=processor.feature.do_normalize,
        clip_norm=config.optimizer.clip_norm,
        seed=config.seed,
        **common,
    )
    evaluator = Evaluator(model, processor, index, config.train_split, config.batches, **common)
    batch = _first_batch(config, index, processor)
    limit = config.steps or STEPS
    for step in range(limit):
        counts = update(split(batch, 1), step, config.optimizer.learning_rate * min(1.0, (step + 1) / WARMUP_STEPS))
        if (step + 1) % LOOK_EVERY == 0 or step + 1 == limit:
            wer = _look(evaluator, batch, step + 1, fetch([counts])[0].loss, report)
            if wer == 0:
                break
    return Verdict(wer == 0, step + 1, fetch([counts])[0].loss, wer, time.monotonic() - start)


def _first_batch(config, index, processor) -> dict:
    """Takes the first rows of the first batch in order of length."""
    options = reader_options(processor.tokenizer) | dict(buckets=plan(index, config.train_split, config.batches))
    batch = next(iter(batches(index, config.train_split, **options)))
    return {name: value[:ROWS] for name, value in batch.items()}


def _look(evaluator, batch, step, loss, report) -> float:
    """Prints what the model hears now; returns the word error rate on the batch."""
    hypotheses = [compare(*text) for text in evaluator.hear(batch)[0]]
    wer = sum((h.words for h in hypotheses), Errors()).rate
    report(f"step={step} loss={loss:.3f} wer={wer:.1%}  {hypotheses[0].reference!r} -> {hypotheses[0].text!r}")
    return wer
