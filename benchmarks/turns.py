"""Two programs that are compared take turns, each in a process of its own: what a machine does meanwhile hits both.

A side's code calls `ready()` once it is set up, then `turn()` waits until it is its turn (false: it is over), and
`done(...)` says what came of it. The time between the two, the processor's too, and the peak memory are taken there.
"""

import json
import subprocess

_TURNS = """
import json, os, sys, time
_out = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # what libraries print is no answer
def _peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024
def ready(**facts):
    print(json.dumps(facts), file=_out)
def turn():
    global _start, _used
    asked = sys.stdin.readline()
    _start, _used = time.perf_counter(), time.process_time()
    return bool(asked)
def done(**facts):
    taken = dict(seconds=time.perf_counter() - _start, cpu_seconds=time.process_time() - _used, peak=_peak())
    print(json.dumps(facts | taken), file=_out)
"""


class Contestant:
    """One side, waiting for its turn.

    Args:
        python: The interpreter.
        code: What it runs; see above.
        *arguments: The code finds them in sys.argv.

    Attributes:
        first: What it said when it was ready.
        answers: What it said after each turn.
    """

    def __init__(self, python: str, code: str, *arguments):
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.process = subprocess.Popen([python, "-c", _TURNS + code, *map(str, arguments)], **pipes)
        self.first, self.answers = self._answer(), []

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a side died; its error stands above")
        return json.loads(line)

    def turn(self) -> None:
        """Lets it do its work once."""
        self.process.stdin.write("go\n")
        self.answers.append(self._answer())

    @property
    def seconds(self) -> list[float]:
        """How long each turn took."""
        return [answer["seconds"] for answer in self.answers]

    @property
    def peak(self) -> int:
        """Largest memory of its process so far, bytes."""
        return max(answer["peak"] for answer in self.answers)

    def close(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()
