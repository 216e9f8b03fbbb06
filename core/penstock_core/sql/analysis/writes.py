"""Rules for statements that write: INSERT, UPDATE, DELETE, MERGE, alone or in WITH, and COPY.

What they read besides the target is a query like any other; the target itself is `write_targets.py`'s.
"""

from __future__ import annotations

from pglast import ast, enums

from penstock_core.sql.allowlists.words import words
from penstock_core.sql.analysis import write_targets
from penstock_core.sql.analysis.expressions import idents, strings
from penstock_core.sql.analysis.stars import selected
from penstock_core.sql.analysis.write_targets import Effect, TargetRules, target_name
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.guardrails.require_where import Target, chooses
from penstock_core.sql.refusal import refused
from penstock_core.sql.resolve.column_names import select_columns, star_of
from penstock_core.sql.resolve.name_resolution import unknown_relation
from penstock_core.sql.resolve.scopes import Columns, Scope, Source

Writing = ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt
VERBS: dict[type[ast.Node], str] = {
    ast.InsertStmt: "insert",
    ast.UpdateStmt: "update",
    ast.DeleteStmt: "delete",
    ast.MergeStmt: "merge",
}
_ACTIONS: dict[enums.CmdType | None, str] = {
    enums.CmdType.CMD_INSERT: "insert",
    enums.CmdType.CMD_UPDATE: "update",
    enums.CmdType.CMD_DELETE: "delete",
}
_UNMATCHED = enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE
_MISSING = enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_TARGET


