"""From the words and layouts of Keras to those of PyTorch: what the two TensorFlow dialects share."""

from collections.abc import Mapping

from convert.tensors import Tensor

# Keras           PyTorch     axes of a kernel by their number, from one to the other
WORDS = {
    "kernel":    ("weight", {2: (1, 0), 3: (2, 1, 0)}),  # (in, out), (k, in, out) -> (out, in), (out, in, k)
    "gamma":     ("weight", {}),
    "beta":      ("bias",   {}),
}  # fmt: skip


def translated(tensor: Tensor, path: str, turned: Mapping[str, tuple[int, ...]]) -> Tensor:
    """Gives a Keras weight the name and the layout of PyTorch.

    >>> kernel = Tensor("tf/lm_head/kernel:0", (768, 32), None, None, "tf_model.h5")
    >>> found = translated(kernel, "lm_head/kernel", {})
    >>> found.name, found.shape
    ('lm_head.weight', (32, 768))

    Args:
        tensor: As in the file.
        path: Its name without the name of the model and the ":0".
        turned: Axes, by the last word of the path, of weights that have no counterpart in Keras.
    """
    place, _, word = path.rpartition("/")
    name, axes = WORDS.get(word, (word, {len(tensor.shape): turned[word]} if word in turned else {}))
    order = axes.get(len(tensor.shape))
    renamed = tensor.renamed(f"{place}/{name}".strip("/").replace("/", "."))
    return renamed.transposed(order) if order and len(order) == len(tensor.shape) else renamed
