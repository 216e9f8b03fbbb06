"""What the tests of binding share: texts bound against the small catalog of the governor's tests."""

from __future__ import annotations

from typing import TypeVar

from tests.core.sql.test_governor import CATALOG

from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.references import Reference
from penstock_core.sql.bind.text import bind
from penstock_core.sql.catalog.model import Catalog, Relation
from penstock_core.sql.syntax.parse import parse

Kind = TypeVar("Kind", bound=Reference)


def named(catalog: Catalog) -> dict[str, tuple[Relation, ...]]:
    return {one.name: catalog.named(one.name) for one in catalog.relations.values()}


def bound(
    text: str,
    path: tuple[str, ...] | None = ("public",),
    catalog: Catalog = CATALOG,
    temporary: frozenset[str] = frozenset(),
) -> Bound:
    return bind(parse(text), catalog, named(catalog), path, temporary)


def found(
    text: str, kind: type[Kind], path: tuple[str, ...] | None = ("public",), catalog: Catalog = CATALOG
) -> list[Kind]:
    """The references of that kind, in order."""
    return [one for one in bound(text, path, catalog).references if type(one) is kind]