class WriteRules(TargetRules):
    """Adds the statements that write to the rules for queries."""

    def writing_query(self, statement: ast.Node | None, around: Scope) -> Columns:
        if isinstance(statement, Writing):
            return self.write(statement, around)
        return super().writing_query(statement, around)

    def write(self, statement: Writing, around: Scope) -> Columns:
        """Analyse a writing statement; returns the columns of its RETURNING."""
        self.facts.writes = True
        scope = Scope([], around, around.ctes)
        match statement:
            case ast.InsertStmt():
                target = self.insert(statement, scope)
            case ast.UpdateStmt() | ast.DeleteStmt():
                target = self.change(statement, scope)
            case ast.MergeStmt():
                target = self.merge(statement, scope)
        return self.returning(statement.returningClause, target, scope)

    def insert(self, statement: ast.InsertStmt, scope: Scope) -> Source:
        self.allowed("insert")
        self.common_tables(statement.withClause, scope)
        conflict = statement.onConflictClause
        changes = write_targets.sets(conflict.targetList if conflict is not None else None)
        effect = write_targets.INSERT if not changes else Effect("insert", frozenset({"insert", "update"}), changes)
        target, _ = self.target(statement.relation, effect, scope.ctes)
        if statement.selectStmt is not None:
            self.query(statement.selectStmt, scope)
        scope.sources.append(target)
        self.expression(statement.cols, scope)
        if conflict is None:
            return target
        inside = Scope([target, Source("excluded", target.columns)], scope.parent, scope.ctes)
        if conflict.infer is not None:
            for element in conflict.infer.indexElems or ():
                self.expression(element.expr, scope)
            self.expression(conflict.infer.whereClause, scope)
        if conflict.targetList:
            self.allowed("update")
            self._shows_rows(statement)
        self.expression(conflict.targetList, inside)
        self.expression(conflict.whereClause, inside)
        return target

    def change(self, statement: ast.UpdateStmt | ast.DeleteStmt, scope: Scope) -> Source:
        """UPDATE and DELETE."""
        verb = VERBS[type(statement)]
        self.allowed(verb)
        self.common_tables(statement.withClause, scope)
        effect = (
            write_targets.update(statement.targetList)
            if isinstance(statement, ast.UpdateStmt)
            else write_targets.DELETE
        )
        target, relation = self.target(statement.relation, effect, scope.ctes)
        scope.sources.append(target)
        if isinstance(statement, ast.UpdateStmt):
            statement.fromClause = self.from_clause(statement.fromClause, scope)
            self.expression(statement.targetList, scope)
        else:
            statement.usingClause = self.from_clause(statement.usingClause, scope)
        self._shows_rows(statement)
        self.require_where(statement.whereClause, verb, statement.relation, relation)
        self.expression(statement.whereClause, scope)
        if len(self.replacements):
            self.put_replacements(statement)
            # What was a choice among values may be none among masks.
            self.require_where(statement.whereClause, verb, statement.relation, relation)
        return target

    def merge(self, statement: ast.MergeStmt, scope: Scope) -> Source:
        clauses: list[ast.MergeWhenClause] = list(statement.mergeWhenClauses or ())
        actions = frozenset(_ACTIONS[one.commandType] for one in clauses if one.commandType in _ACTIONS)
        for verb in sorted(actions):
            self.allowed(verb)
        if actions != {"insert"}:
            self._shows_rows(statement)
        self.common_tables(statement.withClause, scope)
        changed = [
            part for one in clauses if _ACTIONS.get(one.commandType) == "update" for part in one.targetList or ()
        ]
        effect = Effect("merge", actions, write_targets.sets(changed))
        target, relation = self.target(statement.relation, effect, scope.ctes)
        node, sources = self.from_item(statement.sourceRelation, scope)
        statement.sourceRelation = node
        # In the order of RETURNING *.
        scope.sources.extend([*sources, target])
        self.expression(statement.joinCondition, scope)
        seen: dict[enums.MergeMatchKind | None, list[Source]] = {_UNMATCHED: [target], _MISSING: sources}
        for clause in clauses:
            visible = seen.get(clause.matchKind, scope.sources)
            inside = Scope(list(visible), scope.parent, scope.ctes)
            for part in (clause.condition, clause.targetList, clause.values):
                self.expression(part, inside)
        self._require_merge_where(statement, relation)
        if len(self.replacements):
            self.put_replacements(statement)
            self._require_merge_where(statement, relation)
        return target

    def _require_merge_where(self, statement: ast.MergeStmt, relation: Relation | None) -> None:
        """The rows that change are chosen by ON, those without a match by the action's own condition."""
        for clause in statement.mergeWhenClauses or ():
            where = clause.condition if clause.matchKind == _UNMATCHED else statement.joinCondition
            if clause.matchKind != _MISSING:
                self.require_where(where, _ACTIONS.get(clause.commandType, ""), statement.relation, relation)

    def returning(self, clause: ast.ReturningClause | None, target: Source, scope: Scope) -> Columns:
        """RETURNING sees the target, what was joined to it, and (PostgreSQL 18) its old and new rows."""
        if clause is None:
            return ()
        names = {"old", "new"} | {option.value or "" for option in clause.options or ()}
        rows = [
            Source(name, target.columns, relation=target.relation, target=target.target, qualified_only=True)
            for name in sorted(names)
        ]
        inside = Scope([*scope.sources, *rows], scope.parent, scope.ctes, merges=scope.merges)
        if self.masked:
            if scope.merges and any(star_of(one.val) == [] for one in clause.exprs or ()):
                raise refused("RETURNING * over a join with USING is not understood", "name the columns you need")
            clause.exprs = self.expanded(clause.exprs, inside)
        self.expression(clause.exprs, inside)
        return select_columns(clause.exprs or (), scope)

    def _shows_rows(self, statement: Writing) -> None:
        """RETURNING of rows that were there reads them."""
        if statement.returningClause is not None:
            self.allowed("select")

    # ---- guardrails

    def require_where(
        self, where: ast.Node | None, verb: str, name: ast.RangeVar | None, relation: Relation | None
    ) -> None:
        rule = dict(self.governed.policies.require_where).get(verb)
        if rule is None:
            return
        columns = relation.columns if relation is not None else ()
        known = None if relation is None else frozenset(column.name for column in columns)
        not_null = frozenset(column.name for column in columns if column.not_null)
        if not chooses(where, Target(target_name(name), known, not_null)):
            place = f"{relation.schema}.{relation.name}" if relation is not None else name.relname if name else ""
            without = "without WHERE" if where is None else "with a WHERE that is always true"
            raise refused(f"{verb.upper()} {without} on {place}", "add a WHERE that chooses the rows you mean", rule)

    # ---- COPY

    def copy(self, statement: ast.CopyStmt) -> None:
        """COPY between a relation or query and the client; files and programs are the server's own."""
        if statement.is_program or statement.filename is not None:
            raise refused("COPY with a file or program of the server is not allowed", "use STDIN or STDOUT")
        if statement.is_from:
            self._copy_from(statement)
        elif statement.query is not None:
            if isinstance(statement.query, ast.SelectStmt):
                self.allowed("select")
            self.query(statement.query, Scope())
        else:
            self.allowed("select")
            self.copy_relation(statement)
        for option in statement.options or ():
            if option.defname not in _COPY_OPTIONS:
                raise refused(f"COPY with the option {option.defname} is not allowed", "leave the option out")

    def _copy_from(self, statement: ast.CopyStmt) -> None:
        self.allowed("insert")
        self.facts.writes = True
        target, _ = self.target(statement.relation, write_targets.INSERT)
        # The row that WHERE sees is the client's own, not yet one of the table's.
        self.expression(statement.whereClause, Scope([Source(target.name, target.columns, schema=target.schema)]))

    def copy_relation(self, statement: ast.CopyStmt) -> None:
        """`COPY t TO STDOUT` of a governed relation, as COPY of the query for it: same columns, same order."""
        name = statement.relation
        meaning = self.names.relation(name) if name is not None else None
        if name is None or meaning is None:
            if self.masked and name is not None:
                raise unknown_relation(name)
            return
        relation = meaning.relation
        if meaning.temporary:
            self.temporary(name)
            return
        if relation is None:
            if meaning.hidden:
                raise refused(f"COPY of {meaning.name} is not allowed", "use COPY (SELECT …) and name the columns")
            return
        if not isinstance(self.readable(name, meaning, relation), ast.RangeSubselect):
            if self.masked and not statement.attlist and relation.columns:
                # Not those that were added since the catalog was read.
                statement.attlist = strings(*[column.name for column in relation.columns if not column.generated])
                self.facts.pinned = True
            return
        if relation.kind in ("p", "v"):
            raise refused(f"COPY of {relation.schema}.{relation.name} is not possible", "use COPY (SELECT …) TO STDOUT")
        wanted = tuple(idents(statement.attlist))
        known = [column.name for column in relation.columns if not column.generated]
        missing = [column for column in wanted if relation.column(column) is None]
        if missing:
            self.facts.unknown_column = missing[0]
            return
        if relation.key in self.governed.hazards.reasons:
            statement.query = self._copied(name, relation, wanted or tuple(known))
        else:
            statement.query = self.substitutions.query(relation, only=True, columns=wanted or tuple(known))
        statement.relation = None
        statement.attlist = None

    def _copied(self, name: ast.RangeVar, relation: Relation, columns: tuple[str, ...]) -> ast.SelectStmt:
        """The query of the relation's columns, of a masked subquery if it has masks, to be completed in order."""
        name.inh = False
        item = self.substitute(name, relation) if self.governed.governs(relation) else name
        self.ordered(item, relation, only=True)
        targets = [selected(relation.name, column) for column in columns]
        return ast.SelectStmt(targetList=tuple(targets), fromClause=(item,))


_COPY_OPTIONS = words("""
    format freeze delimiter null default header quote escape force_quote force_not_null force_null encoding on_error
    log_verbosity reject_limit
""")
