"""Constants that are written out in a text. What an expression of constants comes to is the server's business."""

from __future__ import annotations

from typing import Any

from pglast import ast


def constant(node: Any) -> str | None:
    """The text of a constant that is written out; None for anything else."""
    if isinstance(node, ast.TypeCast):
        return constant(node.arg)
    if not isinstance(node, ast.A_Const):
        return None
    match node.val:
        case ast.String(sval=text):
            return text
        case ast.Integer(ival=number):
            return str(number)
        case ast.Boolean(boolval=truth):
            return "on" if truth else "off"
        case _:
            return None
