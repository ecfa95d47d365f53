"""pytorch_model.bin and fairseq's .pt, without torch: both forms of `torch.save`, and the state_dict inside.

Where the bytes lie, `torch_zip` and `torch_legacy` know; what a pickle may name, `torch_types`.
"""

from pathlib import Path
from typing import Any

from convert.readers.errors import CheckpointFileError, not_a
from convert.readers.mapped import MappedFile
from convert.readers.pickle_objects import PickleError
from convert.readers.torch_legacy import read_legacy
from convert.readers.torch_types import name_of
from convert.readers.torch_zip import read_zip
from convert.tensors import Tensor

# first bytes     form
FORMS = {
    b"PK\x03\x04": read_zip,
    b"\x80\x02":   read_legacy,
}  # fmt: skip


def read_pickle(path: Path) -> Any:
    """Reads the whole tree of objects in a file of `torch.save`, running nothing that it names.

    The tree is a stranger's: it may be deep, and may hold one part very often. Look up what is wanted; neither print
    nor walk all of it.

    Args:
        path: A .bin or .pt file.
    Returns:
        dicts, lists, numbers and texts as they are; tensors as `Tensor` without a name; other objects as `Record`,
        classes and types that are only named as `Global`.
    Raises:
        CheckpointFileError: It is no such file, is damaged, or names anything but tensors and settings.
    """
    file = MappedFile.of(path)
    with path.open("rb") as stream:
        head = stream.read(4)
    for sign, read in FORMS.items():
        if head.startswith(sign):
            try:
                return read(file)
            except PickleError as error:
                raise CheckpointFileError(f"{path} cannot be read as a checkpoint of PyTorch: {error}.") from error
    raise not_a("a checkpoint of PyTorch", path)


def open_torch(path: Path) -> tuple[Tensor, ...]:
    """Lists the tensors of a state_dict, or of the one that a checkpoint holds as "model" or "state_dict".

    Args:
        path: A .bin or .pt file.
    Returns:
        Its tensors in the order of the dict, not yet read.
    Raises:
        CheckpointFileError: As `read_pickle`; or there is no state_dict in it.
    """
    tree = read_pickle(path)
    inside = [tree, tree.get("model"), tree.get("state_dict")] if isinstance(tree, dict) else []
    for found in inside:
        if isinstance(found, dict) and _is_state(found):
            return tuple(tensor.renamed(name) for name, tensor in found.items())
    raise CheckpointFileError(
        f"{path} holds no state_dict, neither alone nor as 'model' or 'state_dict', but {_described(tree)}. "
        "Save the model's state_dict() instead."
    )


def _is_state(found: dict) -> bool:
    pairs = found.items()
    return bool(found) and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in pairs)


def _described(tree: Any) -> str:
    """Says what a tree is in one line, whatever is in it."""
    if not isinstance(tree, dict):
        return f"a {name_of(tree)}"
    held = [f"{key[:40]!r}: {name_of(value)}" for key, value in tree.items() if isinstance(key, str)]
    return f"a dict ({', '.join(held[:8]) or 'without names'}{', ...' if len(held) > 8 else ''})"
