"""Python processes for tests: one, or several workers that find each other by TF_CONFIG."""

import json
import os
import socket
import subprocess
import sys

from tests.conftest import ROOT


def python(*arguments) -> str:
    """Runs `python ARGUMENTS` to its end; returns what it printed, and fails where it fails."""
    done = subprocess.run(_command(arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def finish(workers: list[subprocess.Popen]) -> list[str]:
    """Waits for workers; returns what each printed, and fails where one failed."""
    ends = [worker.communicate() for worker in workers]
    for worker, (_, errors) in zip(workers, ends, strict=True):
        assert worker.returncode == 0, errors[-4000:]
    return [printed for printed, _ in ends]


def start_workers(*arguments, number: int = 2) -> list[subprocess.Popen]:
    """Starts a command as each of some workers on this machine."""
    addresses = [f"localhost:{port}" for port in _free_ports(number)]
    workers = []
    for index in range(number):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(task)}
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        workers.append(subprocess.Popen(_command(arguments), cwd=ROOT, env=environment, **pipes))
    return workers


def _command(arguments) -> list[str]:
    return [sys.executable, *map(str, arguments)]


def _free_ports(number: int) -> list[int]:
    """Asks the system for ports; all are held until the last is there, so that they differ."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
