"""Which relations have an order hazard, and why: masked values may decide in which order their rows come.

What is done about it is in `order_completion.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import ast, parse_sql
from pglast.parser import ParseError

from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation, RelationName
from penstock_core.sql.masking.order_keys import Leaf
from penstock_core.sql.masking.order_sensitivity import OwnCalls
from penstock_core.sql.masking.order_writes import ViewOrder, judge_order
from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax.walk import below


@dataclass(frozen=True, slots=True)
class OrderHazards:
    """The relations with a hazard, by what masks there are."""

    masked: AbstractSet[ColumnName] = frozenset()
    # Of each relation the reasons, in words: its own, or those of what it shows.
    reasons: Mapping[RelationName, tuple[str, ...]] = field(default_factory=dict)
    # What is worth telling: the relations' own reasons alone.
    own: tuple[str, ...] = ()
    parents: AbstractSet[RelationName] = frozenset()
    # Views that rows which they read may make fail.
    failing: frozenset[RelationName] = frozenset()
    # Relations some of whose rows are not there.
    filtered: frozenset[RelationName] = frozenset()

    def leaf(self, relation: Relation, *, only: bool = False) -> Leaf:
        """The relation as a statement reads it; `only`: without the rows of those that inherit from it."""
        computed = frozenset(column.name for column in relation.columns if column.fallible)
        fails = relation.key in self.failing or bool(relation.evaluated)
        masked = frozenset(one.name for one in relation.columns if (*relation.key, one.name) in self.masked)
        hazard, filtered = relation.key in self.reasons, relation.key in self.filtered
        return Leaf(relation, hazard, self._key(relation, only), computed, fails, masked, filtered)

    def _key(self, relation: Relation, only: bool) -> tuple[str, ...]:
        """Its primary key, or else unique columns that are never null, none of them masked."""
        if relation.kind == "r" and relation.key in self.parents and not only:
            # It is unique in each of the tables alone.
            return ()
        unique = [one.columns for one in relation.constraints if one.kind == "u" and one.validated]
        for columns in (relation.primary_key, *sorted(map(sorted, unique))):
            found = [relation.column(name) for name in columns]
            whole = all(one is not None and (one.not_null or columns is relation.primary_key) for one in found)
            if columns and whole and not any((*relation.key, name) in self.masked for name in columns):
                return tuple(columns)
        return ()


def order_hazards(
    masked: Mapping[ColumnName, Any], catalog: Catalog, *, always: bool = False,
    filtered: Collection[RelationName] = (),
) -> OrderHazards:  # fmt: skip
    """The relations whose rows may come in an order that masked columns decide, or rows that are not there; `always`:
    whichever has such columns, since its rows may have been written in their order.
    """
    here: dict[RelationName, set[str]] = defaultdict(set)
    for schema, table, name in masked:
        here[schema, table].add(name)
    reasons: dict[RelationName, tuple[str, ...]] = {}
    overview = catalog.overview
    held = [
        catalog.relations[key] for key in {**dict.fromkeys(here), **dict.fromkeys(filtered)} if key in catalog.relations
    ]
    for relation in {one.key: one for one in (*held, *overview.defined)}.values():
        read = [name for name in relation.reads if name in masked] if relation.definition else []
        columns = here.get(relation.key, set())
        own = _own_reasons(relation, columns, read, catalog)
        if not own and relation.key in filtered:
            own = (f"where rows of {_dotted(relation.key)} lie depends on those that a policy filters out",)
        if not own and always and columns:
            own = (f"{_dotted(relation.key)} has the masked column {min(columns)}, and rowOrder is always",)
        if own:
            reasons[relation.key] = own
    told = tuple(sorted(why for found in reasons.values() for why in found))
    grown = bool(reasons)
    while grown:
        fresh: dict[RelationName, tuple[str, ...]] = {}
        for relation in {one.key: one for one in (*overview.inheriting, *overview.reading)}.values():
            if relation.key in reasons:
                why = (f"it holds the rows of {_dotted(relation.key)} ({reasons[relation.key][0]})",)
                fresh.update(dict.fromkeys(relation.parents, why))
            elif relation.kind in ("v", "m") and (known := sorted(relation.sources & reasons.keys())):
                fresh[relation.key] = (f"it reads {_dotted(known[0])} ({reasons[known[0]][0]})",)
        fresh = {name: why for name, why in fresh.items() if name not in reasons and name in catalog.relations}
        reasons.update(fresh)
        grown = bool(fresh)
    return OrderHazards(masked.keys(), reasons, told, overview.children.keys(), filtered=frozenset(filtered))


def _own_reasons(
    relation: Relation, here: Collection[str], read: Collection[ColumnName], catalog: Catalog
) -> tuple[str, ...]:
    """Why the relation itself has a hazard: its masked columns are `here`, those that its definition reads `read`."""
    place = _dotted(relation.key)
    found = []
    for index in relation.indexes:
        for name in sorted(index.columns.intersection(here))[:1]:
            how = "has clustered" if index.clustered else "orders"
            found.append(f"index {index.name} {how} {place} by its masked column {name}")
    for constraint in relation.constraints:
        for name in sorted(constraint.columns.intersection(here))[:1] if constraint.kind == "k" else ():
            found.append(f"{place} is partitioned by its masked column {name}")
    if read and _has_windows(relation, catalog):
        found.append(f"{place} comes in the order of its window functions, which read {_dotted(min(read))}, masked")
    return tuple(found)


def judge_views(hazards: OrderHazards, catalog: Catalog, own: OwnCalls) -> tuple[OrderHazards, dict[RelationName, str]]:
    """The hazards with the views that may fail, and the views whose rows, values or errors depend on the order of what
    they read, with why they can't be read: no statement can complete the order inside of them.
    """
    judged: dict[RelationName, ViewOrder] = {}
    reading = {
        relation.key: relation
        for relation in catalog.overview.reading
        if relation.kind in ("v", "m") and not relation.sources.isdisjoint(hazards.reasons.keys())
    }
    grown = True
    while grown:
        judged = {key: _judged(relation, hazards, catalog, own) for key, relation in reading.items()}
        failing = frozenset(key for key, one in judged.items() if one.fails and reading[key].kind == "v")
        grown = failing != hazards.failing
        hazards = replace(hazards, failing=failing)
    found: dict[RelationName, str] = {}
    for key, one in judged.items():
        known = min(reading[key].sources & hazards.reasons.keys())
        what = "which rows it shows, or their values," if one.open else "which rows make it fail"
        if one.open or (one.fails_openly and reading[key].kind == "v"):
            found[key] = (
                f"{what} depend on the order in which {_dotted(known)} is read, which masked columns may decide:"
                f" {hazards.reasons[known][0]}"
            )
    return hazards, found


def _judged(view: Relation, hazards: OrderHazards, catalog: Catalog, own: OwnCalls) -> ViewOrder:
    """What is found about one view; once for all policies by which the same of what it reads is masked."""
    shared = catalog.overview.shared
    facts = [(key, *_facts(key, hazards, catalog)) for key in sorted(view.sources)]
    place = ("order", view.key, own.attested, tuple(facts))
    found = shared.get(place)
    if not isinstance(found, ViewOrder):
        found = shared[place] = _judge(view, hazards, catalog, own)
    return found


def _facts(key: RelationName, hazards: OrderHazards, catalog: Catalog) -> tuple[object, ...]:
    """All that the judgement of a view takes from the policy about a relation that it reads."""
    relation = catalog.relations.get(key)
    columns = () if relation is None else relation.columns
    masked = tuple(column.name for column in columns if (*key, column.name) in hazards.masked)
    return key in hazards.reasons, key in hazards.failing, key in hazards.filtered, masked


def _judge(view: Relation, hazards: OrderHazards, catalog: Catalog, own: OwnCalls) -> ViewOrder:
    tree = _parsed(view.definition)
    if tree is None:
        return ViewOrder(open=True)
    leaves: dict[int, Leaf] = {}
    for node in below(tree):
        if isinstance(node, ast.RangeVar) and node.schemaname:
            relation = catalog.relations.get((node.schemaname, node.relname or ""))
            if relation is not None and relation.key not in view.sources:
                # The server says what a view reads; where its definition says more, nothing is known.
                return ViewOrder(open=True)
            if relation is not None:
                leaves[id(node)] = hazards.leaf(relation, only=not node.inh)
    try:
        return judge_order(tree, leaves, own)
    except (Refused, RecursionError):
        return ViewOrder(open=True)


def _has_windows(view: Relation, catalog: Catalog) -> bool:
    definition = view.definition
    if "OVER" not in definition:
        return False
    shared, key = catalog.overview.shared, ("windows", view.key)
    if key not in shared:
        shared[key] = any(isinstance(node, ast.WindowDef) for node in below(_parsed(definition)))
    return bool(shared[key])


def _parsed(definition: str) -> ast.SelectStmt | None:
    try:
        (statement,) = parse_sql(definition)
    except (ParseError, ValueError):
        return None
    return statement.stmt if isinstance(statement.stmt, ast.SelectStmt) else None


def _dotted(name: tuple[str, ...]) -> str:
    return ".".join(name)
