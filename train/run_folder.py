"""RUN/: what a run leaves behind, and the rules for starting in a folder that is not empty.

config.yaml          the resolved config
best/                the model with the lowest dev WER: weights, processor files, eval-SPLIT.json and .tsv
checkpoints/         step-00001200/ ...
metrics.jsonl        one JSON object per log line and evaluation
tensorboard/         the same for TensorBoard
"""

from pathlib import Path

from train.checkpoints import recover, weights_bytes, whole_checkpoints, write_folder
from train.config import RunConfig, to_yaml
from train.evaluator import Evaluation
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.files import write_text

BEST, CONFIG_FILE = "best", "config.yaml"


def begin(config: RunConfig, resume: bool) -> Path | None:
    """Makes the run's folder, or checks that there is something in it to resume.

    Args:
        config: The run.
        resume: Whether to continue.
    Returns:
        The checkpoint to continue from; None for a new run.
    Raises:
        FileExistsError: The folder already holds something and `resume` is off.
        FileNotFoundError: There is no whole checkpoint to resume from.
    """
    run = config.out
    if not resume:
        if run.exists() and (not run.is_dir() or any(run.iterdir())):
            raise FileExistsError(
                f"--out {run} is not empty. Give another folder, continue the run in it with --resume, or remove it."
            )
        run.mkdir(parents=True, exist_ok=True)
        return None
    recover(run / BEST)
    found = whole_checkpoints(run)
    if not found:
        raise FileNotFoundError(
            f"--resume: {run} holds no whole checkpoint to go on from. "
            "Remove that folder and start the run again without --resume."
        )
    return found[-1]


def save_config(config: RunConfig, model: Wav2Vec2Config) -> None:
    """Writes RUN/config.yaml, with the model's own architecture; a resumed run may have been given more steps, say."""
    write_text(config.out / CONFIG_FILE, to_yaml(config, model))


def save_best(run: Path, model, processor, evaluation: Evaluation) -> None:
    """Replaces RUN/best as a whole.

    Raises:
        CheckpointError: The disk is full; the folder of before is still there.
    """

    def write(folder: Path):
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        evaluation.save(folder)

    write_folder(run / BEST, write, weights_bytes(model.weights))
