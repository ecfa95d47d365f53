"""Local storages that speak S3 (moto) and Azure Blob Storage (Azurite), each in a process of its own."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

ACCOUNT = "devstoreaccount1"
# the key of that account, which Azurite's documentation publishes
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
NO_SERVER = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Server:
    """A storage that serves.

    Args:
        kind: "s3" or "az".
        environ: What a process needs to find it and be let in.
        strangers: What to change for a process that is not let in.
        nowhere: What to change for a process that finds nothing there.
    """

    kind: str
    environ: dict[str, str]
    strangers: dict[str, str] = field(default_factory=dict)
    nowhere: dict[str, str] = field(default_factory=dict)

    def url(self, bucket: str) -> str:
        return f"s3://{bucket}" if self.kind == "s3" else f"az://{ACCOUNT}/{bucket}"


def s3() -> Iterator[Server]:
    """Starts moto twice: the second one knows no key that it would let in."""
    with (
        _process([sys.executable, "-m", "moto.server", "-p", "0"], {}) as port,
        _process([sys.executable, "-m", "moto.server", "-p", "0"], {"INITIAL_NO_AUTH_ACTION_COUNT": "0"}) as closed,
    ):
        environ = {
            "S3_ENDPOINT": f"http://127.0.0.1:{port}", "S3_USE_HTTPS": "0", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
        }  # fmt: skip
        strangers = {"S3_ENDPOINT": f"http://127.0.0.1:{closed}"}
        yield Server("s3", environ, strangers, {"S3_ENDPOINT": NO_SERVER})


def az() -> Iterator[Server]:
    """Starts Azurite (npm), where it is installed."""
    if not shutil.which("azurite-blob"):
        pytest.skip("Azurite is not installed: `make test-tfio` installs it where there is npm")
    command = [
        "azurite-blob",
        "--inMemoryPersistence",
        "--blobPort",
        "0",
        "--skipApiVersionCheck",
        "--disableTelemetry",
    ]
    with _process(command, {}) as port:
        environ = {
            "TF_AZURE_STORAGE_USE_HTTP": "1", "TF_AZURE_STORAGE_KEY": KEY,
            "TF_AZURE_STORAGE_BLOB_ENDPOINT": f"127.0.0.1:{port}/{ACCOUNT}",
        }  # fmt: skip
        nowhere = {"TF_AZURE_STORAGE_BLOB_ENDPOINT": f"127.0.0.1:9/{ACCOUNT}"}
        yield Server("az", environ, {"TF_AZURE_STORAGE_KEY": "c3RyYW5nZXI="}, nowhere)


@contextlib.contextmanager
def _process(command: list[str], environ: dict[str, str]) -> Iterator[int]:
    """Runs a server and gives the port that it says it has chosen."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environ
    )
    try:
        told = []
        for line in process.stdout:
            told.append(line)
            if address := re.search(r"(?:Running|listens) on http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail(f"{command[0]} does not start: {''.join(told)}")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # else it waits once the pipe is full
        yield int(address[1])
    finally:
        process.terminate()
        process.wait(10)
