"""Renaming by a table of patterns: the common part of the dialects."""

import re
from collections.abc import Sequence


def renamed(name: str, table: Sequence[tuple[str, str]]) -> str:
    r"""Gives the name that the first row with a fitting pattern makes of a name; unchanged where none fits.

    >>> renamed("layers.3.fc1.bias", [(r"layers\.(\d+)\.fc1", r"blocks.\1.dense")])
    'blocks.3.dense.bias'

    Args:
        name: Whole, as in the file.
        table: Rows of (pattern that the name begins with, replacement); what follows the match is kept.
    """
    for pattern, replacement in table:
        match = re.match(pattern, name)
        if match:
            return match.expand(replacement) + name[match.end() :]
    return name
