"""What may be in FROM: relations, joins, subqueries, functions, samples. Each brings sources to its query's scope."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.syntax_nodes import COLUMN_OF_FUNCTION
from penstock_core.sql.bind.binder import Binder, NotBound, alias_of, idents, renamed_by, strings
from penstock_core.sql.bind.expressions import whole_row
from penstock_core.sql.bind.name_resolution import Ambiguous, ResolvedRelation
from penstock_core.sql.bind.references import (
    ColumnRead,
    FromLevel,
    OperatorUse,
    RelationRead,
    Sample,
    TableFunction,
)
from penstock_core.sql.bind.scopes import Place, Scope, Source, merged, rename
from penstock_core.sql.bind.written_out_views import write_out

# So that no statement can keep the gate busy by looking through them again and again.
_MOST_SOURCES = 1000


def from_clause(binder: Binder, owner: ast.Node, field: str, scope: Scope) -> None:
    """The items of a FROM clause; their sources are added to the scope from left to right."""
    items = getattr(owner, field)
    if items is None:
        return
    for position, item in enumerate(items):
        scope.sources.extend(from_item(binder, item, Place(owner, field, position), scope))
        if len(scope.sources) > _MOST_SOURCES:
            raise NotBound(f"FROM lists more than {_MOST_SOURCES} relations", "split the statement")
    if len(scope.sources) > 1:
        binder.add(FromLevel(scope.sources))


def from_item(binder: Binder, item: Any, place: Place, scope: Scope) -> list[Source]:
    """The sources that an item brings. `scope` holds those to its left."""
    binder.claim(item)
    if isinstance(item, _WITH_ALIAS) and item.alias is not None:
        binder.claim(item.alias)
    match item:
        case ast.RangeVar():
            return [_relation(binder, item, place, scope)]
        case ast.JoinExpr():
            return _join(binder, item, scope)
        case ast.RangeSubselect():
            columns = binder.query(item.subquery, scope.inner() if item.lateral else scope.beside())
            return [Source(alias_of(item) or "", rename(columns, renamed_by(item)))]
        case ast.RangeFunction():
            return [_table_function(binder, item, place, scope)]
        case ast.RangeTableFunc() | ast.JsonTable():
            return [_table_expression(binder, item, scope)]
        case ast.RangeTableSample():
            return _sample(binder, item, scope)
        case _:
            raise NotBound(f"{type(item).__name__} is not understood in FROM", "write the statement without it")


_WITH_ALIAS = (
    ast.RangeVar, ast.JoinExpr, ast.RangeSubselect, ast.RangeFunction, ast.RangeTableFunc, ast.JsonTable,
)  # fmt: skip


def _relation(binder: Binder, item: ast.RangeVar, place: Place, scope: Scope) -> Source:
    name = alias_of(item) or item.relname or ""
    renamed = renamed_by(item)
    if not item.schemaname and item.relname is not None and item.relname in scope.ctes:
        return Source(name, rename(scope.ctes[item.relname], renamed))
    resolved = binder.names.relation(item)
    source = Source(name, None, item=item, place=place)
    known = resolved.relation if isinstance(resolved, ResolvedRelation) and not binder.defining else None
    if known is not None and known.key in binder.written_out:
        return write_out(binder, item, known, source)
    binder.add(RelationRead(item, resolved, source))
    if isinstance(resolved, Ambiguous):
        binder.bound.concerns(resolved.keys)
        return source
    if resolved is None:
        source.schema = item.schemaname or ""
        binder.bound.names(item.schemaname, item.relname)
        return source
    source.schema = resolved.schema if item.alias is None else ""
    if resolved.relation is not None:
        source.relation = resolved.relation
        source.columns = rename(tuple(column.name for column in resolved.relation.columns), renamed)
        binder.bound.concerns((resolved.relation.key,))
    elif resolved.system:
        source.system = (resolved.schema, resolved.name)
        source.columns = rename(resolved.columns, renamed)
    return source


def _join(binder: Binder, item: ast.JoinExpr, scope: Scope) -> list[Source]:
    left = from_item(binder, item.larg, Place(item, "larg"), scope)
    inside = Scope([*scope.sources, *left], scope.parent, scope.ctes)
    right = from_item(binder, item.rarg, Place(item, "rarg"), inside)
    scope.merges |= inside.merges
    sources = [*left, *right]
    if item.isNatural or item.usingClause:
        binder.add(OperatorUse(("=",)))
        if item.isNatural:
            # Which columns it compares depends on which there are.
            for source in sources:
                whole_row(binder, source)
        for name in idents(item.usingClause):
            column = ast.ColumnRef(fields=strings(name))
            for source in sources:
                binder.add(ColumnRead(column, name, (source,), inside))
        scope.merges = True
    binder.expression(item.quals, Scope(sources, scope.parent, scope.ctes))
    binder.add(FromLevel(sources))
    if item.alias is not None:
        # All columns of a system relation are in reach, perhaps under other names, or beside ones that are not known.
        for source in sources:
            if source.system is not None:
                whole_row(binder, source)
        return [_joined(item.alias, sources, counted=not scope.merges)]
    if item.join_using_alias is not None:
        binder.claim(item.join_using_alias)
        columns = tuple(idents(item.usingClause))
        sources.append(Source(item.join_using_alias.aliasname or "", columns, qualified_only=True))
    return sources


def _joined(alias: ast.Alias, sources: list[Source], *, counted: bool) -> Source:
    """The one source that a join with an alias is; `counted`: its columns are those of the sources, in order."""
    renamed = tuple(idents(alias.colnames))
    joined = merged(sources, alias.aliasname or "")
    joined.columns = rename(joined.columns, renamed) if counted or not renamed else None
    return joined


def _table_function(binder: Binder, item: ast.RangeFunction, place: Place, scope: Scope) -> Source:
    """Functions in FROM, which see the sources to their left; what columns they bring is the server's business."""
    inside = scope.inner()
    binder.add(TableFunction(item, place))
    for function, definitions in item.functions or ():
        binder.expression(function, inside)
        _column_definitions(binder, definitions, inside)
    _column_definitions(binder, item.coldeflist, inside)
    name = alias_of(item)
    calls = [function for function, _ in item.functions or () if isinstance(function, ast.FuncCall)]
    return Source(name or (idents(calls[0].funcname)[-1] if calls else ""), None)


def _column_definitions(binder: Binder, definitions: Iterable[Any] | None, scope: Scope) -> None:
    for definition in definitions or ():
        binder.claim(definition, COLUMN_OF_FUNCTION)
        binder.expression(definition.typeName, scope)
        binder.expression(definition.collClause, scope)


def _table_expression(binder: Binder, item: Any, scope: Scope) -> Source:
    """XMLTABLE and JSON_TABLE."""
    inside = scope.inner()
    binder.former_function(type(item))
    binder.parts(item, inside, but="alias")
    return Source(alias_of(item) or "", None)


def _sample(binder: Binder, item: ast.RangeTableSample, scope: Scope) -> list[Source]:
    """TABLESAMPLE picks rows by their places on disk."""
    sources = from_item(binder, item.relation, Place(item, "relation"), scope)
    binder.add(Sample(item, sources[0]))
    binder.expression(item.args, scope)
    binder.expression(item.repeatable, scope)
    return sources
