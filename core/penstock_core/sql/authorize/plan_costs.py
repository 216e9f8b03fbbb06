"""Which texts are held to `maxPlanCost`, and what the planner is asked about for them. The asking is the session's.

What the planner estimates is asked by EXPLAIN, for the statement as it runs. So what EXPLAIN does not take (CALL, COPY
… FROM, changes of the schema) is not held to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pglast import ast

from penstock_core.policy.effective import CostLimit
from penstock_core.sql.bind.writes import Writing
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.deparse import deparse

_AS_THEY_ARE = (
    ast.SelectStmt,
    *Writing.__args__,
    ast.CreateTableAsStmt,
    ast.DeclareCursorStmt,
    ast.ExecuteStmt,
)


def cost_limit(limit: CostLimit | None, statements: Sequence[ast.Node]) -> CostLimit | None:
    """The limit, if it is to be kept of that text. Raises Refused where it could not be."""
    if limit is None or not any(is_planned(statement) for statement in statements):
        return None
    if len(statements) > 1:
        reason = "several statements in one text cannot be limited in what the planner estimates that they cost"
        raise refused(reason, "send the statements one by one", limit.rule)
    return limit


def priced(statement: ast.Node, known: Mapping[int, str]) -> str:
    """What EXPLAIN is to be asked about in place of the text itself; empty where that is the text. Raises Refused."""
    if not isinstance(statement, ast.ExplainStmt | ast.CopyStmt):
        return ""
    if statement.query is not None:
        return deparse((statement.query,), known)
    if isinstance(statement, ast.ExplainStmt):
        return ""
    star = ast.ResTarget(val=ast.ColumnRef(fields=(ast.A_Star(),)))
    return deparse((ast.SelectStmt(targetList=(star,), fromClause=(statement.relation,)),), known)


def is_planned(statement: ast.Node) -> bool:
    """Whether the server plans it, and runs the plan."""
    if isinstance(statement, ast.ExplainStmt):
        return any(one.defname == "analyze" for one in statement.options or ())
    return isinstance(statement, _AS_THEY_ARE) or (isinstance(statement, ast.CopyStmt) and not statement.is_from)
