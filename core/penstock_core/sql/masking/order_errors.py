"""Keeps errors from telling in which order rows were read: which of several comes first, how many rows came before one,
and whether a query that stops early meets one at all.

Three ways, the cheapest that does for each query that reads relations with an order hazard:

- What only outputs compute is computed *late*, once the rows are sorted: then no row but those shown is computed.
- Where all rows are read before any is shown, as for the sum of all, errors are *mixed*: whatever comes first, the
  client is told the same.
- Else the relations are *fenced*: read through a sorted subquery, below which nothing is computed that may fail. So is
  what decides which rows there are, wherever a policy filters some out: errors must not tell of these at all.

What may fail is found out in `order_failures.py`; the fences are put up in `order_fences.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from penstock_core.sql.bind.column_names import own_name, select_columns, star_of
from penstock_core.sql.bind.scopes import Scope
from penstock_core.sql.catalog.pull_up import VOLATILE
from penstock_core.sql.masking.order_failures import Failures, conjuncts
from penstock_core.sql.masking.order_keys import Level, Rows, is_equality
from penstock_core.sql.masking.order_nodes import by, by_image, column, copied, own_nodes, postponed
from penstock_core.sql.masking.order_outputs import counted, multiplies
from penstock_core.sql.masking.order_sensitivity import function_name

_RESULTS = ("targetList", "distinctClause", "groupClause", "havingClause", "windowClause", "sortClause")
# With any of these, EXISTS does not look for rows alone.
_KEPT_BY_EXISTS = ("groupClause", "havingClause", "windowClause", "distinctClause", "limitCount", "limitOffset",
                   "lockingClause")  # fmt: skip
_FIRSTS = frozenset({"min", "max"})


@dataclass(slots=True)
class ErrorOrder:
    """What is found and done about errors in one statement."""

    failures: Failures
    # Only find out whether anything would have to be done: for views, whose definitions can't be changed.
    judging: bool = False
    # Whether the statement reads a relation some of whose rows are not there: what these make fail must not fail.
    filtered: bool = False
    # Whether relations have to be fenced; whether errors have to be told alike.
    fenced: bool = False
    mixed: bool = False
    # Judged: whether reading a row of the view may fail, and whether which of its rows do depends on their order.
    fails: bool = False
    open: bool = False
    # Calls that are made once the rows are sorted, by identity.
    late_calls: set[int] = field(default_factory=set)
    # Of relations that are fenced, by the identity of the FROM item: conditions that hold inside of the fence, and in
    # which order its rows come.
    conditions: dict[int, list[Any]] = field(default_factory=dict)
    orders: dict[int, tuple[ast.SortBy, ...]] = field(default_factory=dict)
    # Of those that each row to their left finds one row of by the key: the conditions by which it does.
    lookups: dict[int, list[Any]] = field(default_factory=dict)

    def query(
        self, node: ast.SelectStmt, level: Level, *, complete: bool, exists: bool, single: bool, pinned: bool
    ) -> bool:
        """Close one query, whose inner ones are. `complete`: its rows come in an order that is; `single`: one row of
        all; `pinned`: there is one row at most of each relation with a hazard. Returns whether the query may fail.
        """
        failures = self.failures
        self.select(level, node.whereClause)
        conditions = level.fails or failures.may_tell(node.whereClause, level)
        results = any(failures.may_fail(getattr(node, name), level) for name in _RESULTS)
        if exists and not single and not any(getattr(node, name) for name in _KEPT_BY_EXISTS):
            results = False
        fails = conditions or results
        if fails:
            failures.queries.add(id(node))
        if fails and (level.joined_hazard or any(one.hazard for one in level.sources)):
            if conditions:
                self._conditions(node, level, single=single)
            elif not pinned:
                self._results(node, level, complete=complete, single=single)
        return fails

    def select(self, level: Level, condition: Any) -> None:
        """Note what conditions hold inside of fences; `condition` is the query's own."""
        select(level, condition, self.failures)
        for rows, one in level.selecting:
            self.conditions.setdefault(rows.item, []).append(one)

    def look_up(self, source: Rows, left: list[Rows], level: Level, condition: Any) -> None:
        """Note by what a join finds one row at most of a relation for each row of those to its left, so that the fence
        need not hold all of it.
        """
        found: dict[str, Any] = {}
        for part in conjuncts(condition):
            if is_equality(part) and not self.failures.may_tell(part, level):
                owners = [one for one in map(level.owner, (part.lexpr, part.rexpr)) if one is not None]
                mine = next((name for one, name in owners if one is source), None)
                known = len(owners) == 2 and any(one is other for one, _ in owners for other in left)
                if mine and known and level.ties_alike(*owners):
                    found[mine] = part
        if source.item and source.key and all(name in found for name in source.key):
            self.lookups[source.item] = [found[name] for name in source.key]

    def _conditions(self, node: ast.SelectStmt, level: Level, *, single: bool) -> None:
        """Something that decides which rows there are may fail."""
        alone = len(level.sources) == 1 and not level.joined_hazard
        if self.judging:
            self.fails = True
            self.open |= not alone
        elif single and alone and not _seeks_first(node) and not self.filtered:
            self.mixed = True
        else:
            self._fence(node, level)

    def _results(self, node: ast.SelectStmt, level: Level, *, complete: bool, single: bool) -> None:
        """Only what is computed of the rows may fail."""
        if single or node.groupClause:
            if _has_windows(node) or node.distinctClause or self._groups_fail(node, level):
                self._fence(node, level)
            elif self.judging:
                self.fails = True
            else:
                self.mixed = True
        elif self.judging:
            self.fails |= bool(node.distinctClause or _has_windows(node) or node.sortClause)
        elif not (complete and self._put_late(node, level)):
            self._fence(node, level)

    def _groups_fail(self, node: ast.SelectStmt, level: Level) -> bool:
        """Whether what groups are made of may fail, where they may be put together while rows are read: by one of
        several keys they come sorted by an index.
        """
        keys = node.groupClause or ()
        if len(keys) < 2 and not any(isinstance(one, ast.GroupingSet) for one in keys):
            return False
        own = self.failures.own
        targets: list[Any] = list(node.targetList or ())
        plain = [
            one for one in targets
            if not any(isinstance(part, ast.FuncCall) and own.is_aggregate(part) for part in own_nodes(one.val))
        ]  # fmt: skip
        return self.failures.may_fail((*keys, *plain), level)

    # ---- late

    def _put_late(self, node: ast.SelectStmt, level: Level) -> bool:
        """Have what may fail computed behind the sort; whether that is possible."""
        targets: list[Any] = list(node.targetList or ())
        keys = [one.node for one in node.sortClause or ()]
        if not keys or node.distinctClause or _has_windows(node) or multiplies(node.targetList):
            return False
        if self.failures.may_fail(tuple(keys), level):
            return False
        late = [one for one in targets if self.failures.may_fail(one, level)]
        names = [select_columns((one,), Scope([])) for one in late]
        if any(star_of(one.val) is not None or _is_key(one, targets, keys) for one in late) or None in names:
            return False
        for target, name in zip(late, names, strict=True):
            (target.name,) = name or ()
            never = copied(target.val)
            target.val = postponed(target.val, never)
            self.late_calls |= {id(one) for one in own_nodes(target.val) if isinstance(one, ast.FuncCall)}
        return True

    # ---- fences

    def _fence(self, node: ast.SelectStmt, level: Level) -> None:
        self.fenced = True
        if self.judging:
            self.fails = True
        elif len(level.sources) == 1 and level.sources[0].item:
            source = level.sources[0]
            wanted = _wanted(node, level, source)
            if wanted:
                self.orders[source.item] = wanted

    def inside_fence(self, item: int) -> ast.Node | None:
        """The conditions that hold inside of the fence of that relation."""
        conditions = [one for one in self.conditions.get(item, ()) if self._is_single_use(one)]
        conditions += self.lookups.get(item, ())
        if not conditions:
            return None
        return conditions[0] if len(conditions) == 1 else ast.BoolExpr(boolop=0, args=tuple(conditions))

    def _is_single_use(self, condition: Any) -> bool:
        """A parameter gets its type where it stands first."""
        numbers = [one.number or 0 for one in own_nodes(condition) if isinstance(one, ast.ParamRef)]
        return all(self.failures.parameters[number] == 1 for number in numbers)


