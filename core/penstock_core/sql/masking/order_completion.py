"""Completes the order of queries that read relations with an order hazard, so that it tells nothing of masked values.

Behind what the client sorts by goes what tells the remaining rows apart, wherever their order could show: at the top,
beside LIMIT and its kin, in windows and aggregates. Where only rows that come sorted would do, the hazardous relations
themselves are sorted (`order_fences.py`). Which relations have a hazard is `order_hazards.py`'s, errors, which tell an
order too, are `order_errors.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import ast, enums

from penstock_core.sql.allowlists.total import FLOATS
from penstock_core.sql.bind.column_names import star_of
from penstock_core.sql.masking.order_calls import CallOrder
from penstock_core.sql.masking.order_errors import ErrorOrder, select
from penstock_core.sql.masking.order_failures import Failures
from penstock_core.sql.masking.order_keys import Leaf, Level, NotTold, Rows, is_alike
from penstock_core.sql.masking.order_nodes import CONSTANTS, by, by_place, own_nodes, put_around
from penstock_core.sql.masking.order_outputs import chooses_among_equals, group_order, outputs, renamed, sorted_cells
from penstock_core.sql.masking.order_sensitivity import OwnCalls, function_name
from penstock_core.sql.refusal import refused
from penstock_core.sql.syntax.equivalence import same
from penstock_core.sql.syntax.walk import below, fields_below

_JOINED = frozenset({enums.SubLinkType.EXISTS_SUBLINK, enums.SubLinkType.ANY_SUBLINK})


@dataclass(slots=True)
class QueryOrder:
    """Walks the queries of one statement, innermost first, and completes their orders in place."""

    # What each FROM item and each target is that is a relation, by its identity.
    leaves: Mapping[int, Leaf]
    own: OwnCalls
    # Only find out whether anything would have to be completed: for views, whose definitions can't be changed.
    judging: bool = False
    changed: bool = False
    # Whether something is left that only sorted sources make safe.
    unsorted: bool = False
    errors: ErrorOrder = field(init=False)

    def __post_init__(self) -> None:
        self.errors = ErrorOrder(Failures(self.own), judging=self.judging)

    # ---- whole queries

    def query(
        self, node: Any, outer: Level | None, ctes: Mapping[str, Rows], *, visible: bool = False, exists: bool = False
    ) -> Rows:
        """What the query gives. `visible`: the order of its rows shows; `exists`: it only matters if there are any."""
        if not isinstance(node, ast.SelectStmt):
            return self.writing(node, outer, ctes)
        ctes = self.tables(node.withClause, outer, ctes)
        if node.op is not None and node.op != enums.SetOperation.SETOP_NONE:
            return self._set_operation(node, outer, ctes, visible)
        level = Level([], outer, ctes)
        if node.valuesLists:
            self.inside(node.valuesLists, level)
            self.inside((node.sortClause, node.limitCount, node.limitOffset), level)
            columns = tuple(f"column{place + 1}" for place in range(len(node.valuesLists[0])))
            return Rows("", columns, fails=self.errors.failures.may_fail(node.valuesLists, level))
        return self._select(node, level, visible=visible, exists=exists)

    def writing(self, node: Any, outer: Level | None, ctes: Mapping[str, Rows]) -> Rows:
        """A statement that writes where a query stands; see `order_writes.py`."""
        raise refused(f"{type(node).__name__} is not understood as a query", "write it as a statement of its own")

    def tables(
        self, clause: ast.WithClause | None, outer: Level | None, ctes: Mapping[str, Rows]
    ) -> Mapping[str, Rows]:
        """The tables of WITH in reach of its query."""
        if clause is None:
            return ctes
        known = dict(ctes)
        tables: list[Any] = list(clause.ctes or ())
        if clause.recursive:
            hazard = self._names_hazards(clause)
            known.update({table.ctename: Rows("", None, hazard, fails=hazard) for table in tables})
        for table in tables:
            rows = self.query(table.ctequery, outer, dict(known))
            if table.search_clause or table.cycle_clause:
                rows = Rows("", None, rows.hazard, fails=rows.fails)
            hazard = rows.hazard or (bool(clause.recursive) and known[table.ctename].hazard)
            known[table.ctename] = replace(renamed(rows, table.aliascolnames), hazard=hazard)
        return known

    def _names_hazards(self, node: Any) -> bool:
        return any(leaf.hazard for one in below(node) if (leaf := self.leaves.get(id(one))) is not None)

    def _set_operation(
        self, node: ast.SelectStmt, outer: Level | None, ctes: Mapping[str, Rows], visible: bool
    ) -> Rows:
        left, right = (self.query(one, outer, ctes) for one in (node.larg, node.rarg))
        level = Level([], outer, ctes)
        self.inside((node.limitCount, node.limitOffset), level)
        hazard = left.hazard or right.hazard
        fails = left.fails or right.fails
        if fails:
            self.errors.failures.queries.add(id(node))
        distinct = not node.all or node.op != enums.SetOperation.SETOP_UNION
        # One of several equal rows stands for them.
        self.unsorted |= hazard and distinct and not (_all_alike(left) and _all_alike(right))
        limited = _limited(node)
        if hazard and (visible or limited or (node.sortClause and not self.judging)):
            if _with_ties(node):
                self.unsorted = True
            else:
                self.changed = True
                put_around(node)
                hazard = False
        alike = left.alike if _all_alike(left) and _all_alike(right) else frozenset()
        return Rows("", left.columns, hazard, fails=fails, alike=alike)

    def _select(self, node: ast.SelectStmt, level: Level, *, visible: bool, exists: bool) -> Rows:
        for item in node.fromClause or ():
            level.sources.extend(self.item(item, level))
        level.fails |= any(one.fails for one in level.sources)
        level.condition(node.whereClause)
        self.inside(node.whereClause, level, joins=True)
        for part in (
            node.targetList, node.distinctClause, node.groupClause, node.havingClause, node.windowClause,
            node.sortClause, node.limitCount, node.limitOffset,
        ):  # fmt: skip
            self.inside(part, level)
        calls = CallOrder(node, level, self.own)
        aggregated = node.havingClause is not None or calls.any_aggregate or level.aggregated
        single = not node.groupClause and aggregated
        open_order = hazard = self.is_hazard(level)
        if hazard:
            hazard = not self._complete(node, level, calls, visible=visible, exists=exists, single=single)
            self.unsorted |= chooses_among_equals(node, level)
        # Aggregates of an outer query's rows that stand in this one: no order of these can be named here.
        self.unsorted |= calls.of_outer and any(one.hazard for around in level.around() for one in around.sources)
        fails = self.errors.query(node, level, complete=not hazard, exists=exists, single=single, pinned=not open_order)
        rows = outputs(node, level, hazard=hazard, single=single)
        if rows.single or _first_row(node):
            self.errors.failures.single.add(id(node))
        # What fails for all of a relation does so whoever asks for it.
        return replace(rows, fails=fails and not (single and level.outer is None))

    def is_hazard(self, level: Level) -> bool:
        """Whether masked values may decide the order of the query's rows."""
        pinned = level.told(())
        return level.joined_hazard or any(one.hazard and id(one) not in pinned for one in level.sources)

    # ---- completing

    def _complete(
        self, node: ast.SelectStmt, level: Level, calls: CallOrder, *, visible: bool, exists: bool, single: bool
    ) -> bool:
        """Complete the orders in one query; returns whether its rows come in an order that tells nothing."""
        calls.complete()
        self.changed |= calls.changed
        self.unsorted |= calls.unsorted
        if single:
            return True
        limited = _limited(node)
        first_of = bool(node.distinctClause and node.distinctClause[0] is not None)
        if (exists and not node.lockingClause and not first_of) or (_says_nothing(node) and not node.lockingClause):
            return False
        if not (visible or limited or first_of or (node.sortClause and not self.judging)):
            return False
        if visible and not (node.sortClause or node.distinctClause or node.groupClause or node.windowClause):
            # What is computed anew for each row is computed once the rows are sorted.
            self.errors.late_calls |= _computed_last(node)
        if _with_ties(node):
            self.unsorted = True
            return False
        try:
            more = self._order(node, level, first_of=first_of)
        except NotTold:
            self.unsorted = True
            return False
        if more:
            node.sortClause = (*(node.sortClause or ()), *more)
            self.changed = True
        return True

    def _order(self, node: ast.SelectStmt, level: Level, *, first_of: bool) -> list[ast.SortBy]:
        """What to sort by behind what the client sorts by. Raises NotTold."""
        if node.distinctClause and not first_of:
            targets: list[Any] = list(node.targetList or ())
            if any(star_of(one.val) is not None for one in targets):
                raise NotTold("*")
            return [by_place(place + 1) for place in range(len(targets))]
        sorted_by = [one.node for one in node.sortClause or ()]
        chosen = [one for one in node.distinctClause or () if first_of]
        start = [by(one) for one in chosen if not any(same(one, other) for other in sorted_by)]
        if node.groupClause:
            return start + group_order(node, level)
        return start + level.order(sorted_cells(node, level))

    # ---- what is inside

    def inside(self, node: Any, level: Level, *, joins: bool = False) -> None:
        """The queries inside an expression; `joins`: in a condition, where the server may join them."""
        if isinstance(node, tuple):
            for part in node:
                self.inside(part, level, joins=joins)
        elif isinstance(node, ast.SubLink):
            kind = node.subLinkType
            self.inside(node.testexpr, level)
            rows = self.query(
                node.subselect,
                level,
                level.ctes,
                visible=kind == enums.SubLinkType.ARRAY_SUBLINK,
                exists=kind == enums.SubLinkType.EXISTS_SUBLINK,
            )
            level.joined_hazard |= joins and kind in _JOINED and rows.hazard
        elif isinstance(node, ast.SelectStmt):
            # JSON_ARRAY(SELECT …)
            self.query(node, level, level.ctes, visible=True)
        elif isinstance(node, ast.Node):
            for name in fields_below(node):
                value = getattr(node, name)
                if isinstance(value, (ast.Node, tuple)):
                    self.inside(value, level, joins=joins)

    # ---- FROM

    def item(self, item: Any, level: Level) -> list[Rows]:
        """The sources that a FROM item brings; `level` holds those to its left."""
        leaf = self.leaves.get(id(item))
        if leaf is not None:
            return [self._leaf(item, leaf)]
        match item:
            case ast.RangeVar():
                known = level.ctes.get(item.relname or "") if not item.schemaname else None
                rows = known if known is not None else Rows("")
                return [self._named(item, rows, item.relname or "")]
            case ast.RangeSubselect():
                around = level if item.lateral else level.outer
                return [self._named(item, self.query(item.subquery, around, level.ctes), "")]
            case ast.JoinExpr():
                return self._join(item, level)
            case ast.RangeTableSample():
                (rows,) = self.item(item.relation, level)
                if rows.hazard:
                    raise refused(
                        f"TABLESAMPLE of {rows.name} would depend on masked values", "use ORDER BY and LIMIT instead"
                    )
                return [rows]
            case _:
                self.inside(item, level)
                return [Rows(_function_source(item), fails=self._function_fails(item, level))]

    def _function_fails(self, item: Any, level: Level) -> bool:
        """Whether what stands in FROM and is no relation may fail for some rows: not what is the same for all."""
        calls = [call for call, _ in item.functions or ()] if isinstance(item, ast.RangeFunction) else [item]
        around = Level(level.sources, level.outer, level.ctes)
        takes = [tuple(one.args or ()) if _is_unnest(one) else one for one in calls]
        return any(self.errors.failures.may_fail(one, around) for one in takes)

    def _leaf(self, item: Any, leaf: Leaf) -> Rows:
        columns = leaf.relation.columns
        rows = Rows(
            "",
            tuple(column.name for column in columns),
            leaf.hazard,
            key=leaf.key,
            types={column.name: column.base_type.rpartition(".")[2] for column in columns},
            alike=frozenset(column.name for column in columns if is_alike(column)),
            failing=leaf.failing,
            fails=leaf.fails,
            item=id(item),
        )
        return self._named(item, rows, leaf.relation.name)

    @staticmethod
    def _named(item: Any, rows: Rows, name: str) -> Rows:
        alias = item.alias
        known = renamed(rows, alias.colnames if alias is not None else None)
        return replace(known, name=(alias.aliasname if alias is not None else name) or "")

    def _join(self, item: ast.JoinExpr, level: Level) -> list[Rows]:
        left = self.item(item.larg, level)
        beside = Level([*level.sources, *left], level.outer, level.ctes)
        right = self.item(item.rarg, beside)
        sources = [*left, *right]
        here = Level(sources, level.outer, level.ctes)
        held = _held(item, left, right)
        here.nullable |= beside.nullable
        here.condition(item.quals, held)
        select(here, item.quals, self.errors.failures, held)
        if len(right) == 1 and held and right[0] in held:
            self.errors.look_up(right[0], [*level.sources, *left], here, item.quals)
        for name in item.usingClause or ():
            _tie_using(here, left, right, getattr(name, "sval", "") or "", held)
        self.inside(item.quals, here, joins=True)
        here.fails = self.errors.failures.may_tell(item.quals, here) or _merges_badly(item, left, right)
        here.nullable |= {id(one) for one in _nullable(item, left, right)}
        level.take(beside)
        level.take(here)
        if item.alias is None:
            return sources
        fails = any(one.fails or one.failing for one in sources)
        return [Rows(item.alias.aliasname or "", None, any(one.hazard for one in sources), fails=fails)]


