"""A small hub for tests: the endpoints that huggingface_hub speaks to, over real HTTP, and faults on demand.

Models are held in memory, as commits of whole trees. Files from `LFS_BYTES` on are large files, served by redirection
to another host name, as on the hub. What is not needed (datasets, discussions, xet) is not there.
"""

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from tests.local_server import LocalHandler, LocalServer

TOKEN = "hf_good"
LFS_BYTES = 1000
FAULTS = ("silent", "cut", "down", "slow")


@dataclass
class Model:
    """One repository: its commits (commit -> path -> content), its branches, and who may see it."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        tree = self.commits.get(self.branches.get(branch), {}) | files
        listing = f"{len(self.commits)} {sorted((path, oid(content)) for path, content in tree.items())}"
        sha = hashlib.sha1(listing.encode()).hexdigest()
        self.commits[sha], self.branches[branch] = tree, sha
        return sha

    def resolve(self, revision: str) -> str | None:
        sha = self.branches.get(revision, revision)
        return sha if sha in self.commits else None


def oid(content: bytes) -> str:
    """The name of a content: git's of a small one, that of LFS of a large one."""
    if len(content) >= LFS_BYTES:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class HubServer(LocalServer):
    """A hub on a free port, for a `with` statement.

    `fault` is None or one of: "silent" takes requests and never answers, "cut" breaks off every body in its middle,
    "down" answers 503, "slow" answers the listing a byte at a time.
    """

    def __init__(self):
        super().__init__(_Handler)
        self.models: dict[str, Model] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []

    def add(self, name: str, files: dict[str, bytes], branch: str = "main", **access) -> str:
        """Commits files to a model, made if absent; gives the commit."""
        model = self.models.setdefault(name, Model(**access))
        self.large |= {oid(content): content for content in files.values() if len(content) >= LFS_BYTES}
        return model.commit(files, branch)

    def files(self, name: str, revision: str = "main") -> dict[str, bytes]:
        """What a revision of a model holds."""
        model = self.models[name]
        return model.commits[model.resolve(revision)]


NAME = r"(?P<name>[\w.-]+(/[\w.-]+)?)"
ROUTES = [
    ("GET",  rf"/api/models/{NAME}/revision/(?P<revision>[^/]+)",   "info"),
    ("GET",  rf"/api/models/{NAME}/tree/(?P<revision>[^/]+)",       "tree"),
    ("GET",  rf"/api/models/{NAME}",                                "info"),
    ("HEAD", rf"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)",  "resolve"),
    ("GET",  rf"/{NAME}/resolve/(?P<revision>[^/]+)/(?P<path>.+)",  "resolve"),
    ("GET",  r"/lfs/(?P<digest>\w+)",                               "large"),
    ("PUT",  r"/lfs/(?P<digest>\w+)",                               "store"),
    ("POST", r"/api/repos/create",                                  "create"),
    ("POST", r"/api/validate-yaml",                                 "validate"),
    ("POST", rf"/api/models/{NAME}/branch/(?P<branch>[^/]+)",       "branch"),
    ("POST", rf"/api/models/{NAME}/preupload/(?P<revision>[^/]+)",  "preupload"),
    ("POST", rf"/{NAME}\.git/info/lfs/objects/batch",               "batch"),
    ("POST", rf"/api/models/{NAME}/commit/(?P<revision>[^/]+)",     "commit"),
]  # fmt: skip


