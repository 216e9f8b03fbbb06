"""Which functions give something else when rows come in another order: data, by name, and the types that are exact.

What is done about them is in `order_completion.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from pglast import ast

from penstock_core.sql.allowlists.functions import AGGREGATES
from penstock_core.sql.allowlists.words import words
from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Relation, RelationName
from penstock_core.sql.catalog.trigger_bodies import read_trigger
from penstock_core.sql.syntax.operators import operator_of

# Aggregates that any order of the same rows gives the same result.
_ORDERLESS = words("""
    bit_and bit_or bit_xor bool_and bool_or count every max min mode percentile_cont percentile_disc range_agg
    range_intersect_agg regr_count
""")
# So do these of what adds up exactly, not of floating point numbers.
SUMS = words("avg stddev stddev_pop stddev_samp sum var_pop var_samp variance")
# Names of the types that add up exactly, whatever comes first.
EXACT = words("int2 int4 int8 interval money numeric oid")
INTEGERS = words("int2 int4 int8")

# Window functions that peers share the result of, so that no order among these matters.
_OF_PEERS = words("cume_dist dense_rank percent_rank rank")
# Those that look at no frame: a finer order is one of the orders that the client asked for.
_POSITIONAL = words("lag lead ntile row_number")

# Functions that tell in which order they were called: by their results, or by what they leave behind.
ORDER_TELLING = words("clock_timestamp currval lastval nextval timeofday uuid_generate_v1 uuid_generate_v1mc uuidv7")
_LEAVING = words("pg_notify set_config setval")
_CALLED = re.compile(rf"\b({'|'.join(sorted(ORDER_TELLING | _LEAVING))})\(")

_ROWS, _UNBOUNDED_PRECEDING, _EXCLUSION = 0x0004, 0x0020, 0x8000 | 0x10000 | 0x20000


def function_name(call: ast.FuncCall) -> str:
    """The function's own name."""
    last = (call.funcname or (None,))[-1]
    return (last.sval or "") if isinstance(last, ast.String) else ""


class OwnCalls:
    """What order needs to know about functions outside of pg_catalog, by their bare names."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._aggregates = frozenset(
            name
            for (_, name), overloads in functions.catalog.routines.items()
            if any(one.kind in ("a", "w") for one in overloads)
        )

    @property
    def attested(self) -> frozenset[RelationName]:
        """The functions that policies vouch for: the rest is the catalog's."""
        return self._functions.attested

    @property
    def operators(self) -> frozenset[str]:
        """Names of operators that may be the database's own."""
        return self._functions.catalog.user_operators

    @property
    def converting(self) -> bool:
        """Whether casts run code of the database's own."""
        catalog = self._functions.catalog
        return bool(catalog.coded_types or catalog.cast_types)

    @property
    def extension_operators(self) -> frozenset[str]:
        """Names of operators that trusted extensions bring."""
        return self._functions.catalog.extension_operators

    @property
    def has_partless_texts(self) -> bool:
        """Whether patterns and parts of texts may fail for what their collation is."""
        return self._functions.catalog.has_partless_texts

    def is_systems(self, call: ast.FuncCall) -> bool:
        """Whether it is surely a function of pg_catalog."""
        names = [one.sval or "" for one in call.funcname or () if isinstance(one, ast.String)]
        own = self._functions.catalog.user_functions
        return names[:-1] == ["pg_catalog"] or (len(names) == 1 and names[0] not in own)

    def is_operator(self, node: ast.A_Expr) -> bool:
        """Whether an operator may be the database's own."""
        *schema, name = [one.sval or "" for one in node.name or () if isinstance(one, ast.String)] or [""]
        return schema not in ([], ["pg_catalog"]) or (not schema and name in self.operators)

    def is_aggregate(self, call: ast.FuncCall) -> bool:
        """Whether it makes one value of many rows, rather than one for each."""
        name = function_name(call)
        known = name in AGGREGATES or name in self._aggregates
        return call.over is None and (known or bool(call.agg_within_group))

    def tells(self, call: ast.FuncCall) -> bool:
        """Whether its result, or what it leaves behind, may tell when it was called."""
        name = function_name(call)
        if name in ORDER_TELLING or name in _LEAVING:
            return True
        if name not in self._functions.catalog.user_functions:
            return False
        effects = self._functions.named(name)
        return bool(effects.unknown or effects.vouched) or _tells_when(effects)

    def operator_tells(self, node: ast.A_Expr) -> bool:
        """Whether an operator runs a function that may tell when."""
        name = operator_of(node)
        if not self.is_operator(node) or name not in self.operators:
            return False
        effects = self._functions.operator(name)
        return bool(effects.unknown or effects.vouched) or _tells_when(effects)

    def told_by_writing(self, relation: Relation, actions: frozenset[str], columns: Collection[str]) -> str:
        """The function that those actions, an UPDATE of those columns, run for each row there, or below, and that tells
        in which order; or empty.
        """
        catalog = self._functions.catalog
        seen, pending = {relation.key}, [relation.key]
        while pending:
            one = catalog.relations.get(pending.pop())
            if one is None:
                continue
            # A view has other names for its tables' columns.
            found = self._told_by_row(one, actions, columns if relation.kind != "v" else ())
            if found:
                return found
            below = {*catalog.overview.children.get(one.key, ()), *(one.sources if one.kind == "v" else ())} - seen
            seen |= below
            pending.extend(sorted(below))
        return ""

    def _told_by_row(self, relation: Relation, actions: frozenset[str], columns: Collection[str]) -> str:
        """Of that relation alone; no columns: any."""
        functions = self._functions
        for trigger in relation.triggers:
            facts, effects = read_trigger(trigger), functions.trigger(trigger)
            fires = actions & facts.actions
            if fires == {"update"} and facts.columns and columns and facts.columns.isdisjoint(columns):
                continue
            each = facts.each_row or facts.transitions
            if fires and each and not effects.vouched and _tells_when(effects):
                return ".".join(trigger.function)
        return self._telling_call((*relation.calls, *relation.write_calls))

    def told_by_reading(self, relation: Relation) -> str:
        """The function that reading a table runs for each row (by row security, say), and that tells in which order."""
        return self._telling_call(relation.calls) if relation.kind in ("r", "p", "f") else ""

    def told_by_view(self, relation: Relation) -> str:
        """The function that reading a view calls, and that tells when; or empty."""
        catalog = self._functions.catalog
        seen, pending = {relation.key}, [relation.key] if relation.kind == "v" else []
        while pending:
            one = catalog.relations.get(pending.pop())
            if one is None or one.kind != "v":
                continue
            found = _CALLED.search(one.definition)
            telling = found[1] if found else self._telling_call(one.calls)
            if telling:
                return telling
            fresh = one.sources - seen
            seen |= fresh
            pending.extend(sorted(fresh))
        return ""

    def _telling_call(self, names: Collection[str]) -> str:
        functions = self._functions
        for name in names:
            schema, _, called = name.rpartition(".")
            if (schema, called) in functions.catalog.routines:
                effects = functions.verdict(schema, called)
                if not effects.vouched and _tells_when(effects):
                    return name
        return ""


