"""The order of things in a run: updates, log lines, evaluations, checkpoints.

An update is `step`'s, numbers are `metrics`', folders `checkpoints`' and `run_folder`'s. The loop knows epochs: each
is a fresh dataset whose order is a pure function of (seed, epoch), so (epoch, batch, step) says where a run stands.
"""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from tqdm import tqdm

from data_tools.cache import ShardCache
from data_tools.index import load_index
from data_tools.place import Place
from data_tools.reader import batches, plan_epoch
from train.checkpoints import CheckpointError, State, load_checkpoint, reading
from train.config import RunConfig, to_yaml
from train.evaluator import Evaluation, Evaluator
from train.layout import device_samples, host_share, split
from train.metrics import clock
from train.monitor import Monitor
from train.optimizer import averaged_weights, build_optimizer
from train.preemption import Preempted, Preemption
from train.recipes import RECIPES
from train.run_folder import Start, begin, prepare, save_config
from train.saver import Saver
from train.schedules import crowded, learning_rate
from train.setup import build_model, check_feasible, load_processor, order_digest, plan, reader_options
from train.step import TrainStep
from train.strategy import Cluster
from wav2vec2_tf.lengths import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
        steps: Updates done.
        best_wer: Lowest dev word error rate, that of RUN/best.
        last: The last evaluation.
    """

    steps: int
    best_wer: float
    last: Evaluation


def train(
    config: RunConfig,
    resume: bool = False,
    cluster: Cluster | None = None,
    report: Callable[[str], None] = tqdm.write,
) -> Result:
    """Trains to the end, or from the last checkpoint to the end.

    Args:
        config: The run.
        resume: Continue in `config.out`.
        cluster: From `make_cluster`; None takes one device.
        report: Takes log lines; on hosts other than the chief there are none.
    Returns:
        How it ended; RUN/best is a loadable model.
    Raises:
        FileExistsError, FileNotFoundError, ValueError: Shards, config and folder do not fit together.
        CheckpointError: The disk is full, or the checkpoint belongs to another run.
        DivergedError: The loss became NaN or infinite, or as `GuardConfig` says.
        Preempted: SIGTERM came; where the run stands is saved.
    """
    cluster = cluster or Cluster()
    with Preemption() as preemption:
        start = begin(config, resume)
        loop = Loop(start, cluster, report if cluster.is_chief else _silent, preemption)
        loop.start()
        return loop.run()


def _silent(line: str) -> None:
    """Takes the log lines of a host that is not the chief."""


class Loop:
    """One run in progress; see `train`."""

    def __init__(self, begun: Start, cluster: Cluster, report, preemption: Preemption):
        config = begun.config
        self.begun, self.config, self.cluster, self.report, self.preemption = begun, config, cluster, report, preemption
        self.index = load_index(config.data)
        self.cache = ShardCache(config.cache, config.cache_gigabytes) if config.cache else None
        self.processor = load_processor(begun.source)
        self.buckets = host_share(plan(self.index, config.train_split, config.batches), cluster.num_hosts)
        self.device_samples = device_samples(self.buckets, config.batches.device_seconds)
        with cluster.strategy.scope():
            with reading(begun.folder):
                self.model = build_model(begun.source, self.processor.tokenizer)
            check_feasible(self.index, config.train_split, self.model.config.convs, self.processor.tokenizer)
            variables = self.model.trainable_variables
            self.optimizer = build_optimizer(config.optimizer, variables, config.precision)
        self.step = TrainStep(
            self.model,
            self.optimizer,
            cluster,
            do_normalize=self.processor.feature.do_normalize,
            clip_norm=config.optimizer.clip_norm,
            seed=config.seed,
            jit_compile=config.jit_compile,
            report=report,
            freeze_steps=config.freeze_encoder_steps,
            skip=config.guard.non_finite == "skip",
        )
        self.evaluator = Evaluator(
            self.model, self.processor, self.index, config.dev_split, config.batches, config.jit_compile, report,
            cluster, self.cache,
        )  # fmt: skip
        self.num_steps = config.steps or sum(map(self._epoch_batches, range(config.epochs)))
        self.state = State(order=order_digest(config, self.index, cluster.num_hosts), hosts=cluster.num_hosts)
        self.last = None

    def start(self) -> None:
        """Puts the checkpoint in place, if there is one, makes the run's folder, and says what is about to happen.

        Raises:
            CheckpointError: The checkpoint belongs to other data, or hosts found different ones.
            OSError: The folder cannot be written.
        """
        self._restore()
        if self.cluster.is_chief:
            prepare(Place.of(self.config.out))
            save_config(self.config, self.model.config)
        self.saver = Saver(self.config, self.state, self.cluster.is_chief)
        for line in (*self.begun.notes, *(RECIPES[self.config.recipe].lines() if self.config.recipe else ())):
            self.report(line)
        if note := crowded(self.config.schedule, self.num_steps):
            self.report(note)
        hours = self.index.lengths(self.config.train_split).sum() / SAMPLE_RATE_HZ / 3600
        self.report(
            f"split={self.config.train_split} hours={hours:.2f} steps={self.num_steps} "
            f"parameters={self.model.count_params():,} vocabulary={self.model.config.vocab_size} "
            f"shapes={len(self.buckets.edges)}+{len(self.evaluator.buckets.edges)}"
        )

    def _restore(self) -> None:
        if self.begun.folder is not None:
            state = load_checkpoint(self.begun.folder, self.optimizer)
            if state.hosts != self.state.hosts:
                raise CheckpointError(
                    f"{self.begun.checkpoint.name} was saved by {state.hosts} host(s); here are {self.state.hosts}, "
                    f"and they deal out the data otherwise, so its place there means nothing. Resume with "
                    f"{state.hosts}, of as many devices as you like, or begin a run with --init_from that folder."
                )
            if state.order != self.state.order:
                raise CheckpointError(
                    f"{self.begun.checkpoint.name} saw other shards or another --augment than there are now, so its "
                    f"place in the data means nothing. Resume with the same ones."
                )
            self.state = state
            self.report(f"resuming after step {state.step} of {self.num_steps} (epoch {state.epoch})")
        self._check_agreement()

    def _check_agreement(self) -> None:
        """Sees that all hosts are about to do the same: else they would wait for each other for ever."""
        config = replace(self.config, cache=None, input_host=None)  # these may differ
        settings = hashlib.sha256(to_yaml(config, self.model.config).encode()).hexdigest()[:16]
        mine = {"checkpoint of step": self.state.step, "order of data": self.state.order, "settings": settings}
        all_hosts = [json.loads(text) for text in self.cluster.gather(json.dumps(mine))]
        for what in mine:
            if len({str(host[what]) for host in all_hosts}) > 1:
                found = ", ".join(f"host {i}: {host[what]}" for i, host in enumerate(all_hosts))
                raise CheckpointError(
                    f"the hosts differ in their {what} ({found}). Give all of them the same flags, the same shards, "
                    f"and one --out {self.config.out}, on a shared disk or in a bucket."
                )

    def run(self) -> Result:
        """Works until the last step; returns how it ended."""
        self.monitor = Monitor(self.config, self.saver.logs, self.step, self.report)
        self.bar = tqdm(total=self.num_steps, initial=self.state.step, unit="step", disable=None, smoothing=0.05)
        try:
            if self.state.step and self._evaluation_due() and (self._is_over() or self.state.wer is None):
                self._save(evaluate=True)  # resumed after its last step, or after an evaluation was interrupted
            while not self._is_over():
                self._epoch()
            if self.state.step < self.num_steps:
                self.report(
                    f"stopped early, after step {self.state.step} of {self.num_steps}: no evaluation of the last "
                    f"{self.state.stale} (--patience {self.config.patience}) came below {self.state.best_wer:.2%}"
                )
        finally:
            with contextlib.ExitStack() as ending:  # all of them, whatever one of them raises
                for close in (self.saver.close, self.monitor.close, self.bar.close):
                    ending.callback(close)
        self.saver.wait()  # for its errors
        return Result(self.state.step, self.state.best_wer, self.last)

    def _plan_options(self, epoch: int) -> dict:
        settings = self.config.batches
        return dict(
            seed=self.config.seed,
            epoch=epoch,
            speeds=settings.speeds,
            shortest_first=epoch < settings.shortest_first_epochs,
            num_hosts=self.cluster.num_hosts,
            host=self.cluster.host,
        )

    def _epoch_batches(self, epoch: int) -> int:
        split = self.config.train_split
        return plan_epoch(self.index, split, self.buckets, **self._plan_options(epoch)).num_batches

    def _epoch(self) -> None:
        """Goes through one epoch from where the state stands, and moves the state to the next."""
        epoch = self.state.epoch
        size = self._epoch_batches(epoch)
        options = (
            self._plan_options(epoch)
            | reader_options(self.processor.tokenizer)
            | dict(augment=self.config.augment, skip=self.state.batch, cache=self.cache, service=self.config.input_host)
        )
        dataset = batches(self.index, self.config.train_split, buckets=self.buckets, **options)
        for blocks, ids in self.monitor.timed(dataset.map(self._split).prefetch(2)):
            self._update(blocks, ids)
            ends = self.state.batch == size
            if ends:
                self.state = replace(self.state, epoch=epoch + 1, batch=0)
            self._after_update(self.state.epoch + self.state.batch / size)
            if self._is_over():
                return
        if self.state.epoch == epoch:
            raise CheckpointError(f"epoch {epoch} gave {self.state.batch} batches, its plan has {size}.")

    def _split(self, batch):
        return split(batch, self.cluster.local_replicas, self.device_samples), batch["id"]

    def _update(self, blocks, ids) -> None:
        rate = self._rate(self.state.step)
        self.monitor.add(self.step(blocks, self.state.step, rate), ids)
        self.state = replace(self.state, step=self.state.step + 1, batch=self.state.batch + 1, wer=None)
        self.bar.update()

    def _rate(self, step: int) -> float:
        return learning_rate(step, self.num_steps, self.config.optimizer.learning_rate, self.config.schedule)

    def _after_update(self, epoch: float) -> None:
        """Logs, evaluates and saves where it is time to."""
        step, every = self.state.step, self.config.save_every
        evaluate = self._evaluation_due()
        log = evaluate or step % self.config.log_every == 0 or step == 1
        stop = self._asked_to_stop(log)
        save = evaluate or stop or (every is not None and step % every == 0)
        if log or save:  # what is saved is known to be finite
            self.monitor.line(step=step, rate_of=self._rate, epoch=epoch, steps_left=self.num_steps - step)
        if save:
            self._save(evaluate and not stop, stop)
        self.saver.check()

    def _evaluation_due(self) -> bool:
        step, every = self.state.step, self.config.eval_every
        return self._is_over() or (step % every == 0 if every else self.state.batch == 0)

    def _is_over(self) -> bool:
        patience = self.config.patience
        return self.state.step >= self.num_steps or (patience is not None and self.state.stale >= patience)

    def _asked_to_stop(self, log: bool) -> bool:
        """Says whether this host was asked; several agree at log lines, where they wait for each other anyway."""
        if self.cluster.num_hosts == 1:
            return self.preemption.asked
        return log and any(self.cluster.gather("stop" if self.preemption.asked else ""))

    def _save(self, evaluate: bool, stop: bool = False) -> None:
        """Evaluates, if that is due, and has a checkpoint written while training goes on.

        Raises:
            Preempted: The run is asked to stop, and be it amid the evaluation; the checkpoint is written.
        """
        try:
            if evaluate:
                self.last = self._evaluate()
                stop = self._asked_to_stop(True)  # several hosts hear of it here, not amid the evaluation
        except Preempted:
            stop = True
        self.saver.checkpoint(self.model, self.processor, self.optimizer, self.state)
        if stop:
            self.saver.wait()
            raise Preempted(f"SIGTERM: step {self.state.step} of {self.num_steps} is saved; go on with --resume")
        self.monitor.restart_clock()

    def _evaluate(self) -> Evaluation:
        start = time.monotonic()
        with averaged_weights(self.optimizer, self.model.trainable_variables):
            evaluation = self.evaluator(self.preemption.watch if self.cluster.num_hosts == 1 else iter)
            wer = evaluation.words.rate
            before = math.inf if self.state.best_wer is None else self.state.best_wer
            best, stale = wer <= before, self.state.stale
            if self.state.wer is None:  # else this very step was evaluated before it was resumed
                stale = 0 if wer < before else stale + 1
            self.state = replace(self.state, wer=wer, best_wer=min(wer, before), stale=stale)
            if best:
                self.saver.take_best(self.model, self.processor, evaluation)
        self.report(evaluation.samples())
        marks = f" time={clock(time.monotonic() - start)}" + (" best" if best else "")
        self.report(f"step={self.state.step} {evaluation.line()}{marks}")
        if evaluation.verdict():
            self.report(evaluation.verdict())
        self.monitor.evaluation(self.state.step, evaluation.numbers(), evaluation.samples())
        return evaluation
