"""Asks an input host for batches: what is wanted goes there as JSON, the batches come as a stream of tf.data's service.

The other end is `input_host`. One host makes all batches of a stream, so they come in the order of the plan, and a
stream may begin at any batch.
"""

import hashlib
import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import tensorflow as tf

from data_tools.augment import AugmentConfig
from data_tools.buckets import Buckets
from data_tools.index import Index

_SECONDS = 300  # an index of millions is read, recordings of noise are decoded


@dataclass(frozen=True)
class Request:
    """What `reader.batches` is to be called with.

    Args:
        folder: Of the shards, as the input host opens it.
        digest: Of the split's shards (`digest_of`): both ends must mean the same.
        split, characters, unk_id, buckets, augment: See `reader.batches`.
        options: Its other arguments.
        reader: Tells the process that asks from others.
    """

    folder: str
    digest: str
    split: str
    characters: dict[str, int]
    unk_id: int | None
    buckets: Buckets
    augment: AugmentConfig | None
    options: dict
    reader: str

    @classmethod
    def of(cls, index: Index, split: str, characters: Mapping[str, int], unk_id, buckets, augment, options):
        """Makes one from the arguments of `reader.batches`."""
        folder = str(index.folder)
        reader = f"{socket.gethostname()}:{os.getpid()}"
        return cls(folder, digest_of(index, split), split, dict(characters), unk_id, buckets, augment, options, reader)

    def to_json(self) -> bytes:
        """Gives the text that is sent."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Request":
        """Reads the text that was sent."""
        fields = json.loads(text, object_hook=lambda item: {key: _as_tuple(value) for key, value in item.items()})
        augment = fields["augment"] and AugmentConfig(**fields["augment"])
        return cls(**fields | {"buckets": Buckets(**fields["buckets"]), "augment": augment})


def _as_tuple(value):
    return tuple(value) if isinstance(value, list) else value


def digest_of(index: Index, split: str) -> str:
    """Names the shards of a split: what they are called and how much is in them."""
    shards = [[shard.file, shard.records, shard.bytes] for shard in index.shards(split)]
    lengths = hashlib.sha256(index.lengths(split).tobytes()).hexdigest()
    return hashlib.sha256(json.dumps([shards, lengths]).encode()).hexdigest()[:16]


def batches_of(service: str, request: Request, spec) -> tf.data.Dataset:
    """Gives the stream of an input host.

    Args:
        service: "host:port" where it listens; "grpc://host:port" and "http://host:port" mean the same.
        request: What is wanted.
        spec: `element_spec` of the batches.
    Returns:
        The batches, as `reader.batches` gives them on the host itself.
    Raises:
        ConnectionError: Nobody answers there.
        ValueError: The host cannot do it; the message is its own.
    """
    host, _, port = service.rpartition("//")[2].rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{service} is no address of an input host. Give host:port, as it prints at its start.")
    answer = _ask(f"http://{host}:{port}/", service, request)
    return tf.data.experimental.service.from_dataset_id(
        tf.data.experimental.service.ShardingPolicy.OFF,  # one worker, one order
        f"grpc://{host}:{answer['dispatcher_port']}",
        answer["dataset"],
        element_spec=spec,
    )


def _ask(url: str, service: str, request: Request) -> dict:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # input hosts are never behind a proxy
    try:
        with direct.open(url, request.to_json(), timeout=_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise ValueError(f"The input host {service} cannot do it: {error.read().decode()}") from error
    except OSError as error:
        raise ConnectionError(
            f"The input host {service} does not answer ({error}). Start one there: python -m data_tools.input_host."
        ) from error