def _held(item: ast.JoinExpr, left: list[Rows], right: list[Rows]) -> list[Rows]:
    """The sources all of whose rows in the join keep to its condition, or are NULL throughout."""
    if item.jointype == enums.JoinType.JOIN_LEFT:
        return right
    if item.jointype == enums.JoinType.JOIN_RIGHT:
        return left
    return [*left, *right] if item.jointype == enums.JoinType.JOIN_INNER else []


def _nullable(item: ast.JoinExpr, left: list[Rows], right: list[Rows]) -> list[Rows]:
    """The sources that the join may give NULL for."""
    padded: dict[Any, list[Rows]] = {
        enums.JoinType.JOIN_LEFT: right,
        enums.JoinType.JOIN_RIGHT: left,
        enums.JoinType.JOIN_FULL: [*left, *right],
    }
    return padded.get(item.jointype, [])


def _merges_badly(item: ast.JoinExpr, left: list[Rows], right: list[Rows]) -> bool:
    """Whether columns that USING or NATURAL compares are of types of which one may not hold the other's values."""
    named = {getattr(one, "sval", "") for one in item.usingClause or ()}
    if not named and not item.isNatural:
        return False
    kinds: dict[str, set[str | None]] = {}
    for source in (*left, *right):
        for name in named or source.columns or ():
            if source.columns is None or name in source.columns:
                kinds.setdefault(name or "", set()).add(source.types.get(name or ""))
    return any(FLOATS | {None} & found and {"numeric", None} & found and len(found) > 1 for found in kinds.values())


