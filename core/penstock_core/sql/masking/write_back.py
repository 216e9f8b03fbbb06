"""What is stored where a statement sets a masked column to what it read of it: what was there.

Object mappers save whole rows. With `writeBack: ignore`, `SET email = $1` becomes a CASE: the stored value where $1 is
the column's own mask, which the client may read anyway; else the new value if the mask allows that, and an error if
not.
"""

from __future__ import annotations

from pglast import ast, enums

from penstock_core.sql.catalog.model import Column
from penstock_core.sql.masking.build import call, case, cast, integer, null, operator, text

# Types whose values have no equality of their own.
_COMPARED_AS_TEXT = frozenset(f"pg_catalog.{name}" for name in ("json", "xml", "point", "polygon", "txid_snapshot"))


def kept_or_set(value: ast.Node, column: Column, mask: ast.Node, source: str, *, writable: bool) -> ast.Node:
    """What takes the value's place. `mask` is the column's mask there, `source` what the target is called."""
    given: ast.Node = cast(value, column.cast_type)
    shown = mask
    if column.base_type in _COMPARED_AS_TEXT:
        given, shown = cast(given, "pg_catalog.text"), cast(mask, "pg_catalog.text")
    same = ast.A_Expr(kind=enums.A_Expr_Kind.AEXPR_NOT_DISTINCT, name=(ast.String(sval="="),), lexpr=given, rexpr=shown)
    return case([(same, _field(source, column.name))], value if writable else _failing(column, source))


def _failing(column: Column, source: str) -> ast.Node:
    """An error where it is computed, of the column's type. It names the row's table, or it would fail beforehand."""
    said = call("concat", text("a masked column may be set to its own mask alone: "), _field(source, "tableoid"))
    return cast(case([(operator(">", cast(said, "pg_catalog.int4"), integer(0)), null())], null()), column.cast_type)


def _field(source: str, name: str) -> ast.ColumnRef:
    return ast.ColumnRef(fields=(ast.String(sval=source), ast.String(sval=name)))
