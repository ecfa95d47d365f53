"""Pickles read by a machine of our own that calls nothing: what a file names is compared with a table, never imported.

Python's unpickler imports whatever a file names and calls it. Here a name stays a name (`Global`), a call of a name
becomes a note of that call (`Record`), and the few calls that mean data are answered by the functions given to `load`.
Those functions never lie on the machine's stack, so no instruction of a file can reach, change or call anything else.
"""

import pickletools
from typing import Any, BinaryIO

from convert.readers.pickle_objects import Global, PickleError, Record, Rules

# Limits far above any checkpoint. Where a few bytes could ask for much memory or time, one of them holds.
MAX_PICKLE_BYTES = 8 << 20
MAX_CALLS = 500_000
MAX_ARGUMENTS = 16
MAX_NAME_LETTERS = 200


def load(stream: BinaryIO, rules: Rules) -> Any:
    """Reads one pickle up to its end, calling nothing that it names.

    >>> import io, pickle
    >>> rules = Rules(functions={}, inert=lambda name: False, persistent=lambda key: key)
    >>> load(io.BytesIO(pickle.dumps({"a": [1, (2.5, None)]})), rules)
    {'a': [1, (2.5, None)]}
    >>> load(io.BytesIO(pickle.dumps(eval)), rules)
    Traceback (most recent call last):
    convert.readers.pickle_objects.PickleError: it names 'builtins.eval', ...

    Args:
        stream: Stands at the beginning of a pickle; afterwards right behind it. Must have `tell`.
        rules: What it may name.
    Returns:
        The tree of objects: Python's own types, `Global`, `Record`, and what `rules` answer.
    Raises:
        PickleError: It is damaged, or names something that `rules` do not know.
    """
    machine = _Machine(rules)
    try:
        for opcode, argument, _ in pickletools.genops(stream):  # ends behind STOP, or with a ValueError
            machine.step(opcode.name, argument)
        return machine.stack.pop()
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError) as error:
        raise error if isinstance(error, PickleError) else PickleError(f"it is damaged ({error})") from error


class _Machine:
    """The stack and the memo of one pickle; one method per kind of instruction."""

    def __init__(self, rules: Rules):
        self.rules, self.stack, self.below, self.memo, self.calls = rules, [], [], {}, 0

    def step(self, name: str, argument: Any) -> None:
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in VALUES:
            self.stack.append(argument)
        elif name in STEPS:
            STEPS[name](self, argument)
        elif name not in NOTHING:
            raise PickleError(f"it uses the instruction {name}, which no checkpoint needs")

    def push(self, item: Any) -> None:
        self.stack.append(item)

    def since_mark(self) -> list:
        items, self.stack = self.stack, self.below.pop()
        return items

    def mark(self, _) -> None:
        self.below.append(self.stack)
        self.stack = []

    def take(self, count: int) -> tuple:
        if len(self.stack) < count:
            raise PickleError("it is damaged (it takes from an empty stack)")
        items = tuple(self.stack[-count:])
        del self.stack[-count:]
        return items

    def put(self, key: Any) -> None:
        self.memo[len(self.memo) if key is None else key] = self.stack[-1]

    def name(self, argument: str | None) -> None:
        module, name = self.take(2) if argument is None else argument.split(" ", 1)
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleError("it is damaged (a name that is no text)")
        if len(module) + len(name) > MAX_NAME_LETTERS:
            raise PickleError(f"it has a name of {len(module) + len(name)} letters, which no checkpoint needs")
        full = f"{module}.{name}"
        if full not in self.rules.functions and not self.rules.inert(full):
            raise PickleError(
                f"it names {full!r}, which is none of the tensors and settings a checkpoint is made of. Nothing "
                "of it was run. If you trust the file, load it where it was written and save its state_dict() alone"
            )
        self.stack.append(Global(full))

    def call(self, callee: Any, args: Any) -> None:
        if not isinstance(callee, Global) or not isinstance(args, tuple):
            raise PickleError(f"it calls a {type(callee).__name__}; only names can be called")
        self.calls += 1
        if len(args) > MAX_ARGUMENTS or self.calls > MAX_CALLS:
            raise PickleError(f"it calls with {len(args)} arguments, in call {self.calls}; no checkpoint needs so many")
        function = self.rules.functions.get(callee.name)
        self.stack.append(function(*args) if function else Record(callee.name, args))

    def build(self, _) -> None:
        (state,) = self.take(1)
        target = self.stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif not isinstance(target, dict):  # the state of an OrderedDict is torch's note on versions
            raise PickleError(f"it sets attributes on a {type(target).__name__}, which has none")

    def put_in(self, items: list) -> None:
        target = self.stack[-1]
        if not isinstance(target, list | Record):
            raise PickleError(f"it appends to a {type(target).__name__}")
        (target.items if isinstance(target, Record) else target).extend(items)

    def set_in(self, items: list) -> None:
        target = self.stack[-1]
        pairs = list(zip(items[::2], items[1::2], strict=True))
        if isinstance(target, Record):
            target.items.extend(pairs)
        elif isinstance(target, dict):
            target.update((_key(key), value) for key, value in pairs)
        else:
            raise PickleError(f"it sets items of a {type(target).__name__}")


