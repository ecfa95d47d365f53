"""Checkpoints of other programs as checkpoints of Hugging Face: names, layouts, configs, vocabularies.

The files were opened by `readers`; whether every tensor fits the model is told by `assign`, so that a name unknown here
is passed on as it is.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convert.dialects import fairseq, port, transformers_tf
from convert.tensors import Checkpoint, Tensor

DIALECTS = (fairseq, port, transformers_tf)


def translate(
    source: str, files: Sequence[Path], tensors: Sequence[Tensor], config: Mapping[str, Any] | None = None
) -> Checkpoint:
    """Recognises who wrote a checkpoint by the names of its tensors, and gives it in the names of Hugging Face.

    >>> head = Tensor("tf_wav2_vec2_for_ctc/lm_head/bias:0", (32,), None, None, "tf_model.h5")
    >>> checkpoint = translate("org/name", [Path("tf_model.h5")], [head])
    >>> checkpoint.format, checkpoint.tensors[0].name
    ('transformers-tf', 'lm_head.bias')

    Args:
        source: What messages call the checkpoint.
        files: Its weight files, as `readers.open_tensors` took them.
        tensors: What that gave.
        config: Content of the config.json beside them; None where there is none.
    Returns:
        The checkpoint; its `config` is the one given, translated where it is the earlier TF port's, or the one that a
        fairseq checkpoint holds.
    Raises:
        DialectError: The checkpoint is of a known program, but of a model that is not supported.
    """
    files = [Path(file) for file in files]
    for dialect in DIALECTS:
        if dialect.recognises(tensors, config):
            return dialect.translate(source, files, tensors, config)
    kind = "safetensors" if any(file.suffix == ".safetensors" for file in files) else "pytorch"
    return Checkpoint(source, kind, tuple(tensors), config)
