"""A small Google Cloud Storage for tests: listing and download of objects in JSON over HTTP, as gcsfs asks for them.

Set STORAGE_EMULATOR_HOST to its `url`. `fault` is None or "cut" (every body breaks off in its middle), "silent",
"anonymous" (401: nobody may list without credentials) or "forbidden" (403).
"""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class GcsServer:
    """Buckets in memory, on a free port, for a `with` statement."""

    def __init__(self, buckets: dict[str, dict[str, bytes]]):
        self.buckets = buckets
        self.fault: str | None = None
        self.closing = threading.Event()

    def __enter__(self) -> "GcsServer":
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"storage": self}))
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()


REFUSALS = {
    "anonymous": (401, "Anonymous caller does not have storage.objects.list access."),
    "forbidden": (403, "someone@example.org does not have storage.objects.list access."),
}


class _Handler(BaseHTTPRequestHandler):
    storage: GcsServer
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.storage.fault == "silent":
            self.storage.closing.wait()
        elif self.storage.fault in REFUSALS:
            self.refuse(*REFUSALS[self.storage.fault])
        else:
            self.answer()

    def answer(self):
        split = urlsplit(self.path)
        match = re.fullmatch(r"(/download)?/storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", split.path)
        download, bucket, name = match.groups()
        objects = self.storage.buckets.get(bucket)
        if objects is None:
            self.refuse(404, "The specified bucket does not exist.")
        elif name is None:
            self.reply(_listing(objects, {key: values[0] for key, values in parse_qs(split.query).items()}))
        elif unquote(name) not in objects:
            self.refuse(404, f"No such object: {bucket}/{name}")
        elif download:
            self.send(200, objects[unquote(name)], "application/octet-stream")
        else:
            self.reply(_metadata(unquote(name), objects[unquote(name)]))

    def reply(self, answer: dict):
        self.send(200, json.dumps(answer).encode(), "application/json")

    def refuse(self, status: int, message: str):
        self.send(status, json.dumps({"error": {"code": status, "message": message}}).encode(), "application/json")

    def send(self, status: int, body: bytes, kind: str):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.storage.fault == "cut" and kind != "application/json":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def _metadata(name: str, content: bytes) -> dict:
    return {"kind": "storage#object", "name": name, "size": str(len(content)), "generation": "1"}


def _listing(objects: dict[str, bytes], query: dict[str, str]) -> dict:
    prefix, below = query.get("prefix", ""), query.get("delimiter")
    names = [name for name in sorted(objects) if name.startswith(prefix)]
    deep = [name for name in names if below and below in name.removeprefix(prefix)]
    folders = {prefix + name.removeprefix(prefix).partition(below)[0] + below for name in deep}
    return {"items": [_metadata(n, objects[n]) for n in names if n not in deep], "prefixes": sorted(folders)}
