"""What a model makes of a whole split: hypotheses by utterance id, error rates, loss, blank ratio.

Arg-max runs on the device, so that memory grows with the text, not with the logits. Every host hears its own part of
the split, and all of them get the whole result. The loop evaluates with this, and so does the command `train.evaluate`.
"""

import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from data_tools.index import Index
from data_tools.reader import batches
from train.config import BatchConfig
from train.layout import host_share, split
from train.metrics import Errors, character_errors, word_errors
from train.setup import DataError, plan, reader_options
from train.step import Compiled, count_heard, countable, waveform
from train.strategy import Cluster
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
        cluster: The devices, in the scope of whose strategy the model was made; None: one.
    """

    def __init__(
        self, model, processor, index: Index, split: str, config: BatchConfig, jit_compile=True, report=print,
        cluster: Cluster | None = None,
    ):  # fmt: skip
        self.model, self.processor, self.index, self.split = model, processor, index, split
        self.cluster = cluster or Cluster()
        self.buckets = host_share(plan(index, split, self._sizes(config)), self.cluster.num_hosts)
        compiled = jit_compile and self.cluster.kind != "TPU"  # there everything is, without asking
        self.replica = tf.function(self._hear, jit_compile=compiled or None, autograph=False)
        self.predict = Compiled(self._predict, self.cluster, report)

    def _sizes(self, config: BatchConfig) -> BatchConfig:
        most = self.cluster.replicas * (config.device_seconds or config.batch_seconds)
        seconds = min(config.batch_seconds, most)
        return replace(config, batch_seconds=seconds, max_buckets=(config.max_buckets + 1) // 2)

    def __call__(self, progress: Callable = iter) -> Evaluation:
        """Runs over the whole split, once whatever the number of devices; all hosts must call it.

        Args:
            progress: Wraps the batches, such as `tqdm.tqdm`.
        Raises:
            DataError: An utterance is missing, or there twice.
        """
        texts, totals = [], np.zeros(5)
        for batch in progress(self._batches()):
            heard, numbers = self.hear(batch)
            texts, totals = texts + heard, totals + numbers
        shares = [json.loads(share) for share in self.cluster.gather(json.dumps([texts, totals.tolist()]))]
        hypotheses = self._whole([compare(*text) for texts, _ in shares for text in texts])
        loss, feasible, infeasible, frames, blanks = np.sum([totals for _, totals in shares], axis=0).tolist()
        return Evaluation(self.split, hypotheses, loss / max(feasible, 1), blanks / max(frames, 1), int(infeasible))

    def _whole(self, hypotheses: list[Hypothesis]) -> tuple[Hypothesis, ...]:
        """Checks that every utterance was heard, and once."""
        twice = [name for name, count in Counter(h.id for h in hypotheses).items() if count > 1]
        if twice:
            raise DataError(f"{twice[0]} occurs twice in split {self.split!r}. Make the shards again.")
        expected = len(self.index.lengths(self.split))
        if len(hypotheses) != expected:
            raise DataError(f"split {self.split!r} gave {len(hypotheses)} utterances, its index lists {expected}.")
        return tuple(hypotheses)

    def hear(self, batch) -> tuple[list[tuple[str, str, str]], np.ndarray]:
        """Decodes one batch of this host.

        Args:
            batch: From `data_tools.reader.batches`.
        Returns:
            Id, reference and text of its real rows; [5]: summed loss, feasible and infeasible rows, frames, blanks.
        """
        return self._read(batch, *self.predict(split(batch, self.cluster.local_replicas)))

    def _read(self, batch, ids, numbers):
        ids = ids[: len(batch["id"])]
        rows = zip(batch["weight"].numpy(), batch["id"].numpy(), batch["text"].numpy(), ids.numpy(), strict=True)
        real = [(name.decode(), text.decode(), row) for weight, name, text, row in rows if weight > 0]
        texts = self.processor.batch_decode([row for _, _, row in real]) if real else []
        return [(*row[:2], text) for row, text in zip(real, texts, strict=True)], numbers.numpy()

    def _batches(self):
        hosts = dict(num_hosts=self.cluster.num_hosts, host=self.cluster.host)
        options = reader_options(self.processor.tokenizer) | hosts
        return batches(self.index, self.split, buckets=self.buckets, **options).prefetch(2)

    def _predict(self, blocks):
        ids, numbers = map(
            self.cluster.strategy.experimental_local_results, self.cluster.strategy.run(self.replica, (blocks,))
        )
        return tf.concat(ids, axis=0), tf.add_n(numbers)

    def _hear(self, block):
        batch = {name: value[0] for name, value in block.items()}  # one part
        num_samples, blank = batch["num_samples"], self.model.config.pad_token_id
        logits = self.model(waveform(batch, self.processor.feature.do_normalize), num_samples=num_samples)
        frames = self.model.frame_lengths(num_samples)
        losses = ctc_loss(logits, frames, batch["labels"], batch["num_labels"], blank=blank)
        feasible, real = countable(batch, frames) > 0, batch["weight"] > 0
        numbers = (
            tf.reduce_sum(tf.where(feasible, losses, 0)),
            tf.math.count_nonzero(feasible),
            tf.math.count_nonzero(real & ~feasible),
            tf.reduce_sum(frames),
            count_heard(logits, frames)[blank],
        )
        ids = tf.where(tf.sequence_mask(frames, tf.shape(logits)[1]), tf.argmax(logits, 2, tf.int32), blank)
        return ids, tf.stack([tf.cast(number, tf.float32) for number in numbers])


def compare(name: str, reference: str, text: str) -> Hypothesis:
    """Counts the edits between a reference and what was heard."""
    return Hypothesis(name, reference, text, word_errors(reference, text), character_errors(reference, text))