class _Handler(LocalHandler):
    service: HubServer

    def handle_any(self):
        self.url = urlsplit(self.path).path
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.service.requests.append(f"{self.command} {self.url}")
        self.token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.service.fault == "silent":
            self.service.closing.wait()
        elif self.service.fault == "down":
            self.reply(503, {"error": "Service Unavailable"})
        elif self.token not in ("", TOKEN):
            self.refuse(401, "", "Invalid credentials in Authorization header")
        else:
            self.route()

    do_GET = do_HEAD = do_POST = do_PUT = handle_any

    def route(self):
        for method, pattern, action in ROUTES:
            match = re.fullmatch(pattern, self.url)
            if match and method == self.command:
                return getattr(self, action)(**{key: unquote(value) for key, value in match.groupdict().items()})
        return self.refuse(404, "", f"no route for {self.command} {self.url}")

    # ---- reading ----

    def found(self, name: str, revision: str) -> tuple[Model, str] | None:
        """Finds a revision; refuses as the hub does, which does not tell strangers whether a model exists."""
        model = self.service.models.get(name)
        if model is None or (model.private and not self.token):
            if self.token:
                return self.refuse(404, "RepoNotFound", "Repository not found")
            return self.refuse(401, "RepoNotFound", "Invalid username or password.")
        sha = model.resolve(revision)
        if sha is None:
            return self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return model, sha

    def info(self, name: str, revision: str = "main"):
        if (found := self.found(name, revision)) is not None:
            model, sha = found
            files = [{"rfilename": path} for path in model.commits[sha]]
            answer = {"id": name, "modelId": name, "sha": sha, "siblings": files, "tags": []}
            answer["config"] = _kind(model.commits[sha].get("config.json", b""))
            answer["private"] = model.private
            self.reply(200, answer | {"gated": "manual" if model.gated else False, "downloads": 0, "likes": 0})

    def tree(self, name: str, revision: str):
        if (found := self.found(name, revision)) is not None:
            model, sha = found
            self.reply(200, [_entry(path, content) for path, content in model.commits[sha].items()])

    def resolve(self, name: str, revision: str, path: str):
        if (found := self.found(name, revision)) is None:
            return None
        model, sha = found
        if model.gated and not self.token:
            return self.refuse(401, "GatedRepo", f"Access to model {name} is restricted.")
        content = model.commits[sha].get(path)
        if content is None:
            return self.refuse(404, "EntryNotFound", "Entry not found", {"X-Repo-Commit": sha})
        headers = {"X-Repo-Commit": sha, "ETag": f'"{oid(content)}"', "Accept-Ranges": "bytes"}
        if len(content) < LFS_BYTES:
            return self.send_content(content, headers)
        headers |= {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(len(content))}
        elsewhere = self.service.url.replace("127.0.0.1", "localhost")
        return self.send(302, headers | {"Location": f"{elsewhere}/lfs/{oid(content)}"}, b"")

    def large(self, digest: str):
        if self.token:  # a token sent to another host is a leak
            return self.refuse(400, "", "Only one auth mechanism allowed")
        return self.send_content(self.service.large[digest], {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"})

    def send_content(self, content: bytes, headers: dict):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None:
            return self.send(200, headers, content)
        start = int(asked[1])
        headers = headers | {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        return self.send(206, headers, content[start:])

    # ---- writing ----

    def create(self):
        asked = self.asked()
        if not self.token:
            return self.refuse(401, "", "Invalid username or password.")
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        answer = {"url": f"{self.service.url}/{name}", "name": name}
        if name.startswith("others/"):
            return self.refuse(403, "", 'You don\'t have the rights to create a model under the namespace "others"')
        if name in self.service.models:
            return self.reply(409, answer | {"error": "You already created this model repo"})
        self.service.models[name] = Model(private=asked.get("visibility") == "private" or asked.get("private") is True)
        self.service.models[name].commit({".gitattributes": b"*.safetensors filter=lfs\n"})
        return self.reply(200, answer)

    def validate(self):
        self.reply(200, {"errors": [], "warnings": []})  # of the card in README.md

    def branch(self, name: str, branch: str):
        if branch in self.service.models[name].branches:
            return self.reply(409, {"error": "Reference already exists"})
        self.service.models[name].branches[branch] = self.service.models[name].branches["main"]
        return self.reply(200, {})

    def preupload(self, name: str, revision: str):
        modes = {file["path"]: "lfs" if file["size"] >= LFS_BYTES else "regular" for file in self.asked()["files"]}
        files = [{"path": path, "uploadMode": mode, "shouldIgnore": False} for path, mode in modes.items()]
        self.reply(200, {"files": files})

    def batch(self, name: str):
        answers = []
        for wanted in self.asked()["objects"]:
            upload = {"upload": {"href": f"{self.service.url}/lfs/{wanted['oid']}"}}
            answers.append(wanted if wanted["oid"] in self.service.large else wanted | {"actions": upload})
        self.reply(200, {"transfer": "basic", "objects": answers})

    def store(self, digest: str):
        if hashlib.sha256(self.body).hexdigest() != digest:
            return self.refuse(400, "", "the content is not what was announced")
        self.service.large[digest] = self.body
        return self.send(200, {}, b"")

    def commit(self, name: str, revision: str):
        files = {}
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.service.large[value["oid"]]
        sha = self.service.models[name].commit(files, revision)
        self.reply(200, {"commitUrl": f"{self.service.url}/{name}/commit/{sha}", "commitOid": sha})

    # ---- answers ----

    def asked(self) -> dict:
        return json.loads(self.body)

    def reply(self, status: int, answer):
        self.send(status, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def refuse(self, status: int, code: str, message: str, headers: dict | None = None):
        headers = {"X-Error-Code": code, "X-Error-Message": message} | (headers or {})
        self.send(status, headers | {"Content-Type": "application/json"}, json.dumps({"error": message}).encode())

    def send(self, status: int, headers: dict, body: bytes):
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.service.fault == "slow":
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.service.closing.wait(0.5):
                    break
        elif self.service.fault == "cut" and ("/resolve/" in self.url or "/lfs/" in self.url):
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

def _kind(config: bytes) -> dict:
    """What the hub tells of a config.json with the list of files; nothing of one that is no JSON."""
    try:
        return {key: value for key, value in json.loads(config).items() if key in ("model_type", "architectures")}
    except ValueError:
        return {}


def _entry(path: str, content: bytes) -> dict:
    entry = {"type": "file", "path": path, "size": len(content), "oid": oid(content)}
    if len(content) >= LFS_BYTES:
        entry["lfs"] = {"oid": oid(content), "size": len(content), "pointerSize": 130}
    return entry
