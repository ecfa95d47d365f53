import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_tools.workers import Workers

ROOT = Path(__file__).parents[2]


def square(number):
    return number * number


def deadly(number):
    os._exit(1)


def failing(number):
    raise OSError(f"no {number}")


@pytest.mark.parametrize("count", [1, 2])
def test_every_task_is_done_once(count):
    with Workers(count) as workers:
        assert sorted(workers.run(square, iter(range(9)), str)) == [(i, i * i) for i in range(9)]


def test_all_cores_work_unless_told_otherwise():
    assert Workers(0).count == len(os.sched_getaffinity(0))


def test_few_tasks_are_taken_ahead_of_time():
    taken = []
    with Workers(2) as workers:
        results = workers.run(square, (taken.append(i) or i for i in range(100)), str)
        next(results)
        assert len(taken) <= 5
        results.close()


def test_a_process_that_dies_is_told():
    with Workers(2) as workers, pytest.raises(RuntimeError, match=r"A worker process died at one of 7: most often"):
        list(workers.run(deadly, [7], str))


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_of_a_task_is_raised_here(count):
    with pytest.raises(OSError, match="no 3"), Workers(count) as workers:
        list(workers.run(failing, [3], str))


def test_processes_end_with_a_parent_that_was_killed(tmp_path):
    code = (
        "import os, time\n"
        "from data_tools.workers import Workers\n"
        "from tests.data_tools import test_workers\n"
        "if __name__ == '__main__':\n"
        "    with Workers(2) as workers:\n"
        "        list(workers.run(test_workers.write_pid_and_sleep, [1, 2], str))\n"
    )
    (tmp_path / "main.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PIDS": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "main.py")], env=environment)
    wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    pids = [int(path.stem) for path in tmp_path.glob("*.pid")]
    wait_for(lambda: not any(is_alive(pid) for pid in pids))


def write_pid_and_sleep(number):
    (Path(os.environ["PIDS"]) / f"{os.getpid()}.pid").touch()
    time.sleep(60)


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before, or while its file was open
        return False
