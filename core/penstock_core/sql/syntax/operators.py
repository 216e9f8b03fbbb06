"""What an operator in a statement is called.

What doesn't belong: what it does to which types (`catalog`), what it compares (`guardrails.comparisons`).
"""

from __future__ import annotations

from pglast import ast


def operator_of(node: ast.A_Expr) -> str:
    """The operator's name, without its schema."""
    last = (node.name or (None,))[-1]
    return last.sval or "" if isinstance(last, ast.String) else ""
