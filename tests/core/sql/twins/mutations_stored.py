"""Ways in which the catalog forgets what the server computes unasked, one rule each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.core.sql.twins.world import KEY, POLICY, Twins, read_catalog

from penstock_core.policy.effective import EffectivePolicy
from penstock_core.sql.catalog import view_lineage, views
from penstock_core.sql.catalog.model import Catalog, Constraint, Relation
from penstock_core.sql.catalog.view_lineage import Lineage
from penstock_core.sql.governor import Governor
from penstock_core.sql.masking import masked_columns
from penstock_core.sql.masking.masked_columns import Governed

Patch = pytest.MonkeyPatch


def forgetting(change: Callable[[Relation, Catalog], Relation]) -> Callable[[Patch], None]:
    """The catalog's relations are changed in that way before they are governed."""

    def switch_off(patch: Patch) -> None:
        original = masked_columns.govern

        def govern(policies: Any, catalog: Catalog) -> Any:
            relations = {key: change(relation, catalog) for key, relation in catalog.relations.items()}
            return original(policies, replace(catalog, relations=relations))

        patch.setattr("penstock_core.sql.governor.govern", govern)

    return switch_off


def _constraints(keep: Callable[[Relation, Constraint], Constraint | None]) -> Callable[[Patch], None]:
    def change(relation: Relation, _: Catalog) -> Relation:
        kept = [keep(relation, one) for one in relation.constraints]
        return replace(relation, constraints=tuple(one for one in kept if one is not None))

    return forgetting(change)


def _steady(kinds: str) -> Callable[[Patch], None]:
    """Expressions of those kinds are taken for the same in every session."""
    return _constraints(
        lambda relation, one: replace(one, validated=True) if relation.schema == "depot" and one.kind in kinds else one
    )


def _read_again(switch: Callable[[Patch], None]) -> Callable[[Patch], None]:
    """The rule is one of reading the catalog: it is read while the rule is off."""

    def switch_off(patch: Patch) -> None:
        switch(patch)
        read: dict[str, Catalog] = {}

        def governor(self: Twins, policy: EffectivePolicy = POLICY) -> Governor:
            if self.left not in read:
                read[self.left] = read_catalog(self.left)
            return Governor(policy, read[self.left], KEY)

        patch.setattr(Twins, "governor", governor)

    return switch_off


def _in_lineage(name: str, result: bool) -> Callable[[Patch], None]:
    return _read_again(lambda patch: patch.setattr(view_lineage, name, lambda *_: result))


def _lineage(change: Callable[[Lineage], Lineage], *, barrier: bool = True) -> Callable[[Patch], None]:
    def switch(patch: Patch) -> None:
        original = view_lineage.view_lineage

        def changed(definition: str, view: Relation, catalog: Catalog) -> Lineage | None:
            view = view if barrier else replace(view, security_barrier=False)
            found = original(definition, view, catalog)
            return None if found is None else change(found)

        patch.setattr(views, "view_lineage", changed)

    return _read_again(switch)


def _outer_first(patch: Patch) -> None:
    original = views._inner_first
    patch.setattr(views, "_inner_first", lambda inner: list(reversed(original(inner))))


def _children_are_elsewhere(patch: Patch) -> None:
    patch.setattr(Governed, "is_laid_out", lambda self, relation, **_: self.governs(relation))


def _views_read_what_they_name(relation: Relation, _: Catalog) -> Relation:
    """Not what is in the children of that."""
    named = {key: one for key, one in ((column[:2], column) for column in relation.filters) if key in relation.sources}
    return replace(relation, filters=frozenset(named.values())) if relation.name == "places" else relation


MUTATIONS: dict[str, Callable[[Patch], None]] = {
    "settings in checks": _steady("c"),
    "settings in indexes": _steady("e"),
    "settings in unique indexes": _steady("i"),
    "settings in partition keys": _steady("ck"),
    "what views compute unasked": forgetting(lambda relation, _: replace(relation, evaluated=frozenset())),
    "queries that stay their own": _in_lineage("is_pulled_up", True),
    "tables of WITH that stay their own": _in_lineage("is_inlined", True),
    "what may fail": _in_lineage("cannot_fail", True),
    "what may fail in views of views": _lineage(lambda found: replace(found, fallible=(False,) * len(found.derived))),
    "views after those they read": _read_again(_outer_first),
    "views that are barriers": _lineage(lambda found: found, barrier=False),
    "code in partition keys": forgetting(
        lambda relation, _: replace(relation, write_calls=(), calls=()) if relation.schema == "depot" else relation
    ),
    "rows of children": _children_are_elsewhere,
    "places of children's rows in views": forgetting(_views_read_what_they_name),
    "generated columns": _constraints(lambda _, one: None if one.kind == "g" else one),
}
