"""What is found of a catalog once is what looking at every relation finds."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import product

from tests.core.sql.test_governor import table, text_column

from penstock_core.sql.catalog.model import Catalog, Column, Relation

CODE = Column("code", "public.code", "public.code", "public.code", "U")
BASE = table("public", "base", "id", "email")
PART = replace(table("public", "part", "id", "email"), parents=(("public", "base"),))
VIEW = Relation(
    "public", "shown", "v", (text_column("email"),), sources=frozenset({("public", "part")}), definition="…"
)
OVER = Relation("other", "over", "v", (text_column("mail"),), sources=frozenset({("public", "shown")}), definition="…")
CALLING = replace(table("other", "calling", "id"), calls=("public.f",))
CODED = Relation("other", "coded", "r", (CODE,))
WORLD = Catalog(
    {one.key: one for one in (BASE, PART, VIEW, OVER, CALLING, CODED)},
    coded_types=frozenset({("public", "code")}),
    checked_types=frozenset({("public", "code")}),
)


def test_patterns_match_as_if_every_column_was_looked_at() -> None:
    names = [(one.schema, one.name, column.name) for one in WORLD.relations.values() for column in one.columns]
    patterns = list(
        product(("*", "public", "other", "none"), ("*", "base", "over", "none"), ("*", "email", "id", "no"))
    )
    found = sorted(WORLD.overview.matching(patterns))
    assert found == sorted(
        (place, name)
        for place, pattern in enumerate(patterns)
        for name in names
        if all(fnmatchcase(part, wanted) for part, wanted in zip(name, pattern, strict=True))
    )
    assert len(found) > len(names)


def test_what_is_above_reads_or_holds_the_rows() -> None:
    overview = WORLD.overview
    assert overview.above({("public", "part")}) == {
        ("public", "part"), ("public", "base"), ("public", "shown"), ("other", "over"),
    }  # fmt: skip
    assert overview.above({("other", "over")}) == {("other", "over")}


def test_what_runs_code_is_known_through_views_and_children() -> None:
    reading = replace(VIEW, name="reading", sources=frozenset({("other", "calling")}))
    world = replace(WORLD, relations={**WORLD.relations, reading.key: reading})
    assert world.overview.calls == {("other", "calling"): ("public.f",), ("public", "reading"): ("public.f",)}
    assert world.overview.code_when_read == {("other", "calling"), ("public", "reading"), ("other", "coded")}
    assert world.overview.checked == {("other", "coded")}


def test_a_catalog_that_is_replaced_goes_at_once() -> None:
    world = replace(WORLD)
    world.overview.prepare()
    gone = weakref.ref(world)
    gc.disable()
    try:
        del world
        assert gone() is None
    finally:
        gc.enable()


def test_a_family_is_all_that_inherits_at_whatever_level() -> None:
    grandchild = replace(table("other", "grandchild", "id"), parents=(PART.key,))
    world = Catalog({**WORLD.relations, grandchild.key: grandchild})
    assert list(world.overview.family(BASE)) == [BASE.key, PART.key, grandchild.key]
    assert list(world.overview.family(grandchild)) == [grandchild.key]