def _tie_using(level: Level, left: list[Rows], right: list[Rows], name: str, held: list[Rows]) -> None:
    """What USING sets equal."""
    ends = [[one for one in side if one.columns is not None and name in one.columns] for side in (left, right)]
    if all(len(one) == 1 for one in ends):
        (one,), (other,) = ends
        for source, target in ((one, other), (other, one)):
            if target in held:
                level.tie((source, name), (target, name))


def _computed_last(node: ast.SelectStmt) -> set[int]:
    """The calls among the outputs that are made once the rows are sorted: not what a window function is given."""
    calls = [one for one in own_nodes(node.targetList) if isinstance(one, ast.FuncCall)]
    windowed = {id(one) for call in calls if call.over is not None for one in own_nodes(call)}
    return {id(one) for one in calls} - windowed


def _limited(node: ast.SelectStmt) -> bool:
    """Whether some of the rows are left out by their place."""
    count = node.limitCount
    every = count is None or (isinstance(count, ast.A_Const) and bool(count.isnull))
    return not every or node.limitOffset is not None


def _first_row(node: ast.SelectStmt) -> bool:
    """LIMIT 1, written out."""
    count = node.limitCount
    one = isinstance(count, ast.A_Const) and isinstance(count.val, ast.Integer) and count.val.ival == 1
    return one and not _with_ties(node)


def _all_alike(rows: Rows) -> bool:
    """Whether rows that are equal look alike."""
    return rows.columns is not None and rows.alike.issuperset(rows.columns)


def _with_ties(node: ast.SelectStmt) -> bool:
    """FETCH FIRST … WITH TIES: a finer order would leave fewer ties."""
    return node.limitCount is not None and node.limitOption == enums.LimitOption.LIMIT_OPTION_WITH_TIES


def _says_nothing(node: ast.SelectStmt) -> bool:
    """Whether all rows that it gives are the same, as in `SELECT 1 FROM …`."""
    return all(
        isinstance(one, (ast.ResTarget, ast.A_Const, ast.TypeCast, ast.TypeName, ast.ParamRef, *CONSTANTS))
        for one in own_nodes(node.targetList)
    )


def _is_unnest(call: Any) -> bool:
    return isinstance(call, ast.FuncCall) and function_name(call) == "unnest"


def _function_source(item: Any) -> str:
    """The name of what a function in FROM brings."""
    if item.alias is not None:
        return item.alias.aliasname or ""
    calls = [call for call, _ in getattr(item, "functions", None) or () if isinstance(call, ast.FuncCall)]
    return function_name(calls[0]) if len(calls) == 1 else ""
