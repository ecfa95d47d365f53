"""A small Google Cloud Storage for tests: listing and download of objects in JSON over HTTP, as gcsfs asks for them.

Set STORAGE_EMULATOR_HOST to its `url`. `fault` is None or "cut" (every body breaks off in its middle), "silent",
"anonymous" (401: nobody may list without credentials) or "forbidden" (403).
"""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from tests.local_server import LocalHandler, LocalServer


class GcsServer(LocalServer):
    """Buckets in memory, on a free port, for a `with` statement."""

    def __init__(self, buckets: dict[str, dict[str, bytes]]):
        super().__init__(_Handler)
        self.buckets = buckets


REFUSALS = {
    "anonymous": (401, "Anonymous caller does not have storage.objects.list access."),
    "forbidden": (403, "someone@example.org does not have storage.objects.list access."),
}


class _Handler(LocalHandler):
    service: GcsServer

    def do_GET(self):
        if self.service.fault == "silent":
            self.service.closing.wait()
        elif self.service.fault in REFUSALS:
            self.refuse(*REFUSALS[self.service.fault])
        else:
            self.answer()

    def answer(self):
        split = urlsplit(self.path)
        match = re.fullmatch(r"(/download)?/storage/v1/b/([^/]+)(?:/o(?:/(.+))?)?", split.path)
        download, bucket, name = match.groups()
        objects = self.service.buckets.get(bucket)
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
        if self.service.fault == "cut" and kind != "application/json":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

def _metadata(name: str, content: bytes) -> dict:
    return {"kind": "storage#object", "name": name, "size": str(len(content)), "generation": "1"}


def _listing(objects: dict[str, bytes], query: dict[str, str]) -> dict:
    prefix, below = query.get("prefix", ""), query.get("delimiter")
    names = [name for name in sorted(objects) if name.startswith(prefix)]
    deep = [name for name in names if below and below in name.removeprefix(prefix)]
    folders = {prefix + name.removeprefix(prefix).partition(below)[0] + below for name in deep}
    return {"items": [_metadata(n, objects[n]) for n in names if n not in deep], "prefixes": sorted(folders)}
