"""Values of conditions: those that are the same in any session, and the words for all others."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.core.sql.test_governor import table, text_column

from penstock_core.sql.catalog.model import Catalog, Column
from penstock_core.sql.masking.filter_values import NotSteady
from penstock_core.sql.masking.row_filters import compiled


def column(name: str, kind: str, category: str = "U") -> Column:
    qualified = kind if "." in kind else f"pg_catalog.{kind}"
    return replace(text_column(name), type_name=qualified, base_type=qualified, type_sql=qualified, category=category)


KINDS = ("int4", "int8", "numeric", "float8", "text", "varchar", "bpchar", "bool", "date", "time", "timestamp",
         "timestamptz", "uuid", "jsonb", "json", "interval", "point", "bytea", "xid", "money", "_text")  # fmt: skip
ALL = replace(
    table("public", "t"),
    columns=(
        *(column(f"c_{kind}", kind) for kind in KINDS),
        column("c_enum", "public.mood", "E"), column("c_odd", "public.odd", "E"), column("c_own", "public.own"),
        replace(column("c_computed", "int4"), fallible=True), column("c_coded", "public.coded"),
    ),
)  # fmt: skip
CATALOG = Catalog(
    relations={ALL.key: ALL}, safe_types=frozenset({("public", "mood")}), coded_types=frozenset({("public", "coded")})
)


def written(where: str) -> str:
    return compiled(where, ALL, CATALOG, {}).replace("OPERATOR(pg_catalog.=)", "=").replace("pg_catalog.", "")


@pytest.mark.parametrize(
    "where",
    [
        "c_int4 = 1",
        "c_int4 = '1'",
        "c_int4 = c_int8",
        "c_int8 = c_numeric",
        "c_float8 = 1.5",
        "c_float8 = c_int4",
        "c_numeric = 1e3",
        "c_text = 'any'",
        "c_text = c_varchar",
        "c_bpchar = 'x'",
        "c_date = '2030-01-31'",
        "c_time = '13:45'",
        "c_timestamp = '2030-01-31 13:45:00'",
        "c_timestamptz = '2030-01-31 13:45:00+01:00'",
        "c_timestamptz = '2030-01-31 13:45Z'",
        "c_uuid = '6b0c1f0e-2f7a-4c0e-9d3a-0123456789ab'",
        "c_enum = 'good'",
    ],
)
def test_values_of_types_that_any_session_reads_alike(where: str) -> None:
    assert written(where) == where.replace("1e3", "1e3")


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ("c_date = date '2030-01-31'", "c_date = CAST('2030-01-31' AS date)"),
        ("c_bool = 't'", "c_bool = true"),
        ("c_bool IS TRUE", "c_bool IS TRUE"),
        ("lower(c_text) = 'x'", "lower(c_text) = 'x'"),
        ("length(c_varchar) = 3", "length(c_varchar) = 3"),
        ("left(c_text, 2) = 'eu'", '"left"(c_text, 2) = \'eu\''),
        ("coalesce(c_text, 'x') = 'x'", "COALESCE(c_text, 'x') = 'x'"),
        ("c_jsonb ->> 'a' = 'x'", "(c_jsonb OPERATOR(->>) 'a') = 'x'"),
        ("c_jsonb -> 'a' ->> 0 = 'x'", "((c_jsonb OPERATOR(->) 'a') OPERATOR(->>) 0) = 'x'"),
        ("c_jsonb @> '{\"a\": 1}'", "c_jsonb OPERATOR(@>) CAST('{\"a\": 1}' AS jsonb)"),
        ("c_jsonb ? 'a'", "c_jsonb OPERATOR(?) 'a'"),
        ("c_interval IS NULL", "c_interval IS NULL"),
    ],
)  # fmt: skip
def test_what_is_computed_of_them(where: str, text: str) -> None:
    assert written(where) == text


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("c_date = '31.1.2030'", "write it as 2030-01-31"),
        ("c_date = 'today'", "is not understood"),
        ("c_timestamptz = '2030-01-31 13:45'", "with its zone"),
        ("c_timestamptz = 'now'", "is not understood"),
        ("c_timestamptz = now()", "the function now"),
        ("c_date = c_timestamptz", "of type date, column c_timestamptz of type timestamptz"),
        ("c_float8 = c_numeric", "of type float8"),
        ("c_int4 = 'x'", "is not understood"),
        ("c_int4 = '99999999999999999999'", "is not understood"),
        ("c_interval = '1 day'", "may not be compared"),
        ("c_json = '{}'", "may not be compared"),
        ("c_json ->> 'a' = 'x'", "takes a column of type jsonb"),
        ("c_point = '(0,0)'", "may not be compared"),
        ("c_own = 'x'", "of type public.own"),
        ("c_own = c_own", "may not be compared"),
        ("c_odd = 'x'", "of type public.odd"),
        ("c_coded IS NULL", "may fail"),
        ("c_computed = 1", "may fail"),
        ("1 = 1", "and no column"),
        ("c_text LIKE c_varchar", "written out"),
        (r"c_text LIKE 'a\%'", "written out"),
        ("c_int4 LIKE '1%'", "a text column"),
        ("c_text = E'\\\\x' COLLATE \"C\"", "may not be used"),
        ("c_jsonb @> 'no'", "is no JSON"),
        ("c_text::int4 = 1", "may not be used"),
        ("'x'::public.own = c_own", "may not be cast"),
        ("'1'::varchar(3) = c_text", "may not be cast"),
        ("md5(c_text) = 'x'", "the function md5"),
        ("public.lower(c_text) = 'x'", "the function public.lower"),
        ("lower(c_int4) = 'x'", "these arguments"),
        ("left(c_text, -1) = 'x'", "these arguments"),
        ("count(*) = 1", "the function count"),
        ("coalesce(c_text, c_int4) = 'x'", "of its type"),
        ("c_text = NULL", "may not be used"),
        ("c_text = B'1'", "may not be used"),
    ],
)  # fmt: skip
def test_all_others_are_refused_in_words(where: str, words: str) -> None:
    with pytest.raises(NotSteady) as caught:
        written(where)
    assert words in str(caught.value)