def _key(key: Any, depth: int = 2) -> Any:
    """Checks that a key of a dict is plain: hashing deep tuples can take forever or overflow the stack."""
    if isinstance(key, tuple) and depth and len(key) <= MAX_ARGUMENTS:
        return tuple(_key(item, depth - 1) for item in key)
    if not isinstance(key, str | int | float | bytes | None | Global | Record) or _is_huge(key):
        raise PickleError(f"it has a {type(key).__name__} as a key")
    return key


def _is_huge(key: Any) -> bool:
    return isinstance(key, int) and not -(1 << 63) <= key < 1 << 63


def _pairs(items: list) -> dict:
    return {_key(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _inst(machine: _Machine, argument: str) -> None:
    args = tuple(machine.since_mark())
    machine.name(argument)
    machine.call(machine.stack.pop(), args)


def _obj(machine: _Machine, _) -> None:
    callee, *args = machine.since_mark()
    machine.call(callee, tuple(args))


CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
NOTHING = {"PROTO", "FRAME", "STOP"}
VALUES = set(
    """INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE
    SHORT_BINUNICODE BINUNICODE BINUNICODE8 BINBYTES SHORT_BINBYTES BINBYTES8""".split()
)
STEPS = {
    "MARK":             _Machine.mark,
    "POP":              lambda m, _: m.stack.pop() if m.stack else m.since_mark(),
    "POP_MARK":         lambda m, _: m.since_mark(),
    "DUP":              lambda m, _: m.push(m.stack[-1]),
    "PUT":              _Machine.put,
    "BINPUT":           _Machine.put,
    "LONG_BINPUT":      _Machine.put,
    "MEMOIZE":          _Machine.put,
    "GET":              lambda m, key: m.push(m.memo[key]),
    "BINGET":           lambda m, key: m.push(m.memo[key]),
    "LONG_BINGET":      lambda m, key: m.push(m.memo[key]),
    "EMPTY_LIST":       lambda m, _: m.push([]),
    "EMPTY_DICT":       lambda m, _: m.push({}),
    "LIST":             lambda m, _: m.push(m.since_mark()),
    "DICT":             lambda m, _: m.push(_pairs(m.since_mark())),
    "TUPLE":            lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1":           lambda m, _: m.push(m.take(1)),
    "TUPLE2":           lambda m, _: m.push(m.take(2)),
    "TUPLE3":           lambda m, _: m.push(m.take(3)),
    "APPEND":           lambda m, _: m.put_in(list(m.take(1))),
    "APPENDS":          lambda m, _: m.put_in(m.since_mark()),
    "ADDITEMS":         lambda m, _: m.put_in(m.since_mark()),
    "EMPTY_SET":        lambda m, _: m.push(Record("builtins.set")),
    "FROZENSET":        lambda m, _: m.push(Record("builtins.frozenset", items=m.since_mark())),
    "SETITEM":          lambda m, _: m.set_in(list(m.take(2))),
    "SETITEMS":         lambda m, _: m.set_in(m.since_mark()),
    "GLOBAL":           _Machine.name,
    "STACK_GLOBAL":     _Machine.name,
    "REDUCE":           lambda m, _: m.call(*m.take(2)),
    "NEWOBJ":           lambda m, _: m.call(*m.take(2)),
    "INST":             _inst,
    "OBJ":              _obj,
    "BUILD":            _Machine.build,
    "BINPERSID":        lambda m, _: m.push(m.rules.persistent(*m.take(1))),
}  # fmt: skip
