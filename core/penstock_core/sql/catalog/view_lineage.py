"""What a view's definition shows and by what it chooses: per output column the columns it comes from, and filters.

Also what is computed though nobody asks for it: see `pull_up.py`. Definitions are read as the server prints them while
only pg_catalog is in the path: every relation of the user's with its schema. What is not understood raises
`_NotUnderstood`, and then everything counts as derived from everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.allowlists.system_relations import SYSTEM_COLUMNS
from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation
from penstock_core.sql.catalog.pull_up import (
    cannot_fail,
    is_inlined,
    is_pulled_up,
    is_set_returning,
)
from penstock_core.sql.syntax.walk import below

_Columns = frozenset[ColumnName]
# Types whose values may be out of range for the other that PostgreSQL converts them to unasked.
_CAST_IMPLICITLY = frozenset({"pg_catalog.numeric", "pg_catalog.date", "pg_catalog.timestamp"})


class _NotUnderstood(Exception):
    """The definition has something that this module does not follow."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Of one definition, per output column in order: what it derives from, and what of it is copied unchanged."""

    derived: tuple[_Columns, ...]
    copied: tuple[_Columns, ...]
    # Columns that decide which rows show, or in what order.
    filters: _Columns
    # Columns that something is computed from whatever is asked for; it may fail, which shows.
    evaluated: _Columns = frozenset()
    # Of each output, whether computing it may fail.
    fallible: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True)
class _Output:
    name: str
    derived: _Columns = frozenset()
    copied: _Columns = frozenset()
    # What something is computed from that may fail.
    risky: _Columns = frozenset()
    # Of a plain column, its type.
    type_name: str = ""

    @property
    def computed(self) -> _Columns:
        return self.derived - self.copied

    def beside(self, other: _Output) -> _Output:
        """The column that holds values of both."""
        computed = self.computed | other.computed
        return _Output(
            self.name,
            self.derived | other.derived,
            (self.copied | other.copied) - computed,
            self.risky | other.risky,
            self.type_name if self.type_name.partition("(")[0] == other.type_name.partition("(")[0] else "",
        )

    def converted(self, other: _Output) -> _Output:
        """As an arm of a set operation beside the other: a cast that nobody wrote may fail."""
        mine, theirs = (one.type_name.partition("(")[0] for one in (self, other))
        fails = mine in _CAST_IMPLICITLY and mine != theirs
        return replace(self, risky=self.risky | self.derived) if fails else self


@dataclass(slots=True)
class _Source:
    name: str
    columns: list[_Output]
    # A system catalog: it has columns that nobody governs.
    system: bool = False


@dataclass(slots=True)
class _Scope:
    sources: list[_Source] = field(default_factory=list)
    parent: _Scope | None = None
    tables: Mapping[str, list[_Output]] = field(default_factory=dict)


def view_lineage(definition: str, view: Relation, catalog: Catalog) -> Lineage | None:
    """The lineage of a view by the definition the server prints; None where it is not understood.

    The catalog holds the views that it reads with their own lineage.
    """
    try:
        (statement,) = parse_sql(definition)
        reader = _Reader(catalog)
        reader.count_tables(statement.stmt)
        outputs = reader.query(statement.stmt, _Scope())
        if view.security_barrier:
            reader.compute(outputs)
    except (ParseError, ValueError, _NotUnderstood, RecursionError):
        return None
    if len(outputs) != len(view.columns):
        return None
    return Lineage(
        tuple(output.derived for output in outputs),
        tuple(output.copied for output in outputs),
        frozenset(reader.filters),
        frozenset(reader.evaluated) if view.kind == "v" else frozenset(),
        tuple(view.kind == "v" and bool(output.risky) for output in outputs),
    )


