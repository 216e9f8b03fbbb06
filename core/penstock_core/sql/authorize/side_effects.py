"""Functions that do something besides computing a value, where masked identities may call them.

Such a call must not tell how often it was made, or for which row last: that depends on the order in which a plan looks
at rows. So it stands apart from masked columns, or is made once: in a query that aggregates all of its rows into one.
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.functions import AGGREGATES
from penstock_core.sql.bind.scopes import Scope
from penstock_core.sql.syntax.walk import below


def is_steady(call: ast.FuncCall) -> bool:
    """Whether the call is the same for each row: its arguments name no column and hold no query."""
    return not any(
        isinstance(node, (ast.ColumnRef, ast.SubLink)) for argument in call.args or () for node in below(argument)
    )


def is_made_once(call: ast.FuncCall, scope: Scope) -> bool:
    """Whether its arguments are aggregates of a query without groups that no other query surrounds."""
    _, *around = scope.levels()
    if scope.grouped or any(level.sources for level in around):
        return False
    aggregates = [node for argument in call.args or () for node in below(argument) if _is_aggregate(node)]
    inside = {id(node) for aggregate in aggregates for node in below(aggregate)}
    loose = [
        node
        for argument in call.args or ()
        for node in below(argument)
        if isinstance(node, (ast.ColumnRef, ast.SubLink)) and id(node) not in inside
    ]
    return bool(aggregates) and not loose


def _is_aggregate(node: Any) -> bool:
    return (
        isinstance(node, ast.FuncCall)
        and node.over is None
        and (node.funcname or ())[-1].sval in AGGREGATES
        and (len(node.funcname or ()) == 1 or (node.funcname or ())[0].sval == "pg_catalog")
    )
