"""Some utterances' audio, by their ids, out of shards."""

from collections.abc import Collection

import numpy as np

from data_tools.index import Index, ShardsError
from data_tools.scan import DamagedError, decode, parse_fields, read_records


def find_audio(index: Index, split: str, ids: Collection[str]) -> dict[str, np.ndarray]:
    """Reads shards until all of the utterances are found.

    Args:
        index: From `load_index`.
        split: Where they are.
        ids: Which.
    Returns:
        Id -> int16 [S], of those that are there.
    Raises:
        ValueError: There is no such split, or a record is damaged.
        tf.errors.OpError: A shard cannot be read.
    """
    wanted, found = set(ids), {}
    for shard in index.shards(split):
        path = str(index.folder / shard.file)
        for record in read_records(path, shard.bytes) if len(found) < len(wanted) else ():
            try:
                found |= _audio_of(record, wanted)
            except DamagedError as error:
                raise ShardsError(f"{path} has a record of which {error}. Copy the shard again.") from error
    return found


def _audio_of(record: bytes | DamagedError, wanted: set[str]) -> dict[str, np.ndarray]:
    if isinstance(record, DamagedError):
        raise record
    fields = parse_fields(record)
    name = fields["id"].decode()
    return {name: decode(fields["audio"], fields["encoding"].decode())} if name in wanted else {}
