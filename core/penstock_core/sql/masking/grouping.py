"""GROUP BY of a primary key: PostgreSQL then allows the table's other columns ungrouped, but not of a subquery's.

Where a governed table was replaced by a subquery, those of its columns that are used are added to the GROUP BY: they
depend on the key, so the groups stay the same. Not so if the key itself is masked; then the server refuses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.functions import AGGREGATES
from penstock_core.sql.bind.scopes import Scope, Source
from penstock_core.sql.syntax.walk import fields_below

_Names = list[str]


def extended_group_by(
    select: ast.SelectStmt, targets: Sequence[Any], scope: Scope, keys: Mapping[Source, tuple[str, ...]]
) -> tuple[ast.Node, ...] | None:
    """The GROUP BY with what the query uses of each replaced source whose whole primary key it groups by.

    `targets` are the output columns with their stars expanded, `keys` the primary keys of the replaced sources. None
    where the GROUP BY stays as it is.
    """
    groups = list(select.groupClause or ())
    if not groups or any(isinstance(group, ast.GroupingSet) for group in groups):
        return None
    grouped = _columns_of([_fields(_grouped(group, targets)) for group in groups], scope)
    keyed = [source for source, key in keys.items() if key and set(key) <= grouped[source]]
    if not keyed:
        return None
    used = _columns_of(
        [_fields(node) for node in _references((tuple(targets), select.havingClause, select.sortClause))], scope
    )
    for source in keyed:
        for name in sorted(used[source] - grouped[source]):
            groups.append(ast.ColumnRef(fields=(ast.String(sval=source.name), ast.String(sval=name))))
    return tuple(groups)


def _grouped(group: Any, targets: Sequence[Any]) -> Any:
    """The expression that a GROUP BY item means: itself, or the output column it counts or names."""
    if isinstance(group, ast.A_Const) and isinstance(group.val, ast.Integer):
        place = group.val.ival or 0
        return targets[place - 1].val if 0 < place <= len(targets) else group
    fields = _fields(group)
    if fields and len(fields) == 1:
        named = [target.val for target in targets if target.name == fields[0]]
        return named[0] if named else group
    return group


def _fields(node: Any) -> _Names | None:
    """The names of a column reference, `*` for the star; None for anything else."""
    if not isinstance(node, ast.ColumnRef):
        return None
    return [field.sval or "" if isinstance(field, ast.String) else "*" for field in node.fields or ()]


def _columns_of(references: list[_Names | None], scope: Scope) -> dict[Source, set[str]]:
    """Of each source the columns among those references."""
    found: dict[Source, set[str]] = defaultdict(set)
    index = scope.index
    for fields in references:
        if not fields:
            continue
        *qualifiers, name = fields
        if qualifiers:
            sources = index.sources.get(qualifiers[-1], [])
        elif name == "*":
            sources = scope.sources
        else:
            # Of a column that USING merged, the left one stands for both.
            sources = index.columns.get(name, [])[:1]
        for source in sources:
            if name == "*":
                found[source].update(source.columns or ())
            elif source.has(name):
                found[source].add(name)
    return found


def _references(node: Any) -> Iterator[ast.ColumnRef]:
    """Every column reference below, but for those inside aggregates, which need no grouping."""
    if isinstance(node, tuple):
        for part in node:
            yield from _references(part)
    elif isinstance(node, ast.ColumnRef):
        yield node
    elif isinstance(node, ast.FuncCall) and node.over is None and (node.funcname or ())[-1].sval in AGGREGATES:
        return
    elif isinstance(node, ast.Node):
        for name in fields_below(node):
            yield from _references(getattr(node, name))
