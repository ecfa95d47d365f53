"""From a model and a whole split to an `Evaluation`.

Arg-max runs on the device, so that memory grows with the text, not with the logits; with a decoder, the logits of one
batch at a time are fetched. Every host hears its own part of the split, and all of them get the whole result. The loop
evaluates with this, and so does the command `train.evaluate`.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tensorflow as tf

from data_tools.cache import ShardCache
from data_tools.index import Index
from data_tools.reader import batches
from train.config import BatchConfig
from train.evaluation import Evaluation, Hypothesis, compare
from train.layout import host_share, split
from train.setup import DataError, plan, reader_options
from train.step import Compiled, count_heard, countable, waveform
from train.strategy import Cluster
from wav2vec2_tf.ctc import ctc_loss
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ, hop_samples
from wav2vec2_tf.model_ctc import best_labels


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
        cache: Keeps shards of a bucket, as for `data_tools.reader.batches`.
        decoder: Finds the text, such as `wav2vec2_tf.decoding.beam.BeamDecoder`; None: the best label of each frame.
    """

    def __init__(
        self, model, processor, index: Index, split: str, config: BatchConfig, jit_compile=True, report=print,
        cluster: Cluster | None = None, cache: ShardCache | None = None, decoder=None,
    ):  # fmt: skip
        self.model, self.processor, self.index, self.split = model, processor, index, split
        self.cluster, self.cache, self.decoder = cluster or Cluster(), cache, decoder
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

    def hear(self, batch) -> tuple[list[tuple], np.ndarray]:
        """Decodes one batch of this host.

        Args:
            batch: From `data_tools.reader.batches`.
        Returns:
            What `compare` takes, for each of its real rows; [5]: summed loss, feasible and infeasible rows, frames,
            blanks.
        """
        return self._read(batch, *self.predict(split(batch, self.cluster.local_replicas)))

    def _read(self, batch, heard, numbers):
        real = np.flatnonzero(batch["weight"].numpy() > 0)
        names, references, speakers = (
            [batch[key].numpy()[i].decode() for i in real] for key in ("id", "text", "speaker")
        )
        num_samples = batch["num_samples"].numpy()[real]
        texts = self._texts(heard.numpy()[real], num_samples) if len(real) else []
        seconds = (num_samples / SAMPLE_RATE_HZ).tolist()
        return list(zip(names, references, texts, speakers, seconds, strict=True)), numbers.numpy()

    def _texts(self, heard: np.ndarray, num_samples: np.ndarray) -> list[str]:
        """Decodes what `_hear` gives of some recordings."""
        if self.decoder is None:
            return self.processor.batch_decode(list(heard))
        seconds_per_frame = hop_samples(self.model.config.convs) / SAMPLE_RATE_HZ
        frames = self.model.frame_lengths(num_samples)
        return [
            self.decoder.decode(row[:count], seconds_per_frame).text for row, count in zip(heard, frames, strict=True)
        ]

    def _batches(self):
        hosts = dict(num_hosts=self.cluster.num_hosts, host=self.cluster.host)
        options = reader_options(self.processor.tokenizer) | hosts | dict(cache=self.cache)
        return batches(self.index, self.split, buckets=self.buckets, **options).prefetch(2)

    def _predict(self, blocks):
        heard, numbers = map(
            self.cluster.strategy.experimental_local_results, self.cluster.strategy.run(self.replica, (blocks,))
        )
        return tf.concat(heard, axis=0), tf.add_n(numbers)

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
        if self.decoder is None:
            heard = best_labels(logits, frames, blank).ids
        else:
            heard = tf.nn.log_softmax(tf.cast(logits, tf.float32))
        return heard, tf.stack([tf.cast(number, tf.float32) for number in numbers])
