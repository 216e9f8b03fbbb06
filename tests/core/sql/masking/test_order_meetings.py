"""What fails by the types and collations of the values that meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.masking.test_order_failures import value
from tests.core.sql.test_governor import table, text_column

from penstock_core.sql.catalog.functions import Functions
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.masking.order_failures import Failures
from penstock_core.sql.masking.order_keys import Leaf, Level, Rows
from penstock_core.sql.masking.order_meetings import refuse_partless
from penstock_core.sql.masking.order_sensitivity import OwnCalls
from penstock_core.sql.refusal import Refused

TYPES = {
    "n": "int4", "big": "int8", "price": "numeric", "size": "float8", "name": "text", "code": "text", "other": "text",
    "raw": "json", "raws": "_json", "names": "_text",
    "numbers": "_int4", "o": "oid", "kind": "regtype", "area": "circle", "body": "bytea",
    "state": "state", "pair": "pair", "doc": "jsonb", "id": "uuid", "day": "date",
    "local": "timestamp", "made": "timestamptz", "span": "tstzrange",
}  # fmt: skip
ALIKE = frozenset({"n", "big", "name", "code", "id", "state"})
SOURCE = Rows("t", tuple(TYPES), True, types=TYPES, alike=ALIKE)
OUTER = Rows("u", ("theirs",), True, types={"theirs": "text"})
PARTLESS = Catalog(has_partless_texts=True)


def fails(text: str, *, hidden: bool, catalog: Catalog | None = None, declared: dict[int, str] | None = None) -> bool:
    failures = Failures(OwnCalls(Functions(catalog or Catalog())), hidden=hidden, declared=declared)
    failures.parameters[1] = 1
    return failures.may_tell(value(text), Level([SOURCE], Level([OUTER])))


@pytest.mark.parametrize(
    "text",
    [
        "area = area", "area @> area", "o = big", "kind = big", "length(body, 'UTF8') = 1", "random(n, 3) = 1",
        "uuidv7(x) = id", "coalesce(day, made)", "greatest(day, local)", "CASE WHEN n = 1 THEN local ELSE made END",
        "to_jsonb(raw) IS NULL", "to_jsonb(pair) IS NULL", "price = size",
    ],
)  # fmt: skip
def test_these_fail_for_some_values(text: str) -> None:
    assert fails(text, hidden=False)
    assert fails(text, hidden=True)


@pytest.mark.parametrize(
    "text",
    [
        "raws = '{}'", "raws @> ARRAY[raw]", "pair = '(1)'", "code = other", "code < other", "code IN (other, 'x')",
        "code BETWEEN 'a' AND other", "(code, n) = (other, 1)", "lower(code || other) = 'x'",
        "hashtext(code || other) = 1",
        "greatest(code, other) = 'x'", "CASE code WHEN other THEN true END", "nullif(code, other) IS NULL",
        "code IS DISTINCT FROM other", "code = ANY (ARRAY[other])", "code = theirs", "names && ARRAY[code]",
    ],
)  # fmt: skip
def test_these_fail_for_all_rows_or_none(text: str) -> None:
    assert fails(text, hidden=True)
    assert not fails(text, hidden=False)


@pytest.mark.parametrize(
    "text",
    [
        "n = big", "name = code", "name = 'x'", "other = 'x'", "other IN ('x', 'y')", "lower(other) = 'x'",
        "state = 'paid'", "other COLLATE x = name", "strpos(code, name) = 1",
        "o = 5", "o = n", "kind = 'int4'", "id = '6b0c1f0e-2f7a-4c0e-9d3a-0123456789ab'", "doc = '{}'", "doc @> '{}'",
        "doc -> 'a' = '1'", "doc ->> 'a' = 'x'", "span && '[,]'", "names = '{}'", "names @> ARRAY['x']",
        "length(other) = 1",
        "other LIKE 'x%'", "to_jsonb(n) IS NULL", "name = $1", "price = $1", "n = ANY ($1)",
        "coalesce(day, current_date)", "coalesce(day, '2030-01-01')", "greatest(made, made)", "day < made",
        "coalesce(day, $1)",
    ],
)  # fmt: skip
def test_these_never_do(text: str) -> None:
    assert not fails(text, hidden=True, declared={})


@pytest.mark.parametrize(
    "text", ["other LIKE 'x%'", "other ~ '^x'", "strpos(other, 'x') > 1", "starts_with(other, 'x')"]
)
def test_a_collation_may_know_no_parts_of_texts(text: str) -> None:
    assert fails(text, hidden=True, catalog=PARTLESS)
    assert not fails(text.replace("other", 'name COLLATE "C"'), hidden=True, catalog=PARTLESS)
    assert not fails(text.replace("other", "name"), hidden=True, catalog=PARTLESS)
    assert not fails(text, hidden=True)
    assert not fails(text, hidden=False, catalog=PARTLESS)


def test_an_extension_may_take_no_null_in_arrays() -> None:
    extended = Catalog(extension_operators=frozenset({"@>", "&&"}))
    assert fails("numbers @> ARRAY[1]", hidden=False, catalog=extended)
    assert not fails("numbers @> '{1}'", hidden=False)
    assert not fails("names @> '{x}'", hidden=False, catalog=extended)


def test_a_parameter_fits_for_all_rows_or_for_none() -> None:
    assert fails("size = $1", hidden=True, declared={1: "numeric"})
    assert fails("size = $1", hidden=True, declared=None)
    assert not fails("size = $1", hidden=True, declared={1: "float8"})
    assert not fails("size = $1", hidden=False, declared={1: "numeric"})
    assert fails("o = $1", hidden=True, declared={1: "int8"})
    assert fails("price = $1", hidden=False, declared={1: "float8"})


@pytest.mark.parametrize(
    ("text", "open_one"),
    [
        ("name LIKE 'x'", True), ("1 + (lower(name) ~ 'x')::int", True), ("name SIMILAR TO 'x'", True),
        ("name ^@ 'x'", True),
        ("starts_with(name, 'x')", True), ("(SELECT name) !~~* 'x'", True), ('name COLLATE "C" LIKE \'x\'', False),
        ("name = 'x'", False), ("'x' LIKE 'y'", False), ("length(name)", False),
    ],
)  # fmt: skip
def test_the_planner_asks_patterns_of_frequent_values(text: str, open_one: bool) -> None:
    collated = replace(table("public", "t"), columns=(replace(text_column("name"), collation="public.x"),))
    leaf = Leaf(collated, True, (), filtered=True)
    if open_one:
        with pytest.raises(Refused, match="a pattern may fail for rows of public"):
            refuse_partless(value(text), [leaf])
    else:
        refuse_partless(value(text), [leaf])
    refuse_partless(value(text), [replace(leaf, filtered=False)])
    plain = replace(collated, columns=(replace(text_column("name"), collation='pg_catalog."de-x-icu"'),))
    refuse_partless(value(text), [replace(leaf, relation=plain)])
