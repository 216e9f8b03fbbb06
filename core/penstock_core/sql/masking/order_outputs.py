"""What a query gives, as far as orders need it: its columns, which of them are a key, and what its groups sort by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.functions import FUNCTIONS
from penstock_core.sql.bind.column_names import select_columns, star_of
from penstock_core.sql.bind.scopes import Scope, Source, rename
from penstock_core.sql.catalog.pull_up import SET_RETURNING
from penstock_core.sql.masking.order_keys import Cell, Level, NotTold, Rows
from penstock_core.sql.masking.order_nodes import by, by_place, column, own_nodes
from penstock_core.sql.masking.order_sensitivity import function_name

# Aggregates that give one of the values that they are of.
_CHOOSING = frozenset({"min", "max", "mode", "percentile_disc"})
_ONE_VALUE = FUNCTIONS - SET_RETURNING


def outputs(node: ast.SelectStmt, level: Level, *, hazard: bool, single: bool) -> Rows:
    """The rows that the query gives; `single`: it makes one of all."""
    targets: Any = node.targetList or ()
    columns = select_columns(targets, Scope([Source(one.name, one.columns) for one in level.sources]))
    single = single or (not level.sources and not multiplies(targets))
    if columns is None or len(set(columns)) < len(columns):
        return Rows("", columns, hazard, single=single)
    shown: dict[Cell, str] = {}
    types: dict[str, str] = {}
    alike: frozenset[str] = frozenset()
    if not any(star_of(one.val) is not None for one in targets):
        for target, name in zip(targets, columns, strict=True):
            owner = level.owner(target.val)
            if owner is not None:
                shown[id(owner[0]), owner[1]] = name
            kind = level.type_of(target.val)
            if kind is not None:
                types[name] = kind
        alike = frozenset(name for target, name in zip(targets, columns, strict=True) if level.is_alike(target.val))
    elif len(level.sources) == 1 and len(targets) == 1:
        shown = {(id(level.sources[0]), name): name for name in columns}
        types = dict(level.sources[0].types)
        alike = level.sources[0].alike
    return Rows("", columns, hazard, key=_key(node, level, shown), single=single, types=types, alike=alike)


def _key(node: ast.SelectStmt, level: Level, shown: Mapping[Cell, str]) -> tuple[str, ...]:
    """Output columns of which no two rows hold the same, if any are known."""
    if node.distinctClause or multiplies(node.targetList):
        return ()
    if node.groupClause:
        owners = [level.owner(one) for one in node.groupClause]
        wanted = [(id(one[0]), one[1]) for one in owners if one is not None]
        if len(wanted) < len(owners):
            return ()
    else:
        apart = level.apart(())
        if not all(one.key for one in apart):
            return ()
        wanted = [(id(one), name) for one in apart for name in one.key]
    return tuple(shown[one] for one in wanted) if all(one in shown for one in wanted) else ()


def multiplies(targets: Any) -> bool:
    """Whether something in the output may give several rows for one."""
    calls = [one for one in own_nodes(targets) if isinstance(one, ast.FuncCall)]
    return any(function_name(one) not in _ONE_VALUE for one in calls)


def renamed(rows: Rows, names: Any) -> Rows:
    """The rows after an alias that names the first few of their columns."""
    given = tuple(one.sval or "" for one in names or ())
    if not given:
        return rows
    columns = rename(rows.columns, given)
    if rows.columns is None or columns is None or len(set(columns)) < len(columns):
        fails = rows.fails or bool(rows.failing)
        return replace(rows, columns=columns, key=(), types={}, alike=frozenset(), fails=fails)
    new = dict(zip(rows.columns, columns, strict=True))
    return replace(
        rows,
        columns=columns,
        key=tuple(new[name] for name in rows.key),
        types={new[name]: kind for name, kind in rows.types.items() if name in new},
        alike=frozenset(new[name] for name in rows.alike),
        failing=frozenset(new[name] for name in rows.failing),
    )


# ---- what is sorted by


def sorted_cells(node: ast.SelectStmt, level: Level) -> set[Cell]:
    """The columns that the client sorts by, or chooses one row each by."""
    keys = [one.node for one in node.sortClause or () if not one.useOp]
    keys += [one for one in node.distinctClause or () if one is not None]
    targets: list[Any] = list(node.targetList or ())
    values = []
    for key in keys:
        place = counted(key, targets)
        name = _bare_name(key)
        named = [one.val for one in targets if name and one.name == name]
        if place is not None:
            values.append(targets[place - 1].val)
        elif len(named) < 2:
            values.append(named[0] if named else key)
    return cells(values, level)


def cells(values: Collection[Any], level: Level) -> set[Cell]:
    """Those of the values that are plain columns of the query's sources."""
    owners = [level.owner(one) for one in values]
    return {(id(one[0]), one[1]) for one in owners if one is not None}