def _tells_when(effects: FunctionEffects) -> bool:
    """Whether what a function does shows in which order it was called."""
    called = {name for _, name in effects.calls}
    return bool(effects.writes or effects.sets or effects.keeps or called & (ORDER_TELLING | _LEAVING))


def is_sensitive(call: ast.FuncCall, *, exact: bool) -> bool:
    """Whether an aggregate's result depends on the order of its rows; `exact`: its argument adds up exactly."""
    name = function_name(call)
    if call.agg_distinct or call.agg_within_group or name in _ORDERLESS:
        return False
    return not (name in SUMS and exact)


def window_needs(call: ast.FuncCall, window: ast.WindowDef, *, exact: bool) -> str:
    """What a window function needs so that no other order shows: "" for nothing, "order" for a finer order in its
    window, "sorted" where only rows that come sorted would do, since its peers have to stay peers.
    """
    name, frame = function_name(call), window.frameOptions or 0
    if name in _OF_PEERS:
        return ""
    excluded = frame & _EXCLUSION
    if name in _POSITIONAL or (frame & _ROWS and not excluded):
        return "order"
    if name == "first_value" and frame & _UNBOUNDED_PRECEDING and not excluded:
        return "order"
    orderless = name in AGGREGATES and not is_sensitive(call, exact=exact)
    return "" if orderless and not frame & _ROWS else "sorted"


def resolved_window(window: ast.WindowDef, named: Any) -> ast.WindowDef:
    """The window with all that it takes from named ones written out."""
    name = window.name or window.refname
    base = next((one for one in named or () if name and one.name == name), None)
    if base is None:
        return window
    base = resolved_window(ast.WindowDef(**{**_parts(base), "name": None}), named)
    if window.name:
        return base
    return ast.WindowDef(
        partitionClause=base.partitionClause or window.partitionClause,
        orderClause=base.orderClause or window.orderClause,
        frameOptions=window.frameOptions,
        startOffset=window.startOffset,
        endOffset=window.endOffset,
    )


def _parts(window: ast.WindowDef) -> dict[str, Any]:
    return {name: getattr(window, name) for name in window}
