"""Whole statements: what kind each is, and what of it is bound.

What changes the schema in other ways than by tables of queries is in `schema_changes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.statement_kinds import word_of
from penstock_core.sql.allowlists.syntax_nodes import OPTION
from penstock_core.sql.bind.binder import Binder, StatementRule
from penstock_core.sql.bind.queries import select_query
from penstock_core.sql.bind.references import SettingChange, StatementUse, TableCreated, TablePart, VerbUse
from penstock_core.sql.bind.schema_changes import call, create_table, drop, schema_change, truncate
from penstock_core.sql.bind.scopes import Scope
from penstock_core.sql.bind.writes import VERBS, copy, write
from penstock_core.sql.decision import Ending

_HOLD = 0x0020  # CURSOR_OPT_HOLD
_DROPPED = enums.OnCommitAction.ONCOMMIT_DROP
_TRANSACTIONS: dict[Any, str] = {
    enums.TransactionStmtKind.TRANS_STMT_BEGIN: "begin",
    enums.TransactionStmtKind.TRANS_STMT_START: "begin",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT: "commit",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK: "rollback",
    enums.TransactionStmtKind.TRANS_STMT_SAVEPOINT: "savepoint",
    enums.TransactionStmtKind.TRANS_STMT_RELEASE: "release",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_TO: "rollback",
    enums.TransactionStmtKind.TRANS_STMT_PREPARE: "prepare transaction",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT_PREPARED: "commit prepared",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_PREPARED: "rollback prepared",
}
# After these the transaction has all that it had.
_GOES_ON = frozenset(
    {
        enums.TransactionStmtKind.TRANS_STMT_BEGIN,
        enums.TransactionStmtKind.TRANS_STMT_START,
        enums.TransactionStmtKind.TRANS_STMT_SAVEPOINT,
        enums.TransactionStmtKind.TRANS_STMT_RELEASE,
    }
)


def statement(binder: Binder, node: ast.Node) -> None:
    """A statement, perhaps one inside another."""
    verb, rule = STATEMENT_RULES.get(type(node), ("", schema_change))
    binder.bound.verbs.append(verb or word_of(node))
    rule(binder, node)


def text_statement(binder: Binder, node: ast.Node) -> None:
    """One of the statements of the text, in their order: what it changes of the session holds for those behind it."""
    statement(binder, node)
    if binder.bound.changes_search_path:
        # What was made under a bare name may be another by now.
        bare = [name for schema, name in binder.names.made if not schema]
        binder.unmakes(bare)
        binder.names = replace(binder.names, search_path=None)
    if binder.bound.temporary:
        binder.names = replace(binder.names, temporary=binder.names.temporary | binder.bound.temporary)


def _select(binder: Binder, node: ast.SelectStmt) -> None:
    binder.add(VerbUse("select"))
    if node.intoClause is not None:
        _into(binder, node.intoClause)
    select_query(binder, node, Scope())
    if node.intoClause is not None:
        binder.makes(node.intoClause.rel)


def _write(binder: Binder, node: Any) -> None:
    write(binder, node, Scope())


def _into(binder: Binder, into: ast.IntoClause, *, certainly: bool = True) -> None:
    """The table that holds what a query read."""
    binder.claim(into)
    for option in into.options or ():
        binder.claim(option, OPTION)
        binder.expression(option.arg, Scope())
    if into.accessMethod:
        binder.add(TablePart("a new table with USING", "leave USING out"))
    created(binder, into.rel, certainly=certainly, dropped=into.onCommit == _DROPPED)


def created(binder: Binder, table: ast.RangeVar | None, *, certainly: bool, dropped: bool) -> None:
    """A table of that name comes to be; `certainly`: or the statement fails; `dropped` at the transaction's end."""
    binder.bound.writes = True
    if table is not None:
        binder.claim(table)
    binder.add(TableCreated(table, certainly))
    if table is not None and is_temporary(table):
        # Under its bare name alone: a schema that another session could reach is none.
        binder.bound.temporary.add(table.relname or "")
        if not dropped:
            binder.bound.outlasts = "a temporary table without ON COMMIT DROP"


def is_temporary(table: ast.RangeVar) -> bool:
    """Whether a table of that name is one of the session's own."""
    return table.relpersistence == "t" or table.schemaname == "pg_temp"


def _setting(binder: Binder, node: ast.VariableSetStmt) -> None:
    kinds = enums.VariableSetKind
    resets = node.kind in (kinds.VAR_RESET, kinds.VAR_RESET_ALL)
    if resets:
        binder.bound.verbs[-1] = "reset"
    binder.claim(node)
    for value in node.args or ():
        binder.expression(value, Scope()) if not isinstance(value, ast.DefElem) else _option(binder, value)
    name = (node.name or "").lower()
    binder.add(SettingChange(node, name))
    if node.kind == kinds.VAR_RESET_ALL or name == "search_path":
        binder.bound.changes_search_path = True
        binder.bound.resets_search_path = resets


def _option(binder: Binder, option: ast.DefElem) -> None:
    binder.claim(option, OPTION)
    binder.expression(option.arg, Scope())


