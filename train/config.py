"""What a run is told: nested frozen records, and the text that is saved with the run.

Each default stands here once. Flags and files that become a `RunConfig` are `flags`'; building a model, an optimizer or
batches from these values is left to `setup`, `optimizer` and `loop`. Needs no TensorFlow.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from data_tools.augment import AugmentConfig
from train.recipes import RECIPES
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.families import family

FROM_DATA = "vocab_size pad_token_id bos_token_id eos_token_id model_type extra"  # vocab.json, preset and files decide
IDLE = """feat_quantizer_dropout num_codevectors_per_group num_codevector_groups contrastive_logits_temperature
    num_negatives codevector_dim proj_codevector_dim diversity_loss_weight ctc_loss_reduction ctc_zero_infinity
    use_weighted_layer_sum classifier_proj_size add_adapter adapter_kernel_size adapter_stride num_adapter_layers
    output_hidden_size"""  # without effect on CTC training here
NO_FLAGS = {*FROM_DATA.split(), *IDLE.split()}
Preset = Literal[
    "base", "large", "large_lv60", "xls_r_300m", "xls_r_1b", "xls_r_2b", "hubert_base", "hubert_large", "hubert_xlarge",
    "data2vec_audio_base", "data2vec_audio_large", "wavlm_base", "wavlm_large",
]  # fmt: skip

ModelConfig = dataclasses.make_dataclass(
    "ModelConfig",
    [(item.name, item.type | None, None) for item in dataclasses.fields(Wav2Vec2Config) if item.name not in NO_FLAGS],
    frozen=True,
)
ModelConfig.__module__ = __name__
ModelConfig.__doc__ = (
    "Fields of the model's `config.json` that differ from the preset, or from `init_from`; null: as there."
)


@dataclass(frozen=True)
class BatchConfig:
    """How utterances become batches of few static shapes.

    Args:
        batch_seconds: Audio of one update over all hosts, devices and accumulated parts, padding included; each bucket
            of lengths holds as many rows as fit.
        device_seconds: Most audio that one device holds at a time, padding included; an update with more is computed in
            parts. null: a device takes its whole share at once.
        max_buckets: Length buckets, hence shapes that are compiled, in training; evaluation takes half as many.
        speeds: Playback speeds of speed perturbation, one drawn per utterance and epoch; 1.0 alone leaves it as it is.
        shortest_first_epochs: Epochs at the start whose batches go from short to long; the rest are shuffled.
    """

    batch_seconds: float = 60.0
    device_seconds: float | None = None
    max_buckets: int = 6
    speeds: tuple[float, ...] = (1.0,)
    shortest_first_epochs: int = 0


@dataclass(frozen=True)
class OptimizerConfig:
    """How gradients become steps.

    Args:
        name: `adamw`, `adam` (without weight decay), `adafactor` (factored squares, little memory), `adagrad`, `sgd`.
        learning_rate: The peak of the schedule.
        head_scale: The head's rate as a multiple of the body's.
        beta_1: Decay of the gradient's mean; `sgd`: momentum; without meaning for `adafactor` and `adagrad`.
        beta_2: Decay of the gradient's square; `adam` and `adamw` only.
        epsilon: Added to the root of the square; `adam`, `adamw` and `adagrad` only.
        weight_decay: Decoupled decay of matrices and kernels (not of biases, gains and other vectors), times the rate.
        clip_norm: Largest norm of the whole gradient; 0 turns clipping off.
        ema_momentum: Momentum of a moving average of the weights (0.999 averages about 1000 steps), with which
            evaluation and `best` then work; null: none.
    """

    name: Literal["adamw", "adam", "adafactor", "adagrad", "sgd"] = "adamw"
    learning_rate: float = 5e-4
    head_scale: float = 1.0
    beta_1: float = 0.9
    beta_2: float = 0.98
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    ema_momentum: float | None = None


@dataclass(frozen=True)
class ScheduleConfig:
    """The learning rate over the run; see `schedules`.

    Args:
        name: `tri_stage` (rise, hold, exponential fall), `linear` (rise, fall to 0), `cosine` (rise, then `cycles`
            times from the peak down along half a cosine), `step` (rise, hold, then at once the final rate) or
            `constant` (rise, hold).
        warmup: Share of the steps in which the rate rises.
        warmup_steps: The same in steps; wins over `warmup`.
        hold: Share of the steps at the peak; `tri_stage` and `step` only.
        initial_scale: Rate at step 0 as a share of the peak.
        final_scale: Rate at the end as a share of the peak; not for `linear` and `constant`.
        cycles: How often the rate starts again from the peak, counting the first time; `cosine` only.
    """

    name: Literal["tri_stage", "linear", "cosine", "step", "constant"] = "tri_stage"
    warmup: float = 0.1
    hold: float = 0.4
    initial_scale: float = 0.01
    final_scale: float = 0.05
    warmup_steps: int | None = None
    cycles: int = 1


@dataclass(frozen=True)
class GuardConfig:
    """What a run does where something goes wrong; it always says what, and the likely cause.

    Args:
        non_finite: An update whose loss or gradient is not a number makes the run `stop`, or is left out (`skip`).
        diverged: Whether a loss that stays at twice its lowest, or a model that falls silent, makes the run `stop`, or
            is only told (`warn`).
    """

    non_finite: Literal["stop", "skip"] = "stop"
    diverged: Literal["warn", "stop"] = "warn"


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Args:
        data: Folder written by `data_tools.make_tfrecords`.
        out: Folder of the run; must be empty or absent, unless `--resume` is given.
        recipe: Published way to fine-tune whose values take the place of the defaults; files and flags win over them.
        train_split: Split to learn from; several are joined with `+`.
        dev_split: Split to evaluate on, whole, at every evaluation.
        init_from: Checkpoint to fine-tune: a folder, a hub id (org/name or org/name@revision), a gs:// folder or a .pt
            file of fairseq. Its vocabulary must be that of `data`, unless it is only pretrained and gets a new head.
        preset: Architecture that `model` changes, where there is no `init_from`.
        model: Differences to the preset.
        batches: How utterances become batches.
        augment: How clips are changed in training; by default not at all.
        optimizer: How gradients become steps.
        schedule: The learning rate over the run.
        epochs: Passes over the train split; or give `steps`.
        steps: Updates; wins over `epochs`.
        eval_every: Steps between evaluations (and checkpoints); null: after every epoch.
        patience: Evaluations in a row without a lower word error rate after which the run ends; null: it goes on.
        save_every: Steps between checkpoints, besides those after evaluations; null: only those.
        keep_last: Checkpoints kept; `best` is kept besides.
        keep_best: Checkpoints kept besides the last: those of the lowest dev word error rates.
        log_every: Steps between log lines.
        trainable: What learns: `all`, `head`, or `adapters` (those of MMS, and the head).
        new_head: Whether the head of `init_from` makes way for a new one, of the shards' vocabulary.
        freeze_feature_encoder: Whether the convolutions stay as they are.
        cache: Folder on this machine that keeps shards of a bucket for later epochs; null: each epoch streams them.
        cache_gigabytes: Most that `cache` may hold.
        input_host: "host:port" of a `data_tools.input_host` that makes the training batches; null: this machine does.
        freeze_encoder_steps: Updates at the start in which only the head learns; dropout and masks stay on.
        gradient_checkpointing: Whether the backward pass computes each block anew instead of keeping its activations: a
            third more work for a fraction of the memory.
        strategy: `one` device, `mirrored` (the GPUs of this machine), `multiworker` (machines named by TF_CONFIG) or
            `tpu`.
        tpu: Name of the TPU; `local` for the one this machine is part of.
        guard: What the run does where something goes wrong.
        profile_steps: Updates to trace with TensorFlow's profiler into RUN/tensorboard, from the first log line on;
            0: none.
        seed: Every draw of the run derives from it.
        precision: float32, mixed_bfloat16 or mixed_float16 (with dynamic loss scaling).
        jit_compile: Whether XLA compiles the train and evaluation steps, once per shape.
    """

    data: Path
    out: Path
    recipe: Literal[tuple(RECIPES)] | None = None
    train_split: str = "train"
    dev_split: str = "dev"
    init_from: str | None = None
    preset: Preset = "base"
    model: ModelConfig = field(default_factory=ModelConfig)
    batches: BatchConfig = field(default_factory=BatchConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    epochs: int = 30
    steps: int | None = None
    eval_every: int | None = None
    patience: int | None = None
    save_every: int | None = None
    keep_last: int = 2
    keep_best: int = 0
    log_every: int = 20
    trainable: Literal["all", "head", "adapters"] = "all"
    new_head: bool = False
    freeze_feature_encoder: bool = False
    cache: Path | None = None
    cache_gigabytes: float = 100.0
    input_host: str | None = None
    freeze_encoder_steps: int = 0
    gradient_checkpointing: bool = False
    strategy: Literal["one", "mirrored", "multiworker", "tpu"] = "one"
    tpu: str = "local"
    guard: GuardConfig = field(default_factory=GuardConfig)
    profile_steps: int = 0
    seed: int = 0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: bool = True

    def __post_init__(self):
        for holds, message in self._rules():
            if not holds:
                raise ValueError(f"{message}. Correct the flag, or the value in the file given with --config.")

    def _rules(self):
        for name in ("epochs", "steps", "eval_every", "patience", "save_every", "keep_last", "log_every"):
            value = getattr(self, name)
            yield value is None or value >= 1, f"--{name} must be at least 1; got {value}"
        batches, schedule, optimizer = self.batches, self.schedule, self.optimizer
        yield self.cache_gigabytes > 0, f"--cache_gigabytes must be positive; got {self.cache_gigabytes}"
        yield batches.batch_seconds > 0, f"--batches.batch_seconds must be positive; got {batches.batch_seconds}"
        part = batches.device_seconds
        yield part is None or part > 0, f"--batches.device_seconds must be positive; got {part}"
        yield batches.max_buckets >= 1, f"--batches.max_buckets must be at least 1; got {batches.max_buckets}"
        yield batches.speeds and min(batches.speeds) > 0, f"--batches.speeds must be positive; got {batches.speeds}"
        yield optimizer.learning_rate > 0, f"--optimizer.learning_rate must be positive; got {optimizer.learning_rate}"
        yield optimizer.head_scale > 0, f"--optimizer.head_scale must be positive; got {optimizer.head_scale}"
        decays = optimizer.weight_decay
        yield (
            decays == 0 or (decays > 0 and optimizer.name != "adam"),
            f"--optimizer.weight_decay must not be negative, and adam has none (adamw has); got {decays}",
        )
        ema = optimizer.ema_momentum
        yield ema is None or 0 < ema < 1, f"--optimizer.ema_momentum lies between 0 and 1; got {ema}"
        yield optimizer.clip_norm >= 0, f"--optimizer.clip_norm must not be negative; got {optimizer.clip_norm}"
        yield schedule.final_scale > 0, f"--schedule.final_scale must be positive; got {schedule.final_scale}"
        yield schedule.cycles >= 1, f"--schedule.cycles must be at least 1; got {schedule.cycles}"
        rise = schedule.warmup_steps
        yield rise is None or rise >= 0, f"--schedule.warmup_steps must not be negative; got {rise}"
        yield self.keep_best >= 0, f"--keep_best must not be negative; got {self.keep_best}"
        yield self.profile_steps >= 0, f"--profile_steps must not be negative; got {self.profile_steps}"
        frozen = self.freeze_encoder_steps
        yield frozen >= 0, f"--freeze_encoder_steps must not be negative; got {frozen}"
        shares = schedule.warmup, schedule.hold
        yield min(shares) >= 0 and sum(shares) <= 1, f"--schedule.warmup and .hold are shares of the run; got {shares}"

    @property
    def model_changes(self) -> dict:
        """The fields of `model` that are set."""
        changes = {item.name: getattr(self.model, item.name) for item in dataclasses.fields(self.model)}
        return {name: value for name, value in changes.items() if value is not None}


def architecture(config: RunConfig, **facts) -> Wav2Vec2Config:
    """Resolves preset and model section to a whole `Wav2Vec2Config`.

    Args:
        config: The run, without `init_from`, which brings an architecture of its own; `model` changes `preset`.
        **facts: Values that the data decides (`vocab_size`, `pad_token_id`).
    Returns:
        The architecture to build.
    Raises:
        ValueError: The values break a rule of `Wav2Vec2Config`.
    """
    return getattr(Wav2Vec2Config, config.preset)(**config.model_changes | facts)


def underscored(argument: str) -> str:
    """Spells the name of a flag with underscores: `--eval-every=3` -> `--eval_every=3`; values stay."""
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def to_yaml(config: RunConfig, model: Wav2Vec2Config) -> str:
    """Gives the text of a config file that repeats the run.

    The model section is spelled out in full, and so wins over another `preset` given with the file.

    >>> config = RunConfig(Path("an4"), Path("run"))
    >>> print(to_yaml(config, architecture(config))[:9])
    data: an4

    Args:
        config: The run.
        model: The architecture that came of it.
    """
    model = dataclasses.asdict(model)
    silent = NO_FLAGS | family(model["model_type"]).absent
    values = dataclasses.asdict(config) | {"model": {k: v for k, v in model.items() if k not in silent}}
    return yaml.safe_dump(_plain(values), sort_keys=False)


def _plain(value):
    """Turns paths into strings and tuples into lists, at any depth."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
