"""What a conversion did, tensor by tensor: for the eye, and as JSON beside what was written."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Converted:
    """One tensor that was written.

    Args:
        name: In the Hugging Face names, as written.
        source_name: As the source calls it, once its dialect is translated.
        dtype: As stored in the source; written is float32.
        shape: As written.
        sha256: Of the numbers as written: float32, little endian, rows first.
    """

    name: str
    source_name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Report:
    """What a conversion did.

    Args:
        source: Where the checkpoint came from.
        format: How it was written there.
        architecture: The class that transformers would load, such as "Wav2Vec2ForCTC".
        tensors: What was written; empty where there are findings.
        ignored: (name, reason) of what a rule left out.
        fresh: Weights of the model that the checkpoint does not have: they start at random.
        findings: What does not fit; the conversion failed if there is any.
        notes: Other things worth knowing.
    """

    source: str
    format: str
    architecture: str
    tensors: tuple[Converted, ...] = ()
    ignored: tuple[tuple[str, str], ...] = ()
    fresh: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        """Gives the content of conversion.json."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.source}: {self.format}, {self.architecture}"]
        lines += [f"  {t.name}  {t.dtype} {list(t.shape)}  {t.sha256[:16]}" for t in self.tensors]
        lines += [f"  {len(self.tensors):5} tensors written, {_sizes(self.tensors)}"] if self.tensors else []
        reasons = Counter(reason for _, reason in self.ignored)
        lines += [f"  {count:5} left out: {reason}" for reason, count in sorted(reasons.items())]
        lines += [f"  {len(self.fresh):5} not in the checkpoint: {', '.join(self.fresh)}"] if self.fresh else []
        lines += [f"  note: {note}" for note in self.notes]
        lines += [f"  finding: {finding}" for finding in self.findings]
        return "\n".join(lines)


def _sizes(tensors: Sequence[Converted]) -> str:
    numbers = sum(int(np.prod(tensor.shape)) for tensor in tensors)
    types = ", ".join(f"{count} {dtype}" for dtype, count in Counter(tensor.dtype for tensor in tensors).most_common())
    return f"{numbers:,} numbers (stored as {types})"


def digest(array: np.ndarray) -> str:
    """Gives the SHA-256 of an array's numbers as float32, little endian, rows first.

    >>> digest(np.ones((2, 2), np.float16)) == digest(np.ones((2, 2), np.float32))
    True
    """
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").data).hexdigest()


def differences(tensors: Sequence[Converted], found: Mapping[str, str]) -> tuple[str, ...]:
    """Lists where tensors read back are not those that were written.

    >>> differences([Converted("a", "a", "float32", (1,), "00ff")], {"b": "1234"})
    ('verify: a is missing', 'verify: b was not written')

    Args:
        tensors: What was written.
        found: Name -> digest of what was read back.
    """
    written = {tensor.name: tensor.sha256 for tensor in tensors}
    lines = [f"verify: {name} is missing" for name in written.keys() - found.keys()]
    lines += [f"verify: {name} was not written" for name in found.keys() - written.keys()]
    both = written.keys() & found.keys()
    lines += [f"verify: {name} holds other numbers than the source" for name in both if written[name] != found[name]]
    return tuple(sorted(lines))
