"""What a pickle becomes when nothing in it is called: names, records of objects, and the rules for both."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class PickleError(ValueError):
    """A pickle that is damaged or asks for something that no checkpoint needs."""


@dataclass(frozen=True)
class Global:
    """Something a pickle calls by its name, such as "torch.float32"; nothing more is known of it."""

    name: str


@dataclass(eq=False, slots=True)
class Record:
    """An object of some class, inert: what the pickle wrote of it and nothing else.

    Args:
        class_name: Module and name, such as "argparse.Namespace".
        args: What it was made from; an enum has its value here.
        state: Its attributes, a dict as a rule; None where it has none.
        items: What was put in, where it is a list (values) or a mapping (pairs).
    """

    class_name: str
    args: tuple = ()
    state: Any = None
    items: list = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Record({self.class_name!r})"


@dataclass(frozen=True)
class Rules:
    """What a pickle may name, and what it gets.

    Args:
        functions: Name -> answer to a call of it, from the arguments of the call.
        inert: Tells whether another name may stand in the tree; all that is neither is refused.
        persistent: Answers a reference to something outside the pickle.
    """

    functions: Mapping[str, Callable[..., Any]]
    inert: Callable[[str], bool]
    persistent: Callable[[Any], Any]
