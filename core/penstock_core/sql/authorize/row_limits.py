"""Which texts are held to `maxRowsReturned`: those that may return rows. The counting is the session's.

The gate has the server stop at the limit, which it can for one statement at a time and not for COPY. So what can't be
held to the limit is refused, where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence

from pglast import ast

from penstock_core.policy.effective import Limit
from penstock_core.sql.allowlists.statement_kinds import kind_of
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.writes import Writing
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.refusal import refused

# What answers with a tag and never with rows. Anything else may.
_SILENT = (
    ast.TransactionStmt,
    ast.VariableSetStmt,
    ast.DiscardStmt,
    ast.DeallocateStmt,
    ast.ClosePortalStmt,
    ast.UnlistenStmt,
    ast.DeclareCursorStmt,
    ast.PrepareStmt,
    ast.ConstraintsSetStmt,
    ast.DropStmt,
    ast.TruncateStmt,
)


def row_limit(limit: Limit | None, statements: Sequence[ast.Node], bound: Bound, catalog: Catalog) -> Limit | None:
    """The limit, if it is to be kept of that text. Raises Refused where it could not be."""
    if limit is None or not any(_may_return_rows(statement, bound, catalog) for statement in statements):
        return None
    if any(isinstance(statement, ast.CopyStmt) for statement in statements):
        raise refused("COPY … TO cannot be limited to a number of rows", "use SELECT", limit.rule)
    if len(statements) > 1:
        reason = "several statements in one text cannot be limited to a number of rows"
        raise refused(reason, "send the statements one by one", limit.rule)
    return limit


def _may_return_rows(statement: ast.Node, bound: Bound, catalog: Catalog) -> bool:
    if isinstance(statement, ast.CopyStmt):
        return not statement.is_from
    if isinstance(statement, Writing):
        return statement.returningClause is not None or _may_be_rewritten(bound, catalog)
    changes = kind_of(statement) is not None
    return not (changes or isinstance(statement, _SILENT))


def _may_be_rewritten(bound: Bound, catalog: Catalog) -> bool:
    """Whether rules of the database's own (of a view's base table, perhaps) could add a SELECT to a write."""
    relations = [catalog.relations.get(key) for key in bound.relations]
    return any(relation is None or relation.has_rules or relation.kind == "v" for relation in relations)
