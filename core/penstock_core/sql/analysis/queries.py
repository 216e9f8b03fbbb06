"""Rules for queries: CTEs, FROM clauses, set operations, and the substitution of governed relations in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.settings import write_out
from penstock_core.sql.analysis.expressions import hidden_column, idents
from penstock_core.sql.analysis.stars import RowRules
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.grouping import extend_group_by
from penstock_core.sql.refusal import refused
from penstock_core.sql.resolve.column_names import own_name, select_columns
from penstock_core.sql.resolve.name_resolution import Meaning, unknown_relation
from penstock_core.sql.resolve.scopes import Columns, Scope, Source, merged, rename

_SAMPLING = frozenset({("bernoulli",), ("system",), ("pg_catalog", "bernoulli"), ("pg_catalog", "system")})
_CALLS = (ast.FuncCall, ast.CoalesceExpr, ast.MinMaxExpr)
# So that no statement can keep the gate busy by looking through them again and again.
_MOST_SOURCES = 1000


class QueryRules(RowRules):
    """Walks queries and puts masked subqueries in place of governed relations."""

    # ---- whole queries

    def query(self, select: ast.Node | None, around: Scope) -> Columns:
        """Analyse a query whose outer scope is `around` (which may be empty); returns its output columns."""
        if not isinstance(select, ast.SelectStmt):
            return self.writing_query(select, around)
        if select.intoClause is not None:
            raise refused("SELECT INTO inside of another query is not understood", "use CREATE TABLE AS")
        scope = Scope([], around, around.ctes)
        self.common_tables(select.withClause, scope)
        if select.op is not None and select.op != enums.SetOperation.SETOP_NONE:
            return self.set_operation(select, scope)
        if select.valuesLists:
            return self._values(select, scope)
        return self._select(select, scope)

    def writing_query(self, statement: ast.Node | None, around: Scope) -> Columns:
        """A statement that writes where a query stands; see `writes.py`."""
        raise refused(f"{type(statement).__name__} is not understood as a query", "write it as a statement of its own")

    def _select(self, select: ast.SelectStmt, scope: Scope) -> Columns:
        if not self.masked and "pg_settings" not in scope.ctes and _reads_settings(select):
            write_out(select)
        select.fromClause = self.from_clause(select.fromClause, scope)
        if self.masked:
            select.targetList = self.expanded(select.targetList, scope)
        columns = select_columns(select.targetList or (), scope)
        scope.outputs = frozenset(map(_output, select.targetList or ()))
        if any(source.substituted for source in scope.sources):
            extend_group_by(select, scope)
        for part in (
            select.targetList, select.distinctClause, select.whereClause, select.groupClause, select.havingClause,
            select.windowClause,
        ):  # fmt: skip
            self.expression(part, scope)
        self._tail(select, scope)
        return columns

    def _values(self, select: ast.SelectStmt, scope: Scope) -> Columns:
        columns = tuple(f"column{number}" for number in range(1, len(select.valuesLists[0]) + 1))  # type: ignore[index]
        self.expression(select.valuesLists, scope)
        scope.outputs = frozenset(columns)
        self._tail(select, scope)
        return columns

    def set_operation(self, select: ast.SelectStmt, scope: Scope) -> Columns:
        columns = self.query(select.larg, scope)
        self.query(select.rarg, scope)
        # ORDER BY of a set operation sees its output columns and nothing else.
        scope.sources = [Source("", columns)]
        self._tail(select, scope)
        return columns

    def _tail(self, select: ast.SelectStmt, scope: Scope) -> None:
        self.expression(select.sortClause, scope)
        self.expression(select.limitOffset, scope)
        self.expression(select.limitCount, scope)
        if select.lockingClause:
            # Rows are kept from others, which takes the right to UPDATE them on the server too.
            self.allowed("update")
            self.facts.writes = True

    # ---- WITH

    def common_tables(self, clause: ast.WithClause | None, scope: Scope) -> None:
        """CTEs in their order: each sees those before it, under RECURSIVE all. A name with a schema is never one."""
        if clause is None:
            return
        tables: list[ast.CommonTableExpr] = list(clause.ctes or ())
        known: dict[str, Columns] = dict(scope.ctes)
        if clause.recursive:
            known.update({table.ctename or "": _declared(table) for table in tables})
        for table in tables:
            inside = Scope([], scope.parent, dict(known))
            columns = self.common_table(table, inside)
            known[table.ctename or ""] = columns
        scope.ctes = known

    def common_table(self, table: ast.CommonTableExpr, inside: Scope) -> Columns:
        columns = rename(self.query(table.ctequery, inside), tuple(idents(table.aliascolnames)))
        for clause in (table.search_clause, table.cycle_clause):
            if clause is not None:
                # They add columns, and compare rows by the types' own order.
                columns = None
        if table.cycle_clause is not None:
            self.expression(table.cycle_clause.cycle_mark_value, inside)
            self.expression(table.cycle_clause.cycle_mark_default, inside)
        return columns

    # ---- FROM

    def from_clause(self, items: Iterable[Any] | None, scope: Scope) -> tuple[Any, ...] | None:
        """Each item with what stands in its place, their sources added to the scope from left to right."""
        if items is None:
            return None
        replaced = []
        for item in items:
            node, sources = self.from_item(item, scope)
            replaced.append(node)
            scope.sources.extend(sources)
            if len(scope.sources) > _MOST_SOURCES:
                raise refused(f"more than {_MOST_SOURCES} relations stand in one FROM", "split the statement")
        self.ambiguous_sources(scope.sources)
        return tuple(replaced)

    def from_item(self, item: Any, scope: Scope) -> tuple[ast.Node, list[Source]]:
        """What stands in the item's place, and the sources it brings. `scope` holds those to its left."""
        match item:
            case ast.RangeVar():
                return self.relation(item, scope)
            case ast.JoinExpr():
                return self.join(item, scope)
            case ast.RangeSubselect():
                return self.subquery(item, scope)
            case ast.RangeFunction():
                return self.table_function(item, scope)
            case ast.RangeTableFunc() | ast.JsonTable():
                return self.table_expression(item, scope)
            case ast.RangeTableSample():
                return self.sample(item, scope)
            case _:
                raise refused(f"{type(item).__name__} is not understood in FROM", "write the statement without it")

    def relation(self, item: ast.RangeVar, scope: Scope) -> tuple[ast.Node, list[Source]]:
        name = _alias(item) or item.relname or ""
        renamed = _renamed(item)
        if not item.schemaname and item.relname is not None and item.relname in scope.ctes:
            return item, [Source(name, rename(scope.ctes[item.relname], renamed))]
        self.allowed("select")
        meaning = self.names.relation(item)
        if meaning is not None and meaning.temporary:
            return self.temporary(item), [Source(name, None, schema=meaning.schema if item.alias is None else "")]
        if meaning is None:
            if self.masked:
                raise unknown_relation(item)
            return item, [Source(name, None, schema=item.schemaname or "")]
        schema = meaning.schema if item.alias is None else ""
        if meaning.relation is None:
            if meaning.hidden and renamed:
                raise refused(f"the columns of {meaning.name} may not be renamed", "use its own column names")
            self.qualify(item, meaning)
            return item, [Source(name, rename(meaning.columns, renamed), schema=schema, hidden=meaning.hidden)]
        relation = meaning.relation
        columns = rename(tuple(column.name for column in relation.columns), renamed)
        node = self.readable(item, meaning, relation)
        source = Source(name, columns, schema=schema, substituted=node is not item)
        if source.substituted:
            source.key = self._key(relation, columns)
        else:
            source.relation, source.item = relation, item
        return node, [source]

    def _key(self, relation: Relation, columns: Columns) -> tuple[str, ...]:
        """The primary key by the names it has here; none if part of it is masked, for then rows share keys."""
        places = [place for place, column in enumerate(relation.columns) if column.name in relation.primary_key]
        if any(self.governed.mask(relation, relation.columns[place]) for place in places):
            return ()
        return tuple((columns or ())[place] for place in places)

    def readable(self, item: ast.RangeVar, meaning: Meaning, relation: Relation) -> ast.Node:
        """The relation itself, or the masked subquery in its place."""
        self.facts.relations.add(relation.key)
        self.read_unseen(relation)
        reason = self.governed.unreadable.get(relation.key)
        if reason:
            raise refused(f"{relation.schema}.{relation.name} can't be read: {reason}", "read the tables it is made of")
        if relation.key in self.governed.disarmed and not self.governed.governs(relation):
            self.facts.pinned = True
            return self.substitute(item, relation)
        if not self.governed.governs(relation):
            self.qualify(item, meaning)
            return item
        self.note_masked(relation)
        return self.substitute(item, relation)

    def temporary(self, item: ast.RangeVar) -> ast.RangeVar:
        """A table of the session's own. Its bare name could come to mean another's."""
        if self.masked and not item.schemaname:
            item.schemaname = "pg_temp"
            self.facts.pinned = True
        return item

    def qualify(self, item: ast.RangeVar, meaning: Meaning) -> None:
        """A bare name with its schema. If under another path it could mean what is not as harmless, that must show in
        the text too: a prepared statement is resolved anew whenever the path has changed.
        """
        if item.schemaname:
            return
        item.schemaname = meaning.schema
        if self.masked and any(not self.governed.harmless(candidate) for candidate in meaning.candidates):
            self.facts.pinned = True

    def note_masked(self, relation: Relation) -> None:
        """Governed data is touched: remember which columns, and that errors must tell nothing."""
        self.facts.touched = True
        for column in relation.columns:
            if self.governed.mask(relation, column) is not None:
                self.facts.masked.add((relation.schema, relation.name, column.name))

    def ambiguous_sources(self, sources: list[Source]) -> None:
        """The same name from two schemas: told apart by the schema alone, which a subquery has not."""
        first: dict[str, Source] = {}
        for source in sources:
            other = first.setdefault(source.name, source)
            if other is not source and source.name and (source.substituted or other.substituted):
                raise refused(f"two relations of the name {source.name} stand in one FROM", "give them aliases")
            if source.substituted:
                first[source.name] = source

    def join(self, item: ast.JoinExpr, scope: Scope) -> tuple[ast.Node, list[Source]]:
        left, left_sources = self.from_item(item.larg, scope)
        inside = Scope([*scope.sources, *left_sources], scope.parent, scope.ctes)
        right, right_sources = self.from_item(item.rarg, inside)
        item.larg, item.rarg = left, right
        scope.merges |= inside.merges
        sources = [*left_sources, *right_sources]
        merges = bool(item.isNatural or item.usingClause)
        if merges:
            self.operator(("=",))
            self.merged_columns(item, sources)
            scope.merges = True
        condition = Scope(sources, scope.parent, scope.ctes)
        self.expression(item.quals, condition)
        self.ambiguous_sources(sources)
        if item.alias is not None:
            return item, [self._joined(item.alias, sources, counted=not scope.merges)]
        if item.join_using_alias is not None:
            columns = tuple(idents(item.usingClause))
            sources.append(Source(item.join_using_alias.aliasname or "", columns, qualified_only=True))
        return item, sources

    @staticmethod
    def _joined(alias: ast.Alias, sources: list[Source], *, counted: bool) -> Source:
        """The one source that a join with an alias is; `counted`: its columns stand as those of the sources do."""
        renamed = tuple(idents(alias.colnames))
        joined = merged(sources, alias.aliasname or "")
        if renamed and joined.hidden:
            raise refused(f"the columns of {joined.name} may not be renamed", "use their own names")
        joined.columns = rename(joined.columns, renamed) if counted or not renamed else None
        return joined

    def merged_columns(self, item: ast.JoinExpr, sources: list[Source]) -> None:
        """NATURAL and USING compare columns that no expression names."""
        names = set(idents(item.usingClause))
        for source in sources:
            if item.isNatural:
                self.whole_row(source)
            elif names & source.hidden:
                raise hidden_column(min(names & source.hidden))

    def subquery(self, item: ast.RangeSubselect, scope: Scope) -> tuple[ast.Node, list[Source]]:
        columns = self.query(item.subquery, scope.inner() if item.lateral else scope.beside())
        return item, [Source(_alias(item) or "", rename(columns, _renamed(item)))]

    def table_function(self, item: ast.RangeFunction, scope: Scope) -> tuple[ast.Node, list[Source]]:
        """Functions in FROM, which see the sources to their left; what columns they bring is the server's business."""
        inside = scope.inner()
        for function, definitions in item.functions or ():
            self.expression(function, inside)
            self._column_definitions(definitions, inside)
        self._column_definitions(item.coldeflist, inside)
        name = _alias(item)
        calls = [function for function, _ in item.functions or () if isinstance(function, ast.FuncCall)]
        return item, [Source(name or (idents(calls[0].funcname)[-1] if calls else ""), None)]

    def _column_definitions(self, definitions: Iterable[Any] | None, scope: Scope) -> None:
        for definition in definitions or ():
            self.expression(definition.typeName, scope)

    def table_expression(self, item: Any, scope: Scope) -> tuple[ast.Node, list[Source]]:
        """XMLTABLE and JSON_TABLE."""
        inside = scope.inner()
        self.former_function(type(item))
        if isinstance(item, ast.RangeTableFunc):
            parts: list[Any] = [item.docexpr, item.rowexpr, item.namespaces]
            parts += [part for column in item.columns or () for part in _parts_of_column(column)]
        else:
            parts = [item.context_item, item.pathspec, item.passing, item.on_error]
            parts += [part for column in item.columns or () for part in _parts_of_json_column(column)]
        self.expression(tuple(part for part in parts if part is not None), inside)
        return item, [Source(_alias(item) or "", None)]

    def sample(self, item: ast.RangeTableSample, scope: Scope) -> tuple[ast.Node, list[Source]]:
        """TABLESAMPLE picks rows by where they lie on disk, which depends on values that are masked."""
        node, sources = self.from_item(item.relation, scope)
        if sources[0].substituted:
            raise refused(
                f"TABLESAMPLE of {sources[0].name} would depend on masked values", "use ORDER BY and LIMIT instead"
            )
        if tuple(idents(item.method)) not in _SAMPLING and self.masked:
            raise refused("that sampling method is not known", "use BERNOULLI or SYSTEM")
        item.relation = node
        self.expression(item.args, scope)
        self.expression(item.repeatable, scope)
        return item, sources


