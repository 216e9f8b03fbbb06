"""Rules for whole statements: what kind each is, and which rules it goes to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.settings import check_set
from penstock_core.sql.allowlists.statement_kinds import word_of
from penstock_core.sql.analysis.utility_statements import UtilityRules
from penstock_core.sql.analysis.writes import VERBS
from penstock_core.sql.refusal import refused
from penstock_core.sql.resolve.scopes import Scope

_TRANSACTIONS: dict[Any, str] = {
    enums.TransactionStmtKind.TRANS_STMT_BEGIN: "begin",
    enums.TransactionStmtKind.TRANS_STMT_START: "begin",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT: "commit",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK: "rollback",
    enums.TransactionStmtKind.TRANS_STMT_SAVEPOINT: "savepoint",
    enums.TransactionStmtKind.TRANS_STMT_RELEASE: "release",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_TO: "rollback",
}
_TWO_PHASE: dict[Any, str] = {
    enums.TransactionStmtKind.TRANS_STMT_PREPARE: "prepare transaction",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT_PREPARED: "commit prepared",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_PREPARED: "rollback prepared",
}


class Rewriter(UtilityRules):
    """All rules together: analyses one statement after another, and changes their trees in place."""

    def statement(self, node: ast.Node) -> None:
        """One statement of the text. Raises Refused."""
        self._dispatch(node)
        self.put_replacements(node)
        # For the statements behind it in the text.
        if self.facts.changes_search_path:
            self.names = replace(self.names, search_path=None)
        if self.facts.temporary:
            self.names = replace(self.names, temporary=self.names.temporary | self.facts.temporary)

    def inner(self, node: ast.Node | None) -> None:
        if node is not None:
            self._dispatch(node)

    def _dispatch(self, node: ast.Node) -> None:
        match node:
            case ast.SelectStmt():
                self.facts.verbs.append("select")
                self.allowed("select")
                if node.intoClause is not None:
                    self.select_into(node)
                else:
                    self.query(node, Scope())
            case ast.InsertStmt() | ast.UpdateStmt() | ast.DeleteStmt() | ast.MergeStmt():
                self.facts.verbs.append(VERBS[type(node)])
                self.write(node, Scope())
            case ast.TransactionStmt():
                self.transaction(node)
            case ast.VariableSetStmt():
                self.setting(node)
            case ast.DiscardStmt():
                self.discard(node)
            case _:
                self.utility(node)

    def utility(self, node: ast.Node) -> None:
        name, rule = _UTILITIES.get(type(node), (word_of(node), "schema_change"))
        self.facts.verbs.append(name)
        if rule:
            getattr(self, rule)(node)

    def transaction(self, node: ast.TransactionStmt) -> None:
        verb = _TRANSACTIONS.get(node.kind)
        self.facts.verbs.append(verb or _TWO_PHASE.get(node.kind, "transaction"))
        if verb is None and (self.masked or node.kind not in _TWO_PHASE):
            raise refused("two-phase commit is not allowed where columns are masked", "use COMMIT")

    def setting(self, node: ast.VariableSetStmt) -> None:
        kinds = enums.VariableSetKind
        resets = node.kind in (kinds.VAR_RESET, kinds.VAR_RESET_ALL)
        self.facts.verbs.append("reset" if resets else "set")
        if check_set(node, self.bounds):
            self.facts.changes_search_path = True
            self.facts.resets_search_path = resets

    def discard(self, node: ast.DiscardStmt) -> None:
        self.facts.verbs.append("discard")
        self.facts.drops_temporary = node.target in (enums.DiscardMode.DISCARD_ALL, enums.DiscardMode.DISCARD_TEMP)
        if node.target == enums.DiscardMode.DISCARD_ALL:
            self.facts.changes_search_path = self.facts.resets_search_path = True


# The verb that is recorded, and the rule. What has none passes: it gives up what a session has, as pools do, or reads a
# setting.
_UTILITIES: dict[type[ast.Node], tuple[str, str]] = {
    ast.CopyStmt: ("copy", "copy"),
    ast.VariableShowStmt: ("show", ""),
    ast.DeallocateStmt: ("deallocate", "deallocate"),
    ast.ClosePortalStmt: ("close", "close"),
    ast.UnlistenStmt: ("unlisten", ""),
    ast.ConstraintsSetStmt: ("set", ""),
    ast.PrepareStmt: ("prepare", "prepare"),
    ast.ExecuteStmt: ("execute", "execute"),
    ast.DeclareCursorStmt: ("declare", "declare"),
    ast.FetchStmt: ("fetch", "fetch"),
    ast.ExplainStmt: ("explain", "explain"),
    ast.CreateTableAsStmt: ("create", "create_table_as"),
    ast.CreateStmt: ("create", "create_table"),
    ast.DropStmt: ("drop", "drop"),
    ast.TruncateStmt: ("truncate", "truncate"),
    ast.CallStmt: ("call", "call"),
}
