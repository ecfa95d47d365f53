"""A checkpoint in several files and the index that says which tensor lies in which: model.safetensors.index.json.

The same index serves .safetensors and .bin; the shards are opened by whoever knows their kind.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from convert.readers.errors import CheckpointFileError, seems, size_of
from convert.tensors import Tensor

MAX_INDEX_BYTES = 16 << 20


def open_shards(
    index: Path, shards: Sequence[Path], open_one: Callable[[Path], tuple[Tensor, ...]]
) -> tuple[Tensor, ...]:
    """Lists the tensors of all shards, after comparing them with the index.

    Args:
        index: The .index.json.
        shards: The files of tensors.
        open_one: Lists the tensors of one file.
    Returns:
        Tensors in the order of the shards' names, then of each file.
    Raises:
        CheckpointFileError: The index is damaged; or shards or tensors are absent, misplaced, doubled or not in the
            index: all of them are listed.
    """
    places = _places(index)
    wanted, given = set(places.values()), {shard.name: shard for shard in shards}
    findings = [f"shard {name!r:.200} is absent" for name in sorted(wanted - given.keys())]
    findings += [f"shard {name!r:.200} is not in the index" for name in sorted(given.keys() - wanted)]
    if findings:
        raise _misfit(index, findings)
    opened = [(name, tensor) for name in sorted(wanted) for tensor in open_one(given[name])]
    held = {tensor.name for _, tensor in opened}
    findings = [f"tensor {name!r:.200} is in no shard" for name in places if name not in held]
    seen = set()
    for shard, tensor in opened:
        if tensor.name in seen:
            findings.append(f"tensor {tensor.name!r:.200} occurs twice, the second time in {shard!r}")
        elif tensor.name not in places:
            findings.append(f"tensor {tensor.name!r:.200} of {shard!r} is not in the index")
        elif places[tensor.name] != shard:
            findings.append(f"tensor {tensor.name!r:.200} is in {shard!r}, the index says {places[tensor.name]!r:.200}")
        seen.add(tensor.name)
    if findings:
        raise _misfit(index, findings)
    return tuple(tensor for _, tensor in opened)


def _places(index: Path) -> dict[str, str]:
    if size_of(index) > MAX_INDEX_BYTES:
        raise CheckpointFileError(f"{index} has {size_of(index)} bytes; no index of a checkpoint is that long.")
    try:
        content = json.loads(index.read_text("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise CheckpointFileError(f"{index} is no JSON ({error}); it seems to be {seems(index)}.") from error
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(shard, str) for shard in places.values()):
        raise CheckpointFileError(f"{index} has no `weight_map` of tensors and their files. Fetch it again.")
    if all(shard.endswith(".h5") for shard in places.values()):  # transformers names its model in the index alone
        return {name.partition("/")[2] or name: shard for name, shard in places.items()}
    return places


def _once(pairs: list[tuple]) -> dict:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name occurs twice")
    return dict(pairs)


def _misfit(index: Path, findings: list[str]) -> CheckpointFileError:
    listed = "\n  ".join(findings[:20] + [f"and {len(findings) - 20} more"] * (len(findings) > 20))
    return CheckpointFileError(f"{index} does not fit its shards:\n  {listed}\nFetch all files of one revision again.")