class _Reader:
    """Follows columns through one definition; what decides about rows gathers in `filters`, what is computed whatever
    is asked for in `evaluated`.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.filters: set[ColumnName] = set()
        self.evaluated: set[ColumnName] = set()
        # How often the definition names a table of its own.
        self._uses: Counter[str] = Counter()

    def count_tables(self, definition: Any) -> None:
        """Find out which tables of WITH the server may merge into the query: those that are used once."""
        self._uses.update(
            node.relname or ""
            for node in below(definition, locked=False)
            if isinstance(node, ast.RangeVar) and not node.schemaname
        )

    def query(self, select: Any, around: _Scope) -> list[_Output]:
        if not isinstance(select, ast.SelectStmt):
            raise _NotUnderstood
        scope = _Scope([], around, self._tables(select.withClause, around))
        if select.op is not None and select.op != enums.SetOperation.SETOP_NONE:
            outputs = self._set_operation(select, scope)
        elif select.valuesLists:
            derived = self._derived(select.valuesLists, scope)
            outputs = [_Output(f"column{n + 1}", derived) for n in range(len(select.valuesLists[0]))]
        else:
            outputs = self._select(select, scope)
        self._filter((select.sortClause, select.limitCount, select.limitOffset), scope, outputs)
        if not is_pulled_up(select, self.is_steady):
            self.compute(outputs)
        return outputs

    def _tables(self, clause: ast.WithClause | None, around: _Scope) -> Mapping[str, list[_Output]]:
        tables = dict(around.tables)
        for table in clause.ctes or () if clause is not None else ():
            # A recursive one would have to be followed through itself.
            if (clause is not None and clause.recursive) or table.search_clause or table.cycle_clause:
                raise _NotUnderstood
            outputs = self.query(table.ctequery, _Scope([], around.parent, dict(tables)))
            if not is_inlined(table, self._uses[table.ctename or ""], self.is_steady):
                self.compute(outputs)
            tables[table.ctename] = _renamed(outputs, table.aliascolnames)
        return tables

    def is_steady(self, call: ast.FuncCall) -> bool:
        """Whether a function outside of pg_catalog gives one value for each row and claims not to be volatile."""
        *schema, name = [part.sval or "" for part in call.funcname or () if isinstance(part, ast.String)]
        overloads = self._catalog.routines.get((schema[0], name), ()) if schema else ()
        plain = all(one.kind == "f" and one.volatility != "v" and not one.returns_set for one in overloads)
        return bool(overloads) and plain

    def compute(self, outputs: Iterable[_Output]) -> None:
        """These are computed whether asked for or not."""
        self.evaluated.update(*(output.risky for output in outputs))

    def _set_operation(self, select: ast.SelectStmt, scope: _Scope) -> list[_Output]:
        left, right = self.query(select.larg, scope), self.query(select.rarg, scope)
        if len(left) != len(right):
            raise _NotUnderstood
        pairs = list(zip(left, right, strict=True))
        outputs = [one.converted(other).beside(other.converted(one)) for one, other in pairs]
        if not select.all or select.op != enums.SetOperation.SETOP_UNION:
            self.filters.update(*(output.derived for output in outputs))
        return outputs

    def _select(self, select: ast.SelectStmt, scope: _Scope) -> list[_Output]:
        for item in select.fromClause or ():
            scope.sources.extend(self._source(item, scope))
        outputs = [output for target in select.targetList or () for output in self._outputs(target, scope)]
        clauses = (
            select.distinctClause,
            select.whereClause,
            select.groupClause,
            select.havingClause,
            select.windowClause,
        )
        self._filter(clauses, scope, outputs)
        if select.distinctClause:
            self.filters.update(*(output.derived for output in outputs))
        return outputs

    def _filter(self, clauses: Any, scope: _Scope, outputs: list[_Output]) -> None:
        """What the clauses read decides about rows; they may name or count output columns too."""
        named = {output.name: output for output in outputs}
        for node in below(clauses):
            if isinstance(node, ast.ColumnRef) and len(node.fields or ()) == 1 and _text(node.fields) in named:
                self.filters |= named[_text(node.fields)].derived
            elif isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
                place = (node.val.ival or 0) - 1
                self.filters |= outputs[place].derived if 0 <= place < len(outputs) else frozenset()
        self.filters |= self._derived(clauses, scope, lenient=frozenset(named))

    def _outputs(self, target: ast.ResTarget, scope: _Scope) -> list[_Output]:
        value = target.val
        if isinstance(value, ast.ColumnRef):
            fields = value.fields or ()
            if isinstance(fields[-1], ast.A_Star):
                sources = scope.sources if len(fields) == 1 else self._named(_text(fields[:-1]), scope)
                if any(source.system for source in sources):
                    raise _NotUnderstood
                return [column for source in sources for column in source.columns]
            found = self._column(value, scope)
            return [replace(found, name=target.name or found.name)]
        derived = self._derived(value, scope)
        if is_set_returning(value, self.is_steady):
            self.filters |= derived
        risky = self._risky(value, scope) if cannot_fail(value, self._types(scope)) else derived
        return [_Output(target.name or "?column?", derived, risky=risky)]

    def _risky(self, node: Any, scope: _Scope) -> _Columns:
        """What may fail of the columns that an expression reads, which cannot fail itself."""
        columns = [part for part in below(node) if isinstance(part, ast.ColumnRef)]
        return frozenset().union(*(self._column(column, scope).risky for column in columns))

    def _types(self, scope: _Scope) -> Callable[[ast.ColumnRef], str]:
        """The type of a column, if it is a table's own."""
        return lambda column: self._column(column, scope).type_name

    # ---- FROM

    def _source(self, item: Any, scope: _Scope) -> list[_Source]:
        match item:
            case ast.RangeVar():
                return [self._relation(item, scope)]
            case ast.RangeSubselect():
                around = scope if item.lateral else _Scope([], scope.parent, scope.tables)
                outputs = self.query(item.subquery, around)
                if item.lateral:
                    # Where it refers to another side of an outer join, it stays a query of its own.
                    self.compute(outputs)
                return [_Source(_alias(item), _renamed(outputs, item.alias.colnames if item.alias else None))]
            case ast.JoinExpr():
                return self._join(item, scope)
            case _:
                raise _NotUnderstood

    def _relation(self, item: ast.RangeVar, scope: _Scope) -> _Source:
        name = item.relname or ""
        names = item.alias.colnames if item.alias else None
        if not item.schemaname:
            if name in scope.tables:
                return _Source(_alias(item) or name, _renamed(scope.tables[name], names))
            if names:
                raise _NotUnderstood
            return _Source(_alias(item) or name, [], system=True)
        if item.schemaname == "information_schema":
            return _Source(_alias(item) or name, [], system=True)
        relation = self._catalog.relations.get((item.schemaname, name))
        if relation is None:
            raise _NotUnderstood
        columns = []
        for column in relation.columns:
            key = frozenset({(*relation.key, column.name)})
            columns.append(_Output(column.name, key, key, key if column.fallible else frozenset(), column.cast_type))
        return _Source(_alias(item) or name, _renamed(columns, names))

    def _join(self, item: ast.JoinExpr, scope: _Scope) -> list[_Source]:
        if item.isNatural:
            raise _NotUnderstood
        left = self._source(item.larg, scope)
        right = self._source(item.rarg, _Scope([*scope.sources, *left], scope.parent, scope.tables))
        sources = [*left, *right]
        self.filters |= self._derived(item.quals, _Scope(sources, scope.parent, scope.tables))
        for name in item.usingClause or ():
            for source in sources:
                self.filters.update(*(column.derived for column in source.columns if column.name == name.sval))
        if item.alias is not None:
            columns = [column for source in sources for column in source.columns]
            if item.usingClause or any(source.system for source in sources):
                raise _NotUnderstood
            return [_Source(_alias(item), _renamed(columns, item.alias.colnames))]
        return sources

    # ---- expressions

    def _derived(self, node: Any, scope: _Scope, lenient: frozenset[str] = frozenset()) -> _Columns:
        """Every column that the expression depends on, subqueries in it included; `lenient` names may be unknown."""
        found: set[ColumnName] = set()
        for part in below(node, into_queries=False):
            if isinstance(part, ast.SubLink):
                inner = _Reader(self._catalog)
                inner._uses = self._uses
                outputs = inner.query(part.subselect, scope)
                found |= inner.filters.union(inner.evaluated, *(output.derived for output in outputs))
            elif isinstance(part, ast.ColumnRef):
                try:
                    found |= self._column(part, scope).derived
                except _NotUnderstood:
                    if len(part.fields or ()) != 1 or _text(part.fields) not in lenient:
                        raise
            elif isinstance(part, ast.CurrentOfExpr):
                raise _NotUnderstood
        return frozenset(found)

    def _column(self, node: ast.ColumnRef, scope: _Scope) -> _Output:
        fields = node.fields or ()
        name = _text(fields)
        if isinstance(fields[-1], ast.A_Star):
            return _row(self._named(_text(fields[:-1]), scope))
        if len(fields) > 2 or name in SYSTEM_COLUMNS:
            raise _NotUnderstood
        level: _Scope | None = scope
        if len(fields) == 2:
            sources = self._named(_text(fields[:-1]), scope)
            return self._of(sources, name) or _row(sources)
        while level is not None:
            found = self._of(level.sources, name)
            if found is not None:
                return found
            level = level.parent
        return _row(self._named(name, scope))

    @staticmethod
    def _of(sources: Iterable[_Source], name: str) -> _Output | None:
        """The column of that name; of several that USING merged, all together."""
        found: _Output | None = None
        for source in sources:
            for column in source.columns:
                if column.name == name:
                    found = column if found is None else found.beside(column)
            if found is None and source.system:
                found = _Output(name)
        return found

    @staticmethod
    def _named(name: str, scope: _Scope) -> list[_Source]:
        level: _Scope | None = scope
        while level is not None:
            found = [source for source in level.sources if source.name == name]
            if found:
                return found
            level = level.parent
        raise _NotUnderstood


def _row(sources: list[_Source]) -> _Output:
    """A whole row, or a function of one: it depends on every column."""
    derived = frozenset().union(*(column.derived for source in sources for column in source.columns))
    return _Output("", derived, risky=derived)


def _renamed(columns: list[_Output], names: Any) -> list[_Output]:
    given = [name.sval for name in names or ()]
    kept = columns[len(given) :]
    return [replace(column, name=name) for name, column in zip(given, columns, strict=False)] + kept


def _alias(item: Any) -> str:
    return (item.alias.aliasname or "") if item.alias is not None else ""


def _text(fields: Any) -> str:
    """The last of a list of names."""
    last = fields[-1] if fields else None
    return last.sval or "" if isinstance(last, ast.String) else ""
