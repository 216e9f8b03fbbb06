"""Relations are put together of their rows, and taken over where nothing that they are made of changed."""

from __future__ import annotations

import json
from typing import Any

from penstock_core.sql.catalog.assembly import Assembler, Assembly
from penstock_core.sql.catalog.model import Relation, RelationName
from penstock_core.sql.catalog.parts import PLACES, Parts, opened

NONE: dict[str, list[Any]] = {name: [] for name in (*PLACES, "orders")}


def relation(oid: str, name: str) -> list[Any]:
    return [oid, "public", name, "r", False, False, False, None, None, False]


def column(oid: str, number: int, name: str, kind: str = "pg_catalog.text") -> list[Any]:
    return [oid, number, name, kind, kind, kind, kind, "S", False, "", None, False]


ROWS = {
    **NONE,
    "relations": [relation("1", "people"), relation("2", "orders"), relation("3", "other")],
    "columns": [column("1", 1, "id"), column("2", 1, "id"), column("2", 2, "person"), column("3", 1, "id")],
    "constraints": [
        ["1", "p", [1], "0", None, False, False, True, "people_pkey", None, None, None, [1]],
        ["2", "f", [2], "1", [1], True, False, True, "refers", [], None, None, None],
    ],
}


def parts(**changed: list[Any]) -> Parts:
    return opened({name: json.dumps(rows) for name, rows in {**ROWS, **changed}.items()})


def made(of: Parts, former: Assembly | None = None) -> tuple[dict[RelationName, Relation], Assembly]:
    assembler = Assembler(of, frozenset(), {}, former or Assembly())
    return assembler.relations(), assembler.assembly


def kept(before: dict[RelationName, Relation], after: dict[RelationName, Relation]) -> set[str]:
    return {name for (_, name), one in after.items() if before.get(("public", name)) is one}


def test_a_foreign_key_ties_both_its_ends() -> None:
    found, _ = made(parts())
    people, orders = found["public", "people"], found["public", "orders"]
    assert people.primary_key == ("id",)
    assert people.referenced == {"id"}
    assert people.columns[0].copies == {("public", "orders", "person")}
    assert orders.columns[1].copies == {("public", "people", "id")}
    assert [(one.relation, one.on_delete) for one in people.cascades] == [(("public", "orders"), True)]


def test_columns_that_are_alike_are_one_object() -> None:
    found, _ = made(parts())
    assert found["public", "orders"].columns[0] is found["public", "other"].columns[0]


def test_what_did_not_change_is_taken_over() -> None:
    first, assembly = made(parts())
    again, assembly = made(parts(), assembly)
    assert kept(first, again) == {"people", "orders", "other"}
    # What is told of a relation by rows of another counts, too.
    no_key = ROWS["constraints"][:1]
    without, assembly = made(parts(constraints=no_key), assembly)
    assert kept(again, without) == {"other"}
    assert without["public", "people"].referenced == frozenset()
    persons = [relation("1", "persons"), *ROWS["relations"][1:]]
    renamed, _ = made(parts(constraints=no_key, relations=persons), assembly)
    assert kept(without, renamed) == {"orders", "other"}


def test_where_the_type_without_regard_to_case_is_counts_for_all() -> None:
    columns = [*ROWS["columns"][:3], column("3", 1, "id", "public.citext")]
    first, assembly = made(parts(columns=columns))
    assert not first["public", "other"].columns[0].citext
    types = [["t9", "citext", "public", "b", "citext", [], None]]
    found, _ = made(parts(columns=columns, types=types), assembly)
    assert found["public", "other"].columns[0].citext
