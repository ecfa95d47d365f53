"""Makes batches for another machine, whose processor has no time for it.

    python -m data_tools.input_host --port 5050 [--name HOST] [--cache DIR --cache_gigabytes 100]

It reads what it is asked for by `reader.batches(..., service="HOST:5050")`: the shards from where the index lies, so
both machines must reach it under one path or URL. It answers whoever reaches its ports, without a password, and opens
the folders they name: let nobody but the training machines through. FLAC and augmentation run here, too, for dataset
and worker are one process. The stream itself is tf.data's service, on the two ports after `--port`.
"""

import argparse
import os
import socket
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_STREAMS_KEPT = 4  # per process that asks: it reads one at a time, an epoch after the other


class InputHost:
    """Listens, for a `with` statement.

    Args:
        port: For requests; the next two are the service's. 0 takes any three that are free (see `address`).
        name: Under which others reach this machine.
        cache: A `ShardCache`, or None.
    """

    def __init__(self, port: int = 0, name: str = "localhost", cache=None):
        self.name, self.cache = name, cache
        self._ports = [port + i if port else 0 for i in range(3)]
        self._datasets = defaultdict(partial(deque, maxlen=_STREAMS_KEPT))  # functions live as long as their dataset
        self._lock = threading.Lock()

    def __enter__(self):
        from tensorflow.data.experimental import service

        at, dispatcher, worker = self._ports
        handler = type("Handler", (_Handler,), {"service": self})
        self._requests = ThreadingHTTPServer(("", at), handler)
        self._requests.daemon_threads = True
        self._dispatcher = service.DispatchServer(service.DispatcherConfig(port=dispatcher))
        self.dispatcher_port = int(self._dispatcher.target.rpartition(":")[2])
        self._worker = service.WorkerServer(
            service.WorkerConfig(f"localhost:{self.dispatcher_port}", f"{self.name}:%port%", port=worker)
        )
        threading.Thread(target=self._requests.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._requests.shutdown()
        self._requests.server_close()
        self._worker = self._dispatcher = None  # which stops them

    @property
    def address(self) -> str:
        """What `reader.batches` is given as `service`."""
        return f"{self.name}:{self._requests.server_port}"

    def prepare(self, text: bytes) -> dict:
        """Builds what is asked for and says under which number it is streamed.

        Raises:
            ValueError, OSError: It cannot be read here; or the shards here are others.
        """
        from tensorflow.data.experimental import service

        from data_tools.index import load_index
        from data_tools.reader import batches
        from data_tools.service import Request, digest_of

        asked = Request.from_json(text)
        index = load_index(asked.folder)
        if digest_of(index, asked.split) != asked.digest:
            raise ValueError(f"{asked.folder} holds other shards there than here. Copy them again.")
        vocabulary = dict(characters=asked.characters, unk_id=asked.unk_id)
        given = dict(buckets=asked.buckets, augment=asked.augment, cache=self.cache, **vocabulary)
        dataset = batches(index, asked.split, **given, **asked.options)
        with self._lock:
            self._datasets[asked.reader].append(dataset)
            number = service.register_dataset(f"grpc://localhost:{self.dispatcher_port}", dataset, compression=None)
        return {"dispatcher_port": self.dispatcher_port, "dataset": number.numpy().decode()}


class _Handler(BaseHTTPRequestHandler):
    service: InputHost

    def do_POST(self):
        import json

        try:
            status, answer = 200, json.dumps(self.service.prepare(self.rfile.read(int(self.headers["Content-Length"]))))
        except (ValueError, OSError, ImportError, KeyError, TypeError) as error:
            status, answer = 400, str(error)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer.encode())))
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until it is stopped.

    Args:
        arguments: Flags; those of the process if None.
    Returns:
        0 after Ctrl-C; 1 if the ports are taken.
    """
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # read when TensorFlow is imported, which is below
    from data_tools.cache import ShardCache

    cache = ShardCache(options.cache, options.cache_gigabytes) if options.cache else None
    try:
        with InputHost(options.port, options.name, cache) as host:
            print(f"batches for others at {host.address}", flush=True)
            threading.Event().wait()
    except OSError as error:
        print(f"input_host: {error}. Name another --port; the two after it must be free, too.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data_tools.input_host", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True, help="for requests; the two after it are used, too")
    parser.add_argument("--name", default=socket.getfqdn(), help="under which the others reach this machine")
    parser.add_argument("--cache", type=Path, help="folder in which shards of a bucket are kept")
    parser.add_argument("--cache_gigabytes", type=float, default=100.0, help="how much of them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
