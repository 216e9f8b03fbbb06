"""Rules for whole statements: what kind each is, and which kinds pass; queries and writing ones go to their rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast import ast, enums

from penstock_core.sql.refusal import not_supported, refused
from penstock_core.sql.scope import Scope
from penstock_core.sql.settings import check_set
from penstock_core.sql.writes import VERBS, WriteRules

_TRANSACTIONS: dict[Any, str] = {
    enums.TransactionStmtKind.TRANS_STMT_BEGIN: "begin",
    enums.TransactionStmtKind.TRANS_STMT_START: "begin",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT: "commit",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK: "rollback",
    enums.TransactionStmtKind.TRANS_STMT_SAVEPOINT: "savepoint",
    enums.TransactionStmtKind.TRANS_STMT_RELEASE: "release",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_TO: "rollback",
}

_VERBS_OF_RELEASE: dict[type[ast.Node], str] = {
    ast.DeallocateStmt: "deallocate",
    ast.ClosePortalStmt: "close",
    ast.UnlistenStmt: "unlisten",
}

# What is refused by name, and what to do instead; others are named by their node's class.
_REFUSED: dict[type[ast.Node], tuple[str, str]] = {
    ast.ExplainStmt: ("EXPLAIN", "run the statement itself"),
    ast.DeclareCursorStmt: ("DECLARE CURSOR", "fetch in portions by LIMIT, or by your driver's portals"),
    ast.FetchStmt: ("FETCH", "fetch in portions by LIMIT, or by your driver's portals"),
    ast.PrepareStmt: ("PREPARE", "use your driver's prepared statements"),
    ast.ExecuteStmt: ("EXECUTE", "use your driver's prepared statements"),
    ast.MergeStmt: ("MERGE", "use INSERT … ON CONFLICT, or UPDATE and INSERT"),
    ast.CreateTableAsStmt: ("CREATE TABLE AS", "ask the database's owner for the table"),
    ast.CreateStmt: ("CREATE TABLE", "ask the database's owner for the table"),
    ast.ViewStmt: ("CREATE VIEW", "ask the database's owner for the view"),
    ast.IndexStmt: ("CREATE INDEX", "ask the database's owner for the index"),
    ast.RuleStmt: ("CREATE RULE", "ask the database's owner for it"),
    ast.CreateTrigStmt: ("CREATE TRIGGER", "ask the database's owner for it"),
    ast.CreateSeqStmt: ("CREATE SEQUENCE", "ask the database's owner for it"),
    ast.DefineStmt: ("CREATE of an aggregate, operator or type", "ask the database's owner for it"),
    ast.RenameStmt: ("ALTER … RENAME", "ask the database's owner to do it"),
    ast.SecLabelStmt: ("SECURITY LABEL", "ask the database's owner to do it"),
    ast.RefreshMatViewStmt: ("REFRESH MATERIALIZED VIEW", "ask the database's owner to do it"),
    ast.TruncateStmt: ("TRUNCATE", "use DELETE"),
    ast.DoStmt: ("DO", "send the statements themselves"),
    ast.CallStmt: ("CALL", "send the statements themselves"),
    ast.LockStmt: ("LOCK", "use SELECT … FOR UPDATE"),
    ast.ListenStmt: ("LISTEN", "poll a table"),
    ast.NotifyStmt: ("NOTIFY", "write to a table"),
    ast.VacuumStmt: ("VACUUM or ANALYZE", "leave it to autovacuum"),
}


class Rewriter(WriteRules):
    """All rules together: analyses one statement after another, and changes their trees in place."""

    def statement(self, node: ast.Node) -> None:
        """One statement of the text. Raises Refused."""
        self._dispatch(node)
        if self.facts.changes_search_path:
            # For the statements behind it in the text.
            self.names = replace(self.names, search_path=None)

    def _dispatch(self, node: ast.Node) -> None:
        match node:
            case ast.SelectStmt():
                self.facts.verbs.append("select")
                self.allowed("select")
                self.query(node, Scope())
            case ast.InsertStmt() | ast.UpdateStmt() | ast.DeleteStmt():
                self.facts.verbs.append(VERBS[type(node)])
                self.write(node, Scope())
            case ast.CopyStmt():
                self.facts.verbs.append("copy")
                self.copy(node)
            case ast.TransactionStmt():
                self.transaction(node)
            case ast.VariableSetStmt():
                self.setting(node)
            case ast.VariableShowStmt():
                self.facts.verbs.append("show")
            case ast.DiscardStmt():
                self.discard(node)
            case ast.DeallocateStmt() | ast.ClosePortalStmt() | ast.UnlistenStmt():
                # They give up what a session has; pools send them.
                self.facts.verbs.append(_VERBS_OF_RELEASE[type(node)])
            case _:
                self.refuse(node)

    def transaction(self, node: ast.TransactionStmt) -> None:
        verb = _TRANSACTIONS.get(node.kind)
        self.facts.verbs.append(verb or "prepare transaction")
        if verb is None:
            raise refused("two-phase commit is not allowed", "use COMMIT")

    def setting(self, node: ast.VariableSetStmt) -> None:
        kinds = enums.VariableSetKind
        resets = node.kind in (kinds.VAR_RESET, kinds.VAR_RESET_ALL)
        self.facts.verbs.append("reset" if resets else "set")
        if check_set(node, self.catalog.setting_prefixes, self.governed.policies.statement_timeout):
            self.facts.changes_search_path = True
            self.facts.resets_search_path = resets

    def discard(self, node: ast.DiscardStmt) -> None:
        self.facts.verbs.append("discard")
        if node.target == enums.DiscardMode.DISCARD_ALL:
            self.facts.changes_search_path = self.facts.resets_search_path = True

    def refuse(self, node: ast.Node) -> None:
        """Whatever is not known to be harmless, in words that name it."""
        known = _REFUSED.get(type(node))
        name, remedy = known or (_in_words(type(node)), "ask the database's owner to do it")
        self.facts.verbs.append(name.split()[0].lower())
        # What it would do is not known.
        self.facts.writes = True
        raise not_supported(name, remedy)


def _in_words(kind: type[ast.Node]) -> str:
    """`AlterTableStmt` as ALTER TABLE."""
    name = kind.__name__.removesuffix("Stmt")
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name).strip().upper()