def counted(value: Any, targets: list[Any]) -> int | None:
    """The output column that a number in ORDER BY or GROUP BY counts, where it surely is that one."""
    if not isinstance(value, ast.A_Const) or not isinstance(value.val, ast.Integer):
        return None
    place = value.val.ival or 0
    before = targets[:place]
    stars = any(star_of(one.val) is not None for one in before)
    return place if 0 < place <= len(targets) and not stars else None


def group_order(node: ast.SelectStmt, level: Level, *, places: bool = True) -> list[ast.SortBy]:
    """One row for each group: by what the groups are made of. Raises NotTold.

    `places`: whether a number may stand for an output column, as it may not in a window.
    """
    targets: list[Any] = list(node.targetList or ())
    order: list[ast.SortBy] = []
    values = list(_group_values(node.groupClause))
    sets = any(isinstance(one, ast.GroupingSet) for one in node.groupClause or ())
    for value in values:
        place = counted(value, targets)
        if place is not None and (sets or not places):
            raise NotTold("a group by number")
        if place is None and isinstance(value, ast.A_Const):
            raise NotTold("a group by number")
        order.append(by_place(place) if place is not None else by(_grouped(value, targets, level, places=places)))
    if sets:
        order += [by(ast.GroupingFunc(args=(one.node,))) for one in order]
    return order


def chooses_among_equals(node: ast.SelectStmt, level: Level) -> bool:
    """Whether the first of several values that are equal and look different may stand for them all."""
    targets: list[Any] = list(node.targetList or ())
    values: list[Any] = []
    for value in _group_values(node.groupClause):
        place, name = counted(value, targets), _bare_name(value)
        named = [one.val for one in targets if name and one.name == name]
        values += [targets[place - 1].val] if place is not None else [value]
        values += named if level.owner(value) is None else []
    if node.distinctClause and node.distinctClause[0] is None:
        values += [one.val for one in targets]
    for call in own_nodes((node.targetList, node.havingClause, node.sortClause, node.distinctClause)):
        if isinstance(call, ast.FuncCall) and function_name(call) != "count":
            if call.agg_distinct or function_name(call) in _CHOOSING:
                values += call.args or ()
            if call.agg_within_group and function_name(call) in _CHOOSING:
                values += [one.node for one in call.agg_order or ()]
    return not all(_stands_alone(one, level) for one in values)


def _stands_alone(value: Any, level: Level) -> bool:
    star = star_of(value)
    if star is None:
        return level.is_alike(value)
    sources = [one for one in level.sources if not star or star[-1] == one.name]
    return all(one.columns is not None and one.alike.issuperset(one.columns) for one in sources)


def _group_values(groups: Any) -> Iterator[Any]:
    for group in groups or ():
        if isinstance(group, ast.GroupingSet):
            yield from _group_values(group.content)
        elif isinstance(group, ast.RowExpr):
            yield from _group_values(group.args)
        else:
            yield group


def _grouped(value: Any, targets: list[Any], level: Level, *, places: bool) -> Any:
    """GROUP BY takes a bare name for a column first, ORDER BY for an output column."""
    name = _bare_name(value)
    if not name:
        return value
    owner = level.owner(value)
    if owner is not None and owner[0].name:
        return column(owner[0].name, owner[1])
    named = [one for one in targets if one.name == name]
    if not named and places:
        return value
    # An output column, unless a source whose columns are not known has one of that name.
    if len(named) == 1 and all(one.columns is not None and name not in one.columns for one in level.sources):
        return value if places else named[0].val
    raise NotTold(name)


def _bare_name(value: Any) -> str:
    fields = value.fields or () if isinstance(value, ast.ColumnRef) else ()
    return (fields[0].sval or "") if len(fields) == 1 and isinstance(fields[0], ast.String) else ""