def _transaction(binder: Binder, node: ast.TransactionStmt) -> None:
    binder.bound.verbs[-1] = _TRANSACTIONS.get(node.kind, "transaction")
    binder.claim(node)
    for option in node.options or ():
        _option(binder, option)
    binder.add(StatementUse(node))
    if node.kind not in _GOES_ON:
        binder.unmakes()


def _discard(binder: Binder, node: ast.DiscardStmt) -> None:
    binder.claim(node)
    bound, modes = binder.bound, enums.DiscardMode
    bound.drops_temporary = node.target in (modes.DISCARD_ALL, modes.DISCARD_TEMP)
    if node.target == modes.DISCARD_ALL:
        bound.changes_search_path = bound.resets_search_path = True


# ---- queries that are kept and run in parts


def _prepare(binder: Binder, node: ast.PrepareStmt) -> None:
    binder.claim(node)
    binder.bound.prepares.append(node.name or "")
    binder.expression(node.argtypes, Scope())
    binder.statement(node.query)


def _execute(binder: Binder, node: ast.ExecuteStmt) -> None:
    """What it runs was decided when it was prepared."""
    binder.claim(node)
    binder.bound.executes.append(node.name or "")
    binder.expression(node.params, Scope())
    binder.bound.writes = True
    binder.add(StatementUse(node))


def _declare(binder: Binder, node: ast.DeclareCursorStmt) -> None:
    binder.claim(node)
    holds = bool((node.options or 0) & _HOLD)
    binder.bound.declares.append((node.portalname or "", holds))
    if holds:
        binder.bound.outlasts = "a cursor WITH HOLD"
    binder.statement(node.query)


def _fetch(binder: Binder, node: ast.FetchStmt) -> None:
    binder.claim(node)
    binder.bound.fetches.append(node.portalname or "")
    binder.add(StatementUse(node))


def _deallocate(binder: Binder, node: ast.DeallocateStmt) -> None:
    binder.claim(node)
    binder.bound.deallocates.append(node.name or "*")


def _close(binder: Binder, node: ast.ClosePortalStmt) -> None:
    binder.claim(node)
    binder.bound.closes.append(node.portalname or "*")


def _explain(binder: Binder, node: ast.ExplainStmt) -> None:
    binder.claim(node)
    for option in node.options or ():
        _option(binder, option)
    binder.statement(node.query)
    binder.add(StatementUse(node, after=True))


def _create_table_as(binder: Binder, node: ast.CreateTableAsStmt) -> None:
    if node.objtype != enums.ObjectType.OBJECT_TABLE:
        schema_change(binder, node)
        return
    binder.claim(node)
    if node.into is not None:
        _into(binder, node.into, certainly=not node.if_not_exists)
    binder.statement(node.query)
    if node.into is not None and not node.if_not_exists:
        binder.makes(node.into.rel)


def _create_table(binder: Binder, node: ast.CreateStmt) -> None:
    created(binder, node.relation, certainly=not node.if_not_exists, dropped=node.oncommit == _DROPPED)
    create_table(binder, node)
    if not node.if_not_exists:
        binder.makes(node.relation)


def _nothing(binder: Binder, node: ast.Node) -> None:
    """It gives up what a session has, as pools do, or reads a setting."""
    binder.claim(node)


_ENDING = frozenset(
    {
        enums.TransactionStmtKind.TRANS_STMT_COMMIT,
        enums.TransactionStmtKind.TRANS_STMT_ROLLBACK,
        enums.TransactionStmtKind.TRANS_STMT_PREPARE,
    }
)


def ending(statements: Sequence[ast.Node]) -> Ending:
    """Whether a text ends the transaction, and whether anything stands behind what does."""
    if not any(map(_ends, statements)):
        return "not"
    return "amid" if any(map(_ends, statements[:-1])) else "last"


def _ends(statement: ast.Node) -> bool:
    return isinstance(statement, ast.TransactionStmt) and statement.kind in _ENDING


# The verb that is recorded, and the rule; every other kind changes the schema, or is refused.
STATEMENT_RULES: Mapping[type[ast.Node], tuple[str, StatementRule]] = {
    ast.SelectStmt: ("select", _select),
    **{kind: (verb, _write) for kind, verb in VERBS.items()},
    ast.TransactionStmt: ("transaction", _transaction),
    ast.VariableSetStmt: ("set", _setting),
    ast.DiscardStmt: ("discard", _discard),
    ast.CopyStmt: ("copy", copy),
    ast.VariableShowStmt: ("show", _nothing),
    ast.DeallocateStmt: ("deallocate", _deallocate),
    ast.ClosePortalStmt: ("close", _close),
    ast.UnlistenStmt: ("unlisten", _nothing),
    ast.ConstraintsSetStmt: ("set", _nothing),
    ast.PrepareStmt: ("prepare", _prepare),
    ast.ExecuteStmt: ("execute", _execute),
    ast.DeclareCursorStmt: ("declare", _declare),
    ast.FetchStmt: ("fetch", _fetch),
    ast.ExplainStmt: ("explain", _explain),
    ast.CreateTableAsStmt: ("create", _create_table_as),
    ast.CreateStmt: ("create", _create_table),
    ast.DropStmt: ("drop", drop),
    ast.TruncateStmt: ("truncate", truncate),
    ast.CallStmt: ("call", call),
}