def select(level: Level, condition: Any, failures: Failures, held: Sequence[Rows] | None = None) -> None:
    """Note the parts of an AND of conditions that say something of one source alone, of rows that come from no outer
    join, or of `held`, and can't fail.
    """
    for part in conjuncts(condition):
        source = level.holding(part)
        if source is None or not source.item or id(source) in level.nullable:
            continue
        if held is not None and all(one is not source for one in held):
            continue
        volatile = any(isinstance(one, ast.FuncCall) and function_name(one) in VOLATILE for one in own_nodes(part))
        if not volatile and not failures.may_tell(part, level):
            level.selecting.append((source, part))


def _seeks_first(node: ast.SelectStmt) -> bool:
    """Whether the server may stop at the first row by an index."""
    return any(isinstance(one, ast.FuncCall) and function_name(one) in _FIRSTS for one in own_nodes(node.targetList))


def _has_windows(node: ast.SelectStmt) -> bool:
    """Whether windows are computed of the rows, which comes before the sort."""
    parts = own_nodes((node.targetList, node.sortClause))
    return any(isinstance(one, ast.FuncCall) and one.over is not None for one in parts)


def _is_key(target: ast.ResTarget, targets: list[Any], keys: list[Any]) -> bool:
    """Whether the rows are sorted by that output, by its number or name."""
    for key in keys:
        place = counted(key, targets)
        if place is not None:
            found = targets[place - 1] is target
        else:
            fields = key.fields or () if isinstance(key, ast.ColumnRef) else ()
            found = len(fields) == 1 and isinstance(fields[0], ast.String) and fields[0].sval == target.name
        if found or (place is None and isinstance(key, ast.A_Const)):
            return True
    return False


def _wanted(node: ast.SelectStmt, level: Level, source: Rows) -> tuple[ast.SortBy, ...]:
    """The order that the client wants of the one source, as far as that goes by its columns, and completed."""
    targets: list[Any] = list(node.targetList or ())
    order: list[ast.SortBy] = []
    given: set[str] = set()
    for key in node.sortClause or ():
        owner = level.owner(key.node)
        names = {one.name for one in targets if one.name and one.name != own_name(one.val)}
        if owner is None or key.useOp or owner[1] in names or owner[1] in source.failing:
            break
        order.append(by(column(source.name, owner[1]), key))
        given.add(owner[1])
    if not order:
        return ()
    if source.key:
        order += [by(column(source.name, name)) for name in source.key if name not in given]
    else:
        order.append(by_image(source.name))
    return tuple(order)
