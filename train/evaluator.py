"""What a model makes of a whole split: hypotheses by utterance id, error rates, loss, blank ratio.

Arg-max runs on the device, so that memory grows with the text, not with the logits. The loop evaluates with this, and
so does the command `train.evaluate`.
"""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import tensorflow as tf

from data_tools.index import Index
from data_tools.reader import batches
from train.config import BatchConfig
from train.metrics import Errors, character_errors, word_errors
from train.setup import DataError, plan, reader_options
from train.step import Compiled, add_shares, count_blanks, waveform
from wav2vec2_tf.ctc import ctc_loss


@dataclass(frozen=True)
class Hypothesis:
    """What the model heard in one utterance, and how far that is from the reference."""

    id: str
    reference: str
    text: str
    words: Errors
    characters: Errors


@dataclass(frozen=True)
class Evaluation:
    """Results over one split.

    Attributes:
        split: Its name.
        hypotheses: One per utterance, in reading order.
        loss: Mean over the feasible utterances, nats per utterance.
        blank_ratio: Share of real frames on which the blank scores highest.
        infeasible: Utterances without an alignment; they count in the error rates all the same.
    """

    split: str
    hypotheses: tuple[Hypothesis, ...]
    loss: float
    blank_ratio: float
    infeasible: int

    @property
    def words(self) -> Errors:
        """Word edits over the split."""
        return sum((h.words for h in self.hypotheses), Errors())

    @property
    def characters(self) -> Errors:
        """Character edits over the split."""
        return sum((h.characters for h in self.hypotheses), Errors())

    @property
    def distinct_characters(self) -> int:
        """Different characters in all hypotheses; a few only, or none, tell of a model that has not begun to learn."""
        return len(set("".join(h.text for h in self.hypotheses)) - {" "})

    def numbers(self) -> dict[str, float]:
        """Gives the figures that are logged and saved."""
        return {
            "wer": self.words.rate,
            "cer": self.characters.rate,
            "loss": self.loss,
            "blank": self.blank_ratio,
            "utterances": len(self.hypotheses),
            "infeasible": self.infeasible,
            "distinct_characters": self.distinct_characters,
        }

    def line(self) -> str:
        """Gives one log line."""
        return (
            f"split={self.split} wer={self.words.rate:.2%} cer={self.characters.rate:.2%} loss={self.loss:.3f} "
            f"blank={self.blank_ratio:.2f} utterances={len(self.hypotheses)} words={self.words.length} "
            f"sub={self.words.substitutions} del={self.words.deletions} ins={self.words.insertions}"
        )

    def verdict(self) -> str:
        """Names the likely cause where a model says next to nothing; empty where it speaks."""
        if self.blank_ratio < 0.98 or self.words.rate < 0.95:
            return ""
        return (
            "only blanks so far: every CTC model starts with that, for some thousand updates from random weights. "
            "If it stays, try a higher or lower --optimizer.learning_rate, a longer --schedule.warmup, "
            "--batches.shortest_first_epochs 1, or check the set-up with --overfit_one_batch."
        )

    def samples(self, count: int = 3) -> str:
        """Shows some hypotheses under their references, spread evenly over the split."""
        step = max(1, len(self.hypotheses) // count)
        shown = self.hypotheses[::step][:count]
        return "\n".join(f"  {h.id}\n    reference:  {h.reference}\n    hypothesis: {h.text}" for h in shown)

    def save(self, folder: Path) -> None:
        """Writes FOLDER/eval-SPLIT.json (figures) and FOLDER/eval-SPLIT.tsv (one line per utterance).

        Args:
            folder: Made if absent.
        """
        folder.mkdir(parents=True, exist_ok=True)
        stem = folder / f"eval-{self.split}"
        stem.with_suffix(".json").write_text(json.dumps(self.numbers(), indent=2) + "\n", encoding="utf-8")
        with open(stem.with_suffix(".tsv"), "w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter="\t", lineterminator="\n")
            table.writerow(["id", "wer", "cer", "reference", "hypothesis"])
            for h in self.hypotheses:
                table.writerow([h.id, f"{h.words.rate:.4f}", f"{h.characters.rate:.4f}", h.reference, h.text])


class Evaluator:
    """Evaluates a model on one split, as often as asked, compiling once per batch shape.

    Args:
        model: Wav2Vec2ForCTC.
        processor: Its Wav2Vec2Processor; the shards' vocabulary must be its own.
        index: From `load_index`.
        split: Name of the split.
        config: Seconds of audio per batch, and twice how many shapes (a forward pass is cheap, a compilation is not).
        jit_compile: Whether XLA compiles.
        report: Takes a line of text before and after each compilation.
    """

    def __init__(self, model, processor, index: Index, split: str, config: BatchConfig, jit_compile=True, report=print):
        self.model, self.processor, self.index, self.split = model, processor, index, split
        self.buckets = plan(index, split, replace(config, max_buckets=(config.max_buckets + 1) // 2))
        self.predict = Compiled(self._predict, jit_compile, report)

    def __call__(self, progress: Callable = iter) -> Evaluation:
        """Runs over the whole split.

        Args:
            progress: Wraps the batches, such as `tqdm.tqdm`.
        Raises:
            DataError: An utterance is missing, or there twice.
        """
        heard, totals = {}, []
        for batch in progress(self._batches()):
            hypotheses, numbers = self.hear(batch)
            totals.append(numbers)
            for hypothesis in hypotheses:
                if hypothesis.id in heard:
                    raise DataError(f"{hypothesis.id} occurs twice in split {self.split!r}. Make the shards again.")
                heard[hypothesis.id] = hypothesis
        expected = len(self.index.lengths(self.split))
        if len(heard) != expected:
            raise DataError(f"split {self.split!r} gave {len(heard)} utterances, its index lists {expected}.")
        loss, feasible, infeasible, frames, blanks = tf.add_n(totals).numpy().tolist()
        return Evaluation(
            self.split, tuple(heard.values()), loss / max(feasible, 1), blanks / max(frames, 1), int(infeasible)
        )

    def hear(self, batch) -> tuple[list[Hypothesis], tf.Tensor]:
        """Decodes one batch.

        Args:
            batch: From `data_tools.reader.batches`, with `share` from `add_shares`.
        Returns:
            Hypotheses of its real rows; float32 [5]: summed loss, feasible and infeasible rows, frames, blank frames.
        """
        ids, numbers = self.predict(_call, batch)
        rows = zip(batch["weight"].numpy(), batch["id"].numpy(), batch["text"].numpy(), ids.numpy(), strict=True)
        real = [(name.decode(), text.decode(), row) for weight, name, text, row in rows if weight > 0]
        texts = self.processor.batch_decode([row for _, _, row in real]) if real else []
        return [compare(name, reference, text) for (name, reference, _), text in zip(real, texts, strict=True)], numbers

    def _batches(self):
        dataset = batches(self.index, self.split, buckets=self.buckets, **reader_options(self.processor.tokenizer))
        return dataset.map(lambda batch: add_shares(batch, self.model.config.convs)).prefetch(2)

    def _predict(self, batch):
        num_samples, blank = batch["num_samples"], self.model.config.pad_token_id
        logits = self.model(waveform(batch, self.processor.feature.do_normalize), num_samples=num_samples)
        frames = self.model.frame_lengths(num_samples)
        losses = ctc_loss(logits, frames, batch["labels"], batch["num_labels"], blank=blank)
        feasible, real = batch["share"] > 0, batch["weight"] > 0
        numbers = (
            tf.reduce_sum(tf.where(feasible, losses, 0)),
            tf.math.count_nonzero(feasible),
            tf.math.count_nonzero(real & ~feasible),
            tf.reduce_sum(frames),
            count_blanks(logits, frames, blank),
        )
        ids = tf.where(tf.sequence_mask(frames, tf.shape(logits)[1]), tf.argmax(logits, 2, tf.int32), blank)
        return ids, tf.stack([tf.cast(number, tf.float32) for number in numbers])


def compare(name: str, reference: str, text: str) -> Hypothesis:
    """Counts the edits between a reference and what was heard."""
    return Hypothesis(name, reference, text, word_errors(reference, text), character_errors(reference, text))


def _call(function, args):
    return function(*args)
