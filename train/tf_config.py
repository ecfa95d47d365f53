"""The variable TF_CONFIG, by which the processes of `--strategy multiworker` know each other.

Connecting them is TensorFlow's work; here what is wrong with the variable is told before it waits for hours.
"""

import json

ENDING = "Correct TF_CONFIG, or do without --strategy multiworker."


def read_tf_config(text: str) -> tuple[tuple[str, ...], int]:
    """Reads the variable TF_CONFIG, which must be the same on all workers but for their index.

    >>> read_tf_config('{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 1}}')
    (('a:2222', 'b:2222'), 1)

    Args:
        text: JSON.
    Returns:
        Addresses of the workers, and which of them this process is.
    Raises:
        ValueError: It is missing, no JSON, or contradicts itself.
    """
    try:
        value = json.loads(text)
        workers, task = value["cluster"]["worker"], value["task"]
        kind, index = task["type"], task["index"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"--strategy multiworker reads TF_CONFIG, which is {text or 'not set'!r} ({error!r}). It looks like this: "
            '{"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", "index": 0}}, with another index '
            "on each worker."
        ) from error
    for holds, message in _rules(value["cluster"], workers, kind, index):
        if not holds:
            raise ValueError(f"TF_CONFIG: {message}. {ENDING}")
    return tuple(workers), index


def _rules(cluster, workers, kind, index):
    yield set(cluster) == {"worker"}, f"cluster lists {', '.join(sorted(cluster))}; here every process is a worker"
    yield kind == "worker", f"this task is of type {kind!r}; here every process is a worker"
    yield isinstance(workers, list) and workers, f"cluster.worker must list addresses; got {workers!r}"
    odd = [name for name in workers if not (isinstance(name, str) and name.rpartition(":")[2].isdigit())]
    yield not odd, f"cluster.worker holds {odd and odd[0]!r}; an address is HOST:PORT"
    yield len(set(workers)) == len(workers), f"an address occurs twice in cluster.worker, {', '.join(workers)}"
    inside = isinstance(index, int) and 0 <= index < len(workers)
    yield inside, f"task.index is {index!r}; the {len(workers)} workers are counted from 0"
