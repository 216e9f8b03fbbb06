"""Ways in which the catalog forgets what the server computes unasked, one rule each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock_core.sql.catalog.model import Catalog, Constraint, Relation
from penstock_core.sql.masking import masked_columns

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


MUTATIONS: dict[str, Callable[[Patch], None]] = {
    "settings in checks": _steady("c"),
    "settings in indexes": _steady("e"),
    "settings in unique indexes": _steady("i"),
    "settings in partition keys": _steady("ck"),
    "generated columns": _constraints(lambda _, one: None if one.kind == "g" else one),
}
