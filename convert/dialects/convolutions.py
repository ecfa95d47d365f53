"""fairseq's conv_feature_layers: a text that fairseq evaluates as Python; here it is only read."""

import ast

from convert.dialects.errors import DialectError

MAX_CONVS, MAX_TEXT = 64, 2000


def parse_convolutions(source: str, text: str) -> list[tuple[int, int, int]]:
    """Reads conv_feature_layers, a list written as an expression of Python, without evaluating it.

    >>> parse_convolutions("here", "[(512, 10, 5)] + [(512, 3, 2)] * 2")
    [(512, 10, 5), (512, 3, 2), (512, 3, 2)]

    Args:
        source: What messages call the checkpoint.
        text: Lists of (channels, kernel, stride), joined by + and repeated by *.
    Raises:
        DialectError: It is anything else.
    """
    try:
        if len(text) > MAX_TEXT:
            raise ValueError("too long")
        layers = _evaluated(ast.parse(text.strip(), mode="eval").body)
        if not layers or not all(len(layer) == 3 and min(layer) > 0 for layer in layers):
            raise ValueError("no layers")
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise DialectError(
            f"{source}: the fairseq option conv_feature_layers is {text!r:.80}, not lists of "
            f"(channels, kernel, stride) joined by + and repeated by *, at most {MAX_CONVS} layers."
        ) from error
    return layers


def _evaluated(node: ast.AST) -> list:
    if isinstance(node, ast.List):
        found = [tuple(_whole(item) for item in layer.elts) for layer in node.elts if isinstance(layer, ast.Tuple)]
        if len(found) < len(node.elts):
            raise ValueError("a list of something else")
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found = _evaluated(node.left) + _evaluated(node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        found = _evaluated(node.left) * min(_whole(node.right), MAX_CONVS + 1)
    else:
        raise ValueError("another expression")
    if len(found) > MAX_CONVS:
        raise ValueError("too many layers")
    return found


def _whole(node: ast.AST) -> int:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    raise ValueError("no whole number")
