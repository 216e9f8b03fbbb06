"""Rules for statements that write: INSERT, UPDATE, DELETE, alone or in WITH, and COPY.

What they read besides the target is a query like any other. A target that holds governed columns, or whose writing
would run or check something that reads them, is refused for now.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.catalog import Relation, RelationName
from penstock_core.sql.expressions import idents
from penstock_core.sql.guardrails import chooses
from penstock_core.sql.naming import unknown_relation
from penstock_core.sql.queries import QueryRules
from penstock_core.sql.refusal import not_supported, refused
from penstock_core.sql.scope import Columns, Scope, Source
from penstock_core.sql.typenames import name_parts
from penstock_core.sql.words import words

Writing = ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt
VERBS: dict[type[ast.Node], str] = {ast.InsertStmt: "insert", ast.UpdateStmt: "update", ast.DeleteStmt: "delete"}


class WriteRules(QueryRules):
    """Adds the statements that write to the rules for queries."""

    def writing_query(self, statement: ast.Node | None, around: Scope) -> Columns:
        if isinstance(statement, (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt)):
            return self.write(statement, around)
        if isinstance(statement, ast.MergeStmt):
            raise not_supported("MERGE", "use INSERT … ON CONFLICT, or UPDATE and INSERT")
        return super().writing_query(statement, around)

    def write(self, statement: Writing, around: Scope) -> Columns:
        """Analyse a writing statement; returns the columns of its RETURNING."""
        verb = VERBS[type(statement)]
        self.allowed(verb)
        self.facts.writes = True
        scope = Scope([], around, around.ctes)
        self.common_tables(statement.withClause, scope)
        target, relation = self.target(statement.relation, verb)
        if isinstance(statement, ast.InsertStmt):
            self.insert(statement, target, scope)
        elif isinstance(statement, ast.UpdateStmt):
            scope.sources.append(target)
            statement.fromClause = self.from_clause(statement.fromClause, scope)
            self.expression(statement.targetList, scope)
        else:
            scope.sources.append(target)
            statement.usingClause = self.from_clause(statement.usingClause, scope)
        if isinstance(statement, (ast.UpdateStmt, ast.DeleteStmt)):
            self.require_where(statement, verb, relation)
            if statement.returningClause is not None:
                self.allowed("select")
            self.expression(statement.whereClause, scope)
        return self.returning(statement.returningClause, target, scope)

    def insert(self, statement: ast.InsertStmt, target: Source, scope: Scope) -> None:
        if statement.selectStmt is not None:
            self.query(statement.selectStmt, scope)
        scope.sources.append(target)
        self.expression(statement.cols, scope)
        conflict = statement.onConflictClause
        if conflict is None:
            return
        inside = scope.inner([Source("excluded", target.columns)])
        if conflict.infer is not None:
            for element in conflict.infer.indexElems or ():
                self.expression(element.expr, inside)
            self.expression(conflict.infer.whereClause, inside)
        if conflict.targetList:
            self.allowed("update")
        self.expression(conflict.targetList, inside)
        self.expression(conflict.whereClause, inside)

    def returning(self, clause: ast.ReturningClause | None, target: Source, scope: Scope) -> Columns:
        """RETURNING sees the target, what was joined to it, and (PostgreSQL 18) its old and new rows."""
        if clause is None:
            return ()
        names = {"old", "new"} | {option.value or "" for option in clause.options or ()}
        rows = [Source(name, target.columns) for name in sorted(names)]
        inside = Scope([*scope.sources, *rows], scope.parent, scope.ctes)
        self.expression(clause.exprs, inside)
        return None

    # ---- the target

    def target(self, name: ast.RangeVar | None, verb: str) -> tuple[Source, Relation | None]:
        """The target as a source of its statement. Raises Refused if it may not be written to."""
        if name is None:
            raise refused(f"{verb.upper()} without a target is not understood", "name the table")
        meaning = self.names.relation(name)
        alias = (name.alias.aliasname if name.alias is not None else None) or name.relname or ""
        if meaning is None:
            if self.masked:
                raise unknown_relation(name)
            return Source(alias, None), None
        if meaning.relation is None:
            raise refused(f"{meaning.schema}.{meaning.name} may not be written to", "use the statements made for it")
        relation = meaning.relation
        self.facts.relations.add(relation.key)
        if self.masked:
            self.writable(relation, verb)
        self.qualify(name, meaning)
        schema = meaning.schema if name.alias is None else ""
        return Source(alias, tuple(column.name for column in relation.columns), schema=schema), relation

    def writable(self, relation: Relation, verb: str) -> None:
        """Refuses a target whose writing reads or checks masked columns, or runs code that could read them."""
        for key in self._reached(relation):
            reached = self.catalog.relations[key]
            through = "" if key == relation.key else f" (written to through {relation.schema}.{relation.name})"
            named = f"{reached.schema}.{reached.name}{through}"
            if self.governed.governs(reached):
                raise not_supported(f"{verb.upper()} on {named}, which holds masked columns,", "write to other tables")
            reason = self.governed.unreadable.get(key)
            if reason:
                raise refused(f"{named} can't be written to: {reason}", "write to other tables")
            self.storable(reached, named)
            if reached.has_triggers or reached.has_rules or reached.write_calls:
                code = "triggers" if reached.has_triggers else "rules" if reached.has_rules else reached.write_calls[0]
                raise refused(
                    f"{named} can't be written to: that runs code of the database's own ({code}) which could read "
                    "masked columns",
                    "write to other tables",
                )

    def storable(self, relation: Relation, named: str) -> None:
        """Refuses a target with a column whose type runs the user's code when it is written to, or whose rows do."""
        if relation.key in self.catalog.coded_types:
            raise refused(
                f"{named} can't be written to: its row type runs code of the database's own which could read masked "
                "columns",
                "write to other tables",
            )
        for column in relation.columns:
            schema, name = name_parts(column.type_name)[:2]
            key = (schema, name)
            if self.governed.runs_code(key):
                raise refused(
                    f"{named} can't be written to: type {column.type_name} of its column {column.name} runs code of "
                    "the database's own which could read masked columns",
                    "write to other tables",
                )

    def _reached(self, relation: Relation) -> list[RelationName]:
        """The relation, and those that writing to it can reach: a view's tables, children, ends of foreign keys."""
        reached: dict[RelationName, None] = {}
        pending = [relation.key]
        while pending:
            key = pending.pop()
            present = self.catalog.relations.get(key)
            if key in reached or present is None:
                continue
            reached[key] = None
            pending.extend(self.governed.children.get(key, ()))
            pending.extend(sorted(present.cascades_to))
            if present.kind == "v":
                pending.extend(sorted(present.sources))
        return list(reached)

    # ---- guardrails

    def require_where(self, statement: ast.UpdateStmt | ast.DeleteStmt, verb: str, relation: Relation | None) -> None:
        rule = dict(self.governed.policies.require_where).get(verb)
        if rule is None:
            return
        columns = relation.columns if relation is not None else ()
        not_null = frozenset(column.name for column in columns if column.not_null)
        if not chooses(statement.whereClause, not_null):
            name = statement.relation.relname if statement.relation is not None else ""
            place = f"{relation.schema}.{relation.name}" if relation is not None else name
            without = "without WHERE" if statement.whereClause is None else "with a WHERE that is always true"
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
        target, _ = self.target(statement.relation, "insert")
        self.expression(statement.whereClause, Scope([target]))

    def copy_relation(self, statement: ast.CopyStmt) -> None:
        """`COPY t TO STDOUT` of a governed relation, as COPY of the query for it: same columns, same order."""
        name = statement.relation
        meaning = self.names.relation(name) if name is not None else None
        if name is None or meaning is None:
            if self.masked and name is not None:
                raise unknown_relation(name)
            return
        relation = meaning.relation
        if relation is None:
            if meaning.hidden:
                raise refused(f"COPY of {meaning.name} is not allowed", "use COPY (SELECT …) and name the columns")
            return
        if not isinstance(self.readable(name, meaning, relation), ast.RangeSubselect):
            return
        if relation.kind in ("p", "v"):
            raise refused(f"COPY of {relation.schema}.{relation.name} is not possible", "use COPY (SELECT …) TO STDOUT")
        wanted = tuple(idents(statement.attlist))
        known = [column.name for column in relation.columns if not column.generated]
        missing = [column for column in wanted if relation.column(column) is None]
        if missing:
            self.facts.unknown_column = missing[0]
            return
        statement.query = self.substitutions.query(relation, only=True, columns=wanted or tuple(known))
        statement.relation = None
        statement.attlist = None


_COPY_OPTIONS = words("""
    format freeze delimiter null default header quote escape force_quote force_not_null force_null encoding on_error
    log_verbosity reject_limit
""")
