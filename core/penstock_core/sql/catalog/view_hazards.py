"""What in a definition of the database's own (a view, a row security policy) reading would run or show unseen.

The server records no dependency on its own functions and catalogs, so they are looked for in the definition's text, as
printed while only pg_catalog is in the path: a bare name is one of the system's.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pglast import ast, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.allowlists.functions import FUNCTIONS
from penstock_core.sql.allowlists.system_relations import CATALOGS, INFORMATION_SCHEMA, SYSTEM_SCHEMAS
from penstock_core.sql.syntax.walk import below


@lru_cache(maxsize=1)
def _read(definition: str) -> tuple[list[ast.Node], set[str | None]] | None:
    """All that is in a definition, and the tables of WITH among it; None where it is not understood. Kept for whoever
    asks for more about the same one.
    """
    try:
        nodes = [node for statement in parse_sql(definition) for node in below(statement.stmt, locked=False)]
    except (ParseError, RecursionError):
        return None
    return nodes, {node.ctename for node in nodes if isinstance(node, ast.CommonTableExpr)}


def passes_on(definition: str) -> bool:
    """Whether writing to that view may write to a relation of the system's own: to settings, say."""
    read = _read(definition)
    if read is None:
        return True
    nodes, tables = read
    return any(
        isinstance(node, ast.RangeVar)
        and (node.schemaname or "pg_catalog") in SYSTEM_SCHEMAS
        and (node.schemaname or node.relname not in tables)
        for node in nodes
    )


def hazards(definition: str) -> tuple[str, ...]:
    """In words, what masked identities may not use themselves but the definition does; sorted."""
    read = _read(definition)
    if read is None:
        return ("a definition that was not understood",)
    nodes, tables = read
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FuncCall):
            *schema, name = [part.sval or "" for part in node.funcname or ()]
            # Functions in other schemas are the user's or an extension's, whose dependencies are recorded.
            if schema in ([], ["pg_catalog"]) and name not in FUNCTIONS:
                found.add(f"function {name}")
        elif isinstance(node, ast.RangeVar):
            found.update(_of_relation(node, tables))
    return tuple(sorted(found))


def _of_relation(node: ast.RangeVar, tables: set[str | None]) -> Iterator[str]:
    schema, name = node.schemaname or "", node.relname or ""
    if schema not in ("", "pg_catalog", "information_schema") or (not schema and name in tables):
        return
    allowed = INFORMATION_SCHEMA if schema == "information_schema" else CATALOGS
    if name not in allowed or allowed[name]:
        yield f"{schema or 'pg_catalog'}.{name}"
