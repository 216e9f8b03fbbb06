"""Whether a function of the database's own can show what is masked: by what it reads and writes.

What it is called with is masked already, or (in a view, check or trigger) is looked after where it is called. Who asks,
and what else a call needs, belongs to `penstock_core.sql.authorize`.
"""

from __future__ import annotations

from collections.abc import Collection

from penstock_core.sql.catalog.function_effects import FunctionEffects
from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog, RelationName


class Reach:
    """Which relations lead to one of `closed`: those that are governed, or can't be read."""

    def __init__(self, catalog: Catalog, closed: Collection[RelationName]) -> None:
        self._catalog = catalog
        self._closed = closed
        self._children = catalog.overview.children

    def closed(self, key: RelationName) -> RelationName | None:
        """What reading that relation would show of the closed ones, through views and children; None if nothing."""
        seen, pending = {key}, [key]
        while pending:
            one = pending.pop()
            if one in self._closed:
                return one
            relation = self._catalog.relations.get(one)
            sources = relation.sources if relation is not None else frozenset()
            fresh = {*sources, *self._children.get(one, ())} - seen
            seen |= fresh
            pending.extend(sorted(fresh))
        return None

    def closed_sequence(self, key: RelationName) -> RelationName | None:
        """That sequence if it is one of the closed ones; of `("", "")`, which may be any, whichever is closed."""
        if any(key):
            return key if key in self._closed else None
        return next((one for one in sorted(self._closed) if self._is_sequence(one)), None)

    def _is_sequence(self, key: RelationName) -> bool:
        relation = self._catalog.relations.get(key)
        return relation is not None and relation.kind == "S"


def shown(effects: FunctionEffects, reach: Reach) -> str:
    """Why the function may show masked values, in words; empty if it can't."""
    if effects.unknown:
        return effects.unknown
    if effects.hazards:
        return f"it uses {effects.hazards[0]}, which could show masked values"
    for key in sorted(effects.reads):
        closed = reach.closed(key)
        if closed is not None:
            through = "" if closed == key else f" through {'.'.join(key)}"
            return f"it reads {'.'.join(closed)}{through}, which you may not read as it is stored"
    for key in sorted(effects.sequences):
        closed = reach.closed_sequence(key)
        if closed is not None:
            return f"it may take numbers of the sequence {'.'.join(closed)}, which numbers a masked column"
    return ""


def computing(name: str, functions: Functions, reach: Reach) -> str:
    """Why a function that a view, policy or generated column calls, `schema.name`, can't be left to compute there."""
    schema, _, called = name.rpartition(".")
    effects = functions.verdict(schema, called)
    if effects.writes or effects.verbs - {"select"}:
        return f"{name} writes"
    return shown(effects, reach)
