"""Forms that the server recognizes by a bare name, written so that they mean the same with a schema before it.

In PostgreSQL that is one: `unnest` of several arrays in FROM. All other syntax of its own (`EXTRACT`, `TRIM`,
`COALESCE`, `XMLTABLE`, …) the parser turns into nodes or into calls that are qualified already.
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from penstock_core.sql.syntax.walk import below


def spread_forms(text: str, statements: tuple[ast.Node, ...]) -> None:
    """Write such forms anew in the statements of that text."""
    # Written with escapes, the name is not found: the call is refused by the server then, as one of two arguments.
    if "unnest" not in text.lower():
        return
    for statement in statements:
        for node in below(statement):
            if isinstance(node, ast.RangeFunction):
                spread_unnest(node)


def spread_unnest(item: ast.RangeFunction) -> None:
    """`unnest(a, b)` as `ROWS FROM (unnest(a), unnest(b))`, which is what the server makes of it.

    Whatever functions of that name there are: it takes `pg_catalog.unnest` for each array.
    """
    functions: list[Any] = []
    for pair in item.functions or ():
        function, definitions = pair
        if _is_unnest(function) and not definitions:
            functions.extend((_unnest(array), None) for array in function.args)
        else:
            functions.append(pair)
    if len(functions) > len(item.functions or ()) and not item.coldeflist:
        item.functions = tuple(functions)
        item.is_rowsfrom = True


def _is_unnest(function: Any) -> bool:
    """By the server's own conditions (transformRangeFunction in parse_clause.c)."""
    if not isinstance(function, ast.FuncCall) or len(function.args or ()) < 2 or len(function.funcname or ()) != 1:
        return False
    plain = not (
        function.agg_order or function.agg_filter or function.over or function.agg_star or function.agg_distinct
    )
    named = any(isinstance(argument, ast.NamedArgExpr) for argument in function.args or ())
    return plain and not function.func_variadic and not named and (function.funcname or ())[0].sval == "unnest"


def _unnest(array: ast.Node) -> ast.FuncCall:
    return ast.FuncCall(
        funcname=(ast.String(sval="pg_catalog"), ast.String(sval="unnest")),
        args=(array,),
    )
