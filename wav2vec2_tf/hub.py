"""Model folders: `config.json` and `model.safetensors` in the Hugging Face names, read and written.

The table of names is `convert.names`; processor files are the processor's business.
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from convert.assign import assign, named_weights
from wav2vec2_tf.config import Wav2Vec2Config
from wav2vec2_tf.files import write_text, write_whole

CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"


class _Tensors(dict):
    """Names of a safetensors file; a tensor is read when it is asked for."""

    def __init__(self, file):
        super().__init__(dict.fromkeys(file.keys()))
        self.file = file

    def __getitem__(self, name):
        return self.file.get_tensor(name)


def load(model_class, folder):
    """Loads a model from a folder.

    Args:
        model_class: Wav2Vec2ForCTC.
        folder: Holds `config.json` and `model.safetensors`.
    Returns:
        The model with the folder's weights.
    Raises:
        FileNotFoundError: The folder or one of the files is absent.
        ValueError: A file is damaged, or config and weights do not fit.
    """
    folder = Path(folder)
    for file in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"{folder} is not a model folder: it has no {file}. "
                f"Give a folder written by save_pretrained, such as RUN/best."
            )
    model = model_class(Wav2Vec2Config.from_file(folder / CONFIG_FILE))
    try:
        with safe_open(folder / WEIGHTS_FILE, framework="np") as file:
            assign(model, _Tensors(file), str(folder / WEIGHTS_FILE))
    except SafetensorError as error:
        raise ValueError(f"{folder / WEIGHTS_FILE} is damaged ({error}). Copy or write it again.") from error
    return model


def save(model, folder) -> None:
    """Writes a model's folder; each file appears whole or not at all, `config.json` last.

    Args:
        model: Wav2Vec2ForCTC.
        folder: Made if absent; files of these names are replaced.
    Raises:
        OSError: The folder cannot be written, as when the disk is full.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {theirs: name.to_theirs(weight.numpy()) for theirs, (name, weight) in named_weights(model).items()}
    write_whole(folder / WEIGHTS_FILE, lambda path: _save_tensors(tensors, path))
    write_text(folder / CONFIG_FILE, model.config.to_json())


def _save_tensors(tensors: dict, path: Path) -> None:
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:  # a full disk, too, comes as this
        raise OSError(f"{path} cannot be written ({error}). Make room, or give another folder.") from error