def _output(target: ast.ResTarget) -> str:
    """The name that ORDER BY may use for an output column and that is not a column's already."""
    return target.name or (own_name(target.val) if isinstance(target.val, _CALLS) else None) or ""


def _reads_settings(select: ast.SelectStmt) -> bool:
    match select.fromClause:
        case (ast.RangeVar(relname="pg_settings", schemaname=None | "pg_catalog", alias=None),):
            return True
        case _:
            return False


def _declared(table: ast.CommonTableExpr) -> Columns:
    """The columns of a CTE that stands before its own query is analysed; further ones have names of its query's."""
    names = tuple(idents(table.aliascolnames))
    first: Any = table.ctequery
    while isinstance(first, ast.SelectStmt) and first.larg is not None:
        first = first.larg
    rows = (first.targetList, *(first.valuesLists or ())) if isinstance(first, ast.SelectStmt) else ()
    named = any(row is not None and len(row) == len(names) for row in rows)
    return names if named and table.search_clause is None and table.cycle_clause is None else None


def _alias(item: Any) -> str | None:
    return item.alias.aliasname if item.alias is not None else None


def _renamed(item: Any) -> tuple[str, ...]:
    return tuple(idents(item.alias.colnames)) if item.alias is not None else ()


def _parts_of_column(column: ast.RangeTableFuncCol) -> list[Any]:
    return [column.typeName, column.colexpr, column.coldefexpr]


def _parts_of_json_column(column: ast.JsonTableColumn) -> list[Any]:
    nested = [part for inner in column.columns or () for part in _parts_of_json_column(inner)]
    return [column.typeName, column.pathspec, column.on_empty, column.on_error, *nested]
