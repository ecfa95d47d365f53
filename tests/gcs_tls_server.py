"""Google Cloud Storage for tests over TLS, in a process of its own: proxy, TLS endpoint, storage and fault injector.

The clients are the real ones: `https_proxy` sends their CONNECT requests here whatever the host, a throw-away authority
(`trustme`) makes them trust the answer. `GcsTls` starts it and is the test's side; the storage is below. A process of
its own, because TensorFlow holds Python's lock while it waits for a bucket.
"""

import base64
import hashlib
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

ROOT = Path(__file__).parents[1]


class GcsTls:
    """The server's process, for a `with` statement; buckets and faults are set from here.

    Args:
        folder: Where the certificate of the authority and a key file are written.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def __enter__(self):
        command = [sys.executable, "-m", "tests.gcs_tls_server", str(self.folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.port = int(self.process.stdout.readline())
        return self

    def __exit__(self, *_):
        self.process.stdin.close()  # the server ends with its input, also when the tests are killed
        self.process.wait(10)
        self.process.stdout.close()

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to take this server for Google's; without credentials."""
        authority = str(self.folder / "authority.pem")
        names = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        return dict.fromkeys(names, authority) | {
            "https_proxy": f"http://127.0.0.1:{self.port}",
            "no_proxy": "",
            "NO_GCE_CHECK": "true",
            "HOME": str(self.folder),  # where credentials of the machine's owner might lie
        }

    @property
    def key_file(self) -> str:
        """A service account's key, for GOOGLE_APPLICATION_CREDENTIALS."""
        return str(self.folder / "key.json")

    def bucket(self, name: str, objects: dict[str, bytes] | None = None, private: bool = False) -> None:
        """Makes a bucket, an empty one at first; a private one asks for a token that was given out and holds."""
        self._control("bucket", {"name": name, "private": private})
        for key, content in (objects or {}).items():
            self._control(f"object/{name}/{quote(key)}", content)

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Gives what is in a bucket."""
        names = self._control("names", {"name": bucket})
        return {name: self._request("GET", f"/_/object/{bucket}/{quote(name)}") for name in names}

    def remove(self, bucket: str, name: str) -> None:
        """Removes an object."""
        self._request("DELETE", f"/_/object/{bucket}/{quote(name)}")

    def fault(self, kind: str, match: str = "", times: int = 1, after: int = 0) -> None:
        """Makes requests fail.

        Args:
            kind: A status such as "503"; "reset", "truncate" (half of the body), "flip" (a byte), "silent"; "lose" (an
                upload is taken with its last byte changed).
            match: Regular expression, found in "METHOD /path?query" of those that shall fail.
            times: How many.
            after: How many matching ones go well before.
        """
        self._control("fault", {"kind": kind, "match": match, "times": times, "after": after})

    def tokens(self, lifetime_seconds: int, refused: bool = False) -> None:
        """Says how long tokens live, or that no more are given out."""
        self._control("tokens", {"lifetime": lifetime_seconds, "refused": refused})

    def pace(self, megabytes_per_second: float) -> None:
        """Says how fast each connection is, as a network would; 0 lifts the limit."""
        self._control("pace", {"bytes": megabytes_per_second * 1e6})

    def requests(self) -> list[str]:
        """Lists the requests so far as "METHOD /path?query STATUS", the oldest first."""
        return self._control("requests", {})

    def _control(self, what: str, content: dict | bytes):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return json.loads(self._request("POST", f"/_/{what}", body))

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body)
        answer = connection.getresponse().read()
        connection.close()
        return answer


@dataclass
class Fault:
    kind: str
    match: str
    times: int
    after: int


@dataclass
class Storage:
    """All the state there is."""

    buckets: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    uploads: dict[str, tuple[str, str, bytearray]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)  # what a client says -> until when it holds
    lifetime: int = 3600
    refused: bool = False
    bytes_per_second: float = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def due(self, line: str) -> str:
        """Names the fault that strikes this request; "" for none."""
        with self.lock:
            for fault in self.faults:
                if fault.times and re.search(fault.match, line):
                    if fault.after:
                        fault.after -= 1
                        continue
                    fault.times -= 1
                    return fault.kind
        return ""


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP before CONNECT and TLS after it; plain requests to /_/ are the test's."""

    protocol_version = "HTTP/1.1"
    storage: Storage
    context_for = None  # host -> ssl.SSLContext
    fault = ""

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.host = self.path.partition(":")[0]
        self.connection = self.context_for(self.host).wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def answer(self):
        self.body = self.read_body()
        split = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if split.path.startswith("/_/"):
            self.control(split.path.removeprefix("/_/"))
            return
        self.fault = self.storage.due(f"{self.command} {self.path}")
        if self.fault == "silent":
            time.sleep(60)
        if self.fault == "reset":
            self.hang_up()
        elif self.fault.isdigit():
            self.refuse(int(self.fault), "Invalid Credentials" if self.fault == "401" else "injected")
        else:
            self.route(split.path)

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":  # as TensorFlow sends all that it sends
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def route(self, path: str) -> None:
        for pattern, method in ROUTES:
            if match := re.fullmatch(pattern, path):
                getattr(self, method)(*(unquote(part) if part else "" for part in match.groups()))
                return
        self.refuse(404, f"no such address: {path}")

    # -- the storage ------------------------------------------------------------------------------------------------

    def give_token(self):
        if self.storage.refused:
            self.reply({"error": "invalid_grant", "error_description": "Token has been expired or revoked."}, 400)
            return
        token, expires = f"token-{len(self.storage.tokens)}", self.storage.lifetime
        self.storage.tokens[f"Bearer {token}"] = time.monotonic() + expires
        self.reply({"access_token": token, "expires_in": expires, "token_type": "Bearer"})

    def may(self, bucket: str) -> bool:
        """Answers for buckets that are absent or private; says whether to go on."""
        said = self.headers.get("Authorization", "")
        if bucket not in self.storage.buckets:
            self.refuse(404, "The specified bucket does not exist.")
        elif bucket in self.storage.private and not said:
            self.refuse(401, "Anonymous caller does not have storage.objects access.")
        elif bucket in self.storage.private and self.storage.tokens.get(said, 0) < time.monotonic():
            self.refuse(401, "Invalid Credentials")
        else:
            return True
        return False

    def about_bucket(self, bucket: str):
        if self.may(bucket):
            self.reply({"kind": "storage#bucket", "name": bucket, "location": "US"})

    def list_objects(self, bucket: str):
        if not self.may(bucket):
            return
        prefix, below = self.query.get("prefix", ""), self.query.get("delimiter")
        objects = self.storage.buckets[bucket]
        names = [name for name in sorted(objects) if name.startswith(prefix)]
        deep = [name for name in names if below and below in name.removeprefix(prefix)]
        folders = {prefix + name.removeprefix(prefix).partition(below)[0] + below for name in deep}
        items = [metadata(bucket, name, objects[name]) for name in names if name not in deep]
        self.reply({"kind": "storage#objects", "items": items, "prefixes": sorted(folders)})

    def about_object(self, bucket: str, name: str):
        if self.query.get("alt") == "media":
            self.download(bucket, name)
        elif self.may(bucket) and self.is_there(bucket, name):
            if self.command == "DELETE":
                del self.storage.buckets[bucket][name]
                self.send(204, b"")
            else:
                self.reply(metadata(bucket, name, self.storage.buckets[bucket][name]))

    def is_there(self, bucket: str, name: str) -> bool:
        if name in self.storage.buckets[bucket]:
            return True
        self.refuse(404, f"No such object: {bucket}/{name}")
        return False

    def download(self, bucket: str, name: str):
        if not self.may(bucket) or not self.is_there(bucket, name):
            return
        content = self.storage.buckets[bucket][name]
        headers = {"X-Goog-Hash": f"md5={md5(content)}", "X-Goog-Generation": "1"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            self.send(200, content, "application/octet-stream", headers)
            return
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if first >= len(content):
            self.refuse(416, "The requested range cannot be satisfied.")
            return
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self.send(206, content[first : last + 1], "application/octet-stream", headers)

    def upload(self, bucket: str):
        if self.query.get("upload_id"):
            self.go_on_with_upload(bucket)
        elif not self.may(bucket):
            return
        elif self.query.get("uploadType") == "multipart":
            boundary = b"--" + re.search(r'boundary="?([^";]+)', self.headers["Content-Type"])[1].encode()
            _, about, content, _ = self.body.split(boundary, 3)
            about, content = (part.split(b"\n\n", 1)[1] for part in (about, content))
            self.store(bucket, json.loads(about)["name"], content.removesuffix(b"\n"))
        else:
            name = self.query.get("name") or json.loads(self.body)["name"]
            number = f"upload-{len(self.storage.uploads)}"
            self.storage.uploads[number] = (bucket, name, bytearray())
            address = f"https://{self.host}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&upload_id={number}"
            self.send(200, b"", headers={"Location": address})

    def go_on_with_upload(self, bucket: str):
        bucket, name, have = self.storage.uploads[self.query["upload_id"]]
        first, last, total = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", self.headers["Content-Range"]).groups()
        have[int(first) :] = self.body
        if len(have) == int(total):
            self.store(bucket, name, bytes(have))
        else:
            self.send(308, b"", headers={"Range": f"bytes=0-{last}"})

    def store(self, bucket: str, name: str, content: bytes):
        if self.fault == "lose":
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.storage.buckets[bucket][name] = content
        self.reply(metadata(bucket, name, content))

    # -- the wire ---------------------------------------------------------------------------------------------------

    def reply(self, answer: dict | list, status: int = 200):
        self.send(status, json.dumps(answer).encode())

    def refuse(self, status: int, message: str):
        self.reply({"error": {"code": status, "message": message, "errors": [{"message": message}]}}, status)

    def send(self, status: int, body: bytes, kind: str = "application/json", headers: dict[str, str] | None = None):
        fault, self.fault = self.fault, ""
        self.note(str(status))
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault == "flip" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        self.write_paced(body[: len(body) // 2] if fault == "truncate" else body)
        if fault == "truncate":
            self.hang_up()

    def write_paced(self, body: bytes):
        start, pace = time.monotonic(), self.storage.bytes_per_second
        for first in range(0, len(body), 1 << 20):
            self.wfile.write(memoryview(body)[first : first + (1 << 20)])
            if pace:
                time.sleep(max(0.0, start + (first + (1 << 20)) / pace - time.monotonic()))

    def hang_up(self):
        self.note("-")
        self.close_connection = True
        self.connection.close()

    def note(self, outcome: str):
        if not self.path.startswith("/_/"):
            self.storage.log.append(f"{self.command} {self.path} {outcome}")

    # -- the test's side --------------------------------------------------------------------------------------------

    def control(self, what: str):
        what, _, rest = what.partition("/")
        bucket, _, name = unquote(rest).partition("/")
        state = self.storage
        if what == "object" and self.command == "GET":
            self.send(200, state.buckets[bucket][name])
            return
        if what == "object" and self.command == "DELETE":
            del state.buckets[bucket][name]
            self.reply({})
            return
        if what == "object":
            state.buckets[bucket][name] = self.body
            self.reply({})
            return
        asked = json.loads(self.body)
        answer = {}
        if what == "names":
            answer = sorted(state.buckets[asked["name"]])
        elif what == "requests":
            answer = state.log
        elif what == "bucket":
            state.buckets[asked["name"]] = {}
            state.private |= {asked["name"]} if asked["private"] else set()
        elif what == "fault":
            state.faults.append(Fault(**asked))
        elif what == "pace":
            state.bytes_per_second = asked["bytes"]
        elif what == "tokens":
            state.lifetime, state.refused = asked["lifetime"], asked["refused"]
        self.reply(answer)


# path                                                   what answers
ROUTES = (
    (r"/(?:oauth2/v4/)?token",                           "give_token"),
    (r"(?:/resumable)?/upload/storage/v1/b/([^/]+)/o",   "upload"),
    (r"/download/storage/v1/b/([^/]+)/o/(.+)",           "download"),
    (r"/storage/v1/b/([^/]+)",                           "about_bucket"),
    (r"/storage/v1/b/([^/]+)/o/?",                       "list_objects"),
    (r"/storage/v1/b/([^/]+)/o/(.+)",                    "about_object"),
    (r"/([^/]+)/(.+)",                                   "download"),  # the XML interface, which TensorFlow reads from
)  # fmt: skip


def metadata(bucket: str, name: str, content: bytes) -> dict:
    moment = "2026-01-01T00:00:00.000Z"
    return {
        "kind": "storage#object", "name": name, "bucket": bucket, "size": str(len(content)), "generation": "1",
        "md5Hash": md5(content), "timeCreated": moment, "updated": moment,
    }  # fmt: skip


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def write_key(path: Path) -> None:
    """Writes the key file of a service account that does not exist."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    about = {
        "type": "service_account", "project_id": "p", "private_key_id": "1", "private_key": pem, "client_id": "1",
        "client_email": "a@example.org", "token_uri": "https://oauth2.googleapis.com/token",
    }  # fmt: skip
    path.write_text(json.dumps(about))


def main(folder: Path) -> None:
    """Serves until its standard input ends."""
    import ssl

    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    write_key(folder / "key.json")
    contexts, lock = {}, threading.Lock()

    def context_for(host: str) -> ssl.SSLContext:
        with lock:
            if host not in contexts:
                contexts[host] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                authority.issue_cert(host).configure_cert(contexts[host])
        return contexts[host]

    attributes = {"storage": Storage(), "context_for": staticmethod(context_for)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), attributes))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # clients hang up as they like
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
