"""RUN/: what a run leaves behind, and the rules for starting in a folder that is not empty.

config.yaml          the resolved config
best/                the model with the lowest dev WER: weights, processor files, eval-SPLIT.json and .tsv
checkpoints/         step-00001200/ ...
metrics.jsonl        one JSON object per log line and evaluation
tensorboard/         the same for TensorBoard

RUN may be in a bucket, where a file cannot grow: logs are then written to a temporary folder here, and uploaded with
every checkpoint.
"""

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from data_tools import gcs
from data_tools.place import Place
from train.changes import same_run
from train.checkpoints import FOLDER, STATE_FILE, Memory, State, weights_bytes, whole_checkpoints
from train.config import RunConfig, to_yaml
from train.evaluator import Evaluation
from train.folders import recover, tidy, write_folder
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.files import write_text
from wav2vec2_tf.hub import CONFIG_FILE as MODEL_FILE
from wav2vec2_tf.hub import prepare_save
from wav2vec2_tf.remote import Fetched, fetch

BEST, CONFIG_FILE, METRICS_FILE = "best", "config.yaml", "metrics.jsonl"


@dataclass(frozen=True)
class Start:
    """What a run begins with, or goes on with.

    Attributes:
        config: The run; what it took its model from when it began is still named there.
        checkpoint: The files of the last whole checkpoint, on this machine; None at step 0.
        notes: Lines to tell.
    """

    config: RunConfig
    checkpoint: Fetched | None = None
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path | None:
        """Where the checkpoint's files are."""
        return self.checkpoint and self.checkpoint.folder

    @property
    def source(self) -> RunConfig:
        """The run as if it was to fine-tune its own checkpoint: so model and processor are made from that."""
        return replace(self.config, init_from=str(self.folder), new_head=False) if self.checkpoint else self.config


def begin(config: RunConfig, resume: bool) -> Start:
    """Finds what there is to resume, or sees that a new run's folder is empty. Nothing is written yet.

    Args:
        config: The run.
        resume: Whether to continue.
    Returns:
        What to begin with. A run that ended before its first checkpoint begins again.
    Raises:
        FileExistsError: The folder already holds something and `resume` is off.
        FileNotFoundError: `resume` is on, and no run was begun there.
        ChangedError: The run was begun with settings that cannot change.
    """
    run = Place.of(config.out)
    if not resume:
        _check_empty(run)
        return Start(config)
    found, begun = whole_checkpoints(run), run.exists(CONFIG_FILE)
    if not found and not begun:
        raise FileNotFoundError(
            f"--resume: {run} holds no whole checkpoint to go on from, and no {CONFIG_FILE}: no run was begun there. "
            f"Correct --out, or begin the run without --resume."
        )
    config, notes = same_run(run.read_text(CONFIG_FILE), config) if begun else (config, [])
    if not found:
        return Start(config, None, (f"{run} holds no checkpoint yet: the run begins again", *notes))
    return Start(config, fetch(str(found[-1]), sorted), tuple(notes))


def _check_empty(run: Place) -> None:
    path = Path(str(run))
    if gcs.files_below(str(run)) if run.is_bucket else path.is_file() or (path.exists() and any(path.iterdir())):
        raise FileExistsError(
            f"--out {run} is not empty. Give another folder, continue the run in it with --resume, or remove it."
        )


def prepare(run: Place) -> None:
    """Makes a run's folder, tries out writing there, and clears away what an interruption left.

    Raises:
        OSError: It cannot be written.
    """
    run.check_writable()
    recover(Place(run / BEST))
    tidy(Place(run / FOLDER), STATE_FILE)


def save_config(config: RunConfig, model: Wav2Vec2Config) -> None:
    """Writes RUN/config.yaml, with the model's own architecture; a resumed run may have been given more steps, say."""
    Place.of(config.out).write_text(CONFIG_FILE, to_yaml(config, model))


def prepare_best(run: Place, model, processor, evaluation: Evaluation, memory: Memory) -> Callable[[], None]:
    """Takes the model's values, into memory that is its own until it is called, and gives the function that puts them
    into RUN/best as a whole.

    Returns:
        A function that raises CheckpointError where the disk is full or cannot be written.
    """
    write_model, num_bytes = prepare_save(model, memory.copy), weights_bytes(model.weights)

    def fill(local: Path) -> None:
        processor.save_pretrained(local)
        evaluation.save(local)
        write_model(local)

    return lambda: write_folder(Place(run / BEST), MODEL_FILE, fill, num_bytes)


class Logs:
    """The folder on this machine where a run's logs are written.

    Args:
        run: The run's folder.
        state: Where the run stands: what it told beyond, before it was interrupted, it will tell again.
        is_chief: Whether this process writes the run's folder; what others log is dropped.

    Attributes:
        folder: The run's own; a temporary one where that is in a bucket, or not to be written.
    """

    def __init__(self, run: Place, state: State, is_chief: bool = True):
        self.run, self.folder, self.uploads = run, Path(str(run)), run.is_bucket and is_chief
        if run.is_bucket or not is_chief:
            self.folder = Path(tempfile.mkdtemp(prefix="wav2vec2_tf-"))
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        if is_chief and run.exists(METRICS_FILE):
            write_text(self.folder / METRICS_FILE, told_by(run.read_text(METRICS_FILE), state))

    def upload(self) -> None:
        """Copies the logs to where the run is; raises OSError where that fails."""
        if not self.uploads:
            return
        with tempfile.TemporaryDirectory(prefix="wav2vec2_tf-") as calm:
            shutil.copytree(self.folder, calm, dirs_exist_ok=True)  # the logs grow meanwhile
            for path in sorted(Path(calm).rglob("*")):
                if path.is_file():
                    gcs.upload(path, self.run / path.relative_to(calm).as_posix())


def told_by(metrics: str, state: State) -> str:
    """Gives the lines of metrics.jsonl that a run had told when it stood at a state.

    >>> told_by('{"kind": "train", "step": 1}\\n{"kind": "train", "step": 2}\\n{"ki', State(step=1))
    '{"kind": "train", "step": 1}\\n'
    """
    told = []
    for line in metrics.splitlines(keepends=True):
        if not line.endswith("\n"):  # cut off by the interruption
            break
        record = json.loads(line)
        repeated = record["kind"] == "dev" and record["step"] == state.step and state.wer is None
        if record["step"] <= state.step and not repeated:
            told.append(line)
    return "".join(told)
