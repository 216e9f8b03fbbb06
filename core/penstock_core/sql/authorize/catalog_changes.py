"""Which statements may change the catalog, and so what the statements of other sessions mean.

Whatever is not known to leave the catalog alone counts as changing it. Keeping other sessions from deciding by the
catalog of before is the sidecar's business; whether a statement is allowed at all is decided by the other rules.
"""

from __future__ import annotations

import re
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.statement_kinds import CHANGING_WORDS
from penstock_core.sql.catalog.model import Catalog

_WORDS = re.compile(CHANGING_WORDS.replace(r"\m", r"\b").replace(r"\M", r"\b"), re.IGNORECASE)
_WORD = re.compile(r"[^\W\d][\w$]*")

# Statements that leave the meaning of every name as it is: they read or change data, statistics, storage, the session,
# or words about an object.
_LEAVES_IT: frozenset[type[ast.Node]] = frozenset(
    {
        ast.ClosePortalStmt,
        ast.CommentStmt,
        ast.ConstraintsSetStmt,
        ast.CopyStmt,
        ast.DeallocateStmt,
        ast.DeleteStmt,
        ast.DiscardStmt,
        ast.ExecuteStmt,  # what it runs was looked at when it was prepared
        ast.FetchStmt,  # likewise
        ast.InsertStmt,
        ast.ListenStmt,
        ast.LockStmt,
        ast.MergeStmt,
        ast.NotifyStmt,
        ast.RefreshMatViewStmt,
        ast.ReindexStmt,
        ast.SelectStmt,
        ast.TruncateStmt,
        ast.UnlistenStmt,
        ast.UpdateStmt,
        ast.VacuumStmt,
        ast.VariableSetStmt,
        ast.VariableShowStmt,
    }
)
# Statements that commit on their own, before they have ended or several times; and COPY, which takes no portal.
_COMMITS_ITSELF: frozenset[type[ast.Node]] = frozenset({ast.CallStmt, ast.ClusterStmt, ast.CopyStmt, ast.DoStmt})
_READS = (ast.SelectStmt, ast.CopyStmt, ast.RefreshMatViewStmt)
_WRITES = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt, ast.CopyStmt, ast.TruncateStmt)
_TWO_PHASE = enums.TransactionStmtKind.TRANS_STMT_COMMIT_PREPARED


def changes_catalog(node: Any, catalog: Catalog) -> bool:
    """Whether that statement may change the catalog by what it is; what it calls by name is not looked at."""
    match node:
        case ast.PrepareStmt() | ast.DeclareCursorStmt() | ast.ExplainStmt():
            return changes_catalog(node.query, catalog)
        case ast.TransactionStmt():
            return node.kind == _TWO_PHASE
        case ast.DoStmt():
            return any(_code_changes(text, catalog) for text in _texts(node))
        case ast.CallStmt():
            return catalog.reads_change
        case ast.CreateStmt():
            return not _is_temporary(node.relation)
        case ast.CreateTableAsStmt():
            into = node.into
            return into is None or not _is_temporary(into.rel) or changes_catalog(node.query, catalog)
        case ast.SelectStmt() if node.intoClause is not None and not _is_temporary(node.intoClause.rel):
            return True
        case ast.DropStmt():
            return not _drops_temporary(node)
    if isinstance(node, _READS) and catalog.reads_change:
        return True
    if isinstance(node, _WRITES) or (isinstance(node, ast.SelectStmt) and node.withClause is not None):
        return catalog.reads_change or catalog.writes_change
    return type(node) not in _LEAVES_IT


def commits_itself(node: Any) -> bool:
    """Whether the statement may commit what it does before it has ended: it can't be held back at its COMMIT."""
    match node:
        case ast.IndexStmt() | ast.DropStmt():
            return bool(node.concurrent)
        case ast.AlterTableStmt():
            return any(isinstance(one.def_, ast.PartitionCmd) and one.def_.concurrent for one in node.cmds or ())
        case ast.TransactionStmt():
            return node.kind == _TWO_PHASE
    return type(node) in _COMMITS_ITSELF


def _code_changes(text: str, catalog: Catalog) -> bool:
    """Whether that code may change the catalog, by its words."""
    return (
        catalog.reads_change
        or catalog.writes_change
        or _WORDS.search(text) is not None
        or any(word.lower() in catalog.changing_functions for word in _WORD.findall(text))
    )


def _texts(node: ast.DoStmt) -> list[str]:
    return [arg.arg.sval for arg in node.args or () if isinstance(getattr(arg, "arg", None), ast.String)]


def _is_temporary(relation: ast.RangeVar | None) -> bool:
    return relation is not None and (relation.relpersistence == "t" or relation.schemaname == "pg_temp")


def _drops_temporary(node: ast.DropStmt) -> bool:
    """By their names, as the rules leave them that know which tables are temporary."""
    return all(isinstance(one, tuple) and len(one) > 1 and one[-2].sval == "pg_temp" for one in node.objects or ())
