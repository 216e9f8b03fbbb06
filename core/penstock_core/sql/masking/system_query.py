"""What goes in place of a system relation of which something must not show: the query of its columns, those as NULL or
as what stands for "not known" there.

Which columns these are is data (`penstock_core.sql.allowlists.system_relations`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pglast import ast

from penstock_core.sql.allowlists.system_relations import NOT_KNOWN
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.parse import parse


@dataclass(slots=True)
class SystemQuery:
    """The query for one system relation where it stands in a statement."""

    relation: tuple[str, str]
    columns: tuple[str, ...]
    hidden: frozenset[str]
    # The condition on the rows that show; empty where all do.
    rows: str = ""
    # System columns that the statement names, and whether it reads the row as a whole, in which they are not.
    wanted: set[str] = field(default_factory=set)
    whole: bool = False

    def tree(self) -> ast.SelectStmt:
        """The query. Raises Refused where the statement asks for what no query has."""
        schema, name = self.relation
        if self.wanted and self.whole:
            raise refused(f"{name} is read as a whole beside its {min(self.wanted)}", "name the columns you need")
        source = ast.RangeVar(schemaname=schema, relname=name, inh=True, relpersistence="p")
        return ast.SelectStmt(
            targetList=tuple(map(self._target, (*self.columns, *sorted(self.wanted)))),
            fromClause=(source,),
            whereClause=_condition(self.rows),
        )

    def _target(self, column: str) -> ast.ResTarget:
        value: ast.Node = ast.ColumnRef(fields=(ast.String(sval=column),))
        instead = NOT_KNOWN.get((self.relation[1], column))
        if column in self.hidden and instead is not None:
            value = _expression(instead)
        elif column in self.hidden:
            # NULL of the column's type, whatever that is on this server; the column itself is never computed.
            never = ast.A_Const(isnull=False, val=ast.Boolean(boolval=False))
            value = ast.CaseExpr(args=(ast.CaseWhen(expr=never, result=value),))
        return ast.ResTarget(name=column, val=value)


def _expression(text: str) -> ast.Node:
    (statement,) = parse(f"SELECT {text}")
    (target,) = (isinstance(statement, ast.SelectStmt) and statement.targetList) or ()
    return target.val  # type: ignore[no-any-return]


def _condition(text: str) -> ast.Node | None:
    if not text:
        return None
    (statement,) = parse(f"SELECT WHERE {text}")
    return statement.whereClause if isinstance(statement, ast.SelectStmt) else None
