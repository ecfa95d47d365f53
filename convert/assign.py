"""Tensors of a checkpoint into the weights of a model, strictly: every finding is told, none is skipped.

Where the tensors come from is the readers' business; this file only needs a mapping from name to array.
"""

from collections.abc import Mapping

import numpy as np

from convert.names import ALIASES, names_by_path, why_ignored
from wav2vec2_tf.families import FAMILIES

#: What may be absent: fine-tuned checkpoints drop the mask vector, which only training uses.
OPTIONAL = {f"{kind.prefix}.masked_spec_embed" for kind in FAMILIES.values()}


def our_path(weight) -> str:
    """Gives a weight's path below the model's own name: 'wav2vec2/...' or 'lm_head/...'."""
    return weight.path if weight.path.startswith("wav2vec2/") else weight.path.split("/", 1)[1]


def named_weights(model) -> dict:
    """Pairs the weights of a model with their names in Hugging Face checkpoints.

    Args:
        model: Wav2Vec2ForCTC.
    Returns:
        Hugging Face name -> (Name, Keras variable).
    """
    names = names_by_path(model.config)
    pairs = [(names[our_path(weight)], weight) for weight in model.weights]
    return {name.theirs: (name, weight) for name, weight in pairs}


def assign(model, tensors: Mapping[str, np.ndarray], source: str) -> None:
    """Copies every tensor into its weight, one at a time.

    Args:
        model: Wav2Vec2ForCTC.
        tensors: Hugging Face name -> array; read once per name.
        source: File named in errors.
    Raises:
        ValueError: Tensors are missing, unknown or of another shape; all of them are listed.
    """
    wanted = named_weights(model)
    found = {ALIASES.get(name, name): name for name in tensors if not why_ignored(name)}
    findings = [f"missing: {name}" for name in sorted(wanted.keys() - found.keys() - OPTIONAL)]
    findings += [f"unknown: {found[name]}" for name in sorted(found.keys() - wanted.keys())]
    for theirs in sorted(wanted.keys() & found.keys()):
        name, weight = wanted[theirs]
        tensor = name.to_ours(np.asarray(tensors[found[theirs]]))
        if tensor.shape == tuple(weight.shape):
            weight.assign(tensor)
        else:
            findings.append(f"wrong shape: {theirs} is {tensor.shape} in our layout, the config asks {weight.shape}")
    if findings:
        listed = "\n  ".join(findings)
        raise ValueError(f"{source} does not fit its config.json:\n  {listed}\nCheck that both belong together.")
