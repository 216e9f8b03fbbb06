"""What shows of a sequence that numbers a masked column: what it had when it was made, and no number of any row.

So a dump of it can be restored, as one of a table that holds no rows yet. Which sequences these are is known to
`masked_columns.py`.
"""

from __future__ import annotations

from collections.abc import Collection

from pglast import ast, enums

from penstock_core.sql.catalog.model import Relation, RelationName
from penstock_core.sql.masking.build import cast, integer, operator
from penstock_core.sql.syntax.parse import parse
from penstock_core.sql.syntax.walk import below

# The function that tells what a sequence is at.
STATE = "pg_get_sequence_data"
_COLUMNS = "last_value", "log_cnt", "is_called"

_STATE_OF = """
SELECT FROM LATERAL (
    SELECT CASE WHEN s.seqstart IS NULL THEN d.last_value ELSE s.seqstart END AS last_value,
        CASE WHEN s.seqstart IS NULL THEN d.is_called ELSE false END AS is_called
    FROM (SELECT NULL AS sequence) AS a
    CROSS JOIN LATERAL pg_catalog.pg_get_sequence_data(a.sequence) AS d
    LEFT JOIN (
        SELECT q.seqrelid, q.seqstart
        FROM pg_catalog.pg_sequence AS q
        JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) q.seqrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE {those}
    ) AS s ON s.seqrelid OPERATOR(pg_catalog.=) a.sequence
)
"""


def column(sequence: Relation, name: str) -> ast.Node | None:
    """What shows in that column of the sequence; None for what sequences do not have."""
    if name not in _COLUMNS:
        return None
    if name == "log_cnt":
        return cast(integer(0), "pg_catalog.int8")
    if name == "is_called":
        return ast.A_Const(isnull=False, val=ast.Boolean(boolval=False))
    own = ast.ColumnRef(fields=tuple(ast.String(sval=part) for part in (sequence.schema, sequence.name, "tableoid")))
    start = ast.SelectStmt(
        targetList=(ast.ResTarget(val=_column("seqstart")),),
        fromClause=(ast.RangeVar(schemaname="pg_catalog", relname="pg_sequence", inh=True, relpersistence="p"),),
        whereClause=operator("=", _column("seqrelid"), own),
    )
    return ast.SubLink(subLinkType=enums.SubLinkType.EXPR_SUBLINK, subselect=start)


def state_of(call: ast.FuncCall, alias: ast.Alias, hidden: Collection[RelationName]) -> ast.Node:
    """What goes in FROM in place of that call of `STATE`, under that alias.

    What it was called with stands apart from what it is joined with, so that no name in it comes to mean anything else.
    """
    those = " OR ".join(
        f"(n.nspname OPERATOR(pg_catalog.=) {_literal(schema)} AND c.relname OPERATOR(pg_catalog.=) {_literal(name)})"
        for schema, name in sorted(hidden)
    )
    (argument,) = call.args or ()
    (statement,) = parse(_STATE_OF.format(those=those))
    nodes = tuple(below(statement))
    (asked,) = (one for one in nodes if isinstance(one, ast.ResTarget) and one.name == "sequence")
    asked.val = cast(argument, "pg_catalog.regclass")
    made = next(one for one in nodes if isinstance(one, ast.RangeSubselect))
    made.alias = alias
    return made


def _column(name: str) -> ast.ColumnRef:
    return ast.ColumnRef(fields=(ast.String(sval=name),))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
