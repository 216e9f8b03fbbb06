"""Types as text that means the same under any search path, held against a server."""

from __future__ import annotations

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.syntax.type_names import name_parts, qualified_type, type_modifiers, type_node


@pytest.mark.parametrize(
    ("formatted", "name", "told"),
    [
        ("character varying(20)", "pg_catalog.varchar", "pg_catalog.varchar(20)"),
        ("character varying(20)[]", "pg_catalog._varchar", "pg_catalog._varchar(20)"),
        ("text", "pg_catalog.text", "pg_catalog.text"),
        ("numeric(10,2)", "pg_catalog.numeric", "pg_catalog.numeric(10,2)"),
        ("timestamp(3) with time zone", "pg_catalog.timestamptz", "pg_catalog.timestamptz(3)"),
        ("interval day to second(2)", "pg_catalog.interval", "interval day to second(2)"),
        ("interval(2)", "pg_catalog.interval", "interval(2)"),
        ("bit(3)", "pg_catalog.bit", "pg_catalog.bit(3)"),
        ('public."Odd type"', 'public."Odd type"', 'public."Odd type"'),
        ("public.geometry(Point,4326)", "public.geometry", "public.geometry(Point,4326)"),
        ("geometry(Point,4326)", "public.geometry", "public.geometry"),
        ("no type at all", "public.t", "public.t"),
    ],
)
def test_independent_of_the_path(formatted: str, name: str, told: str) -> None:
    assert qualified_type(formatted, name) == told


def test_the_server_takes_them_for_the_same_type(postgres: EmbeddedPostgres) -> None:
    types = {
        "character varying(20)": "pg_catalog.varchar", "numeric(10,2)": "pg_catalog.numeric",
        "bit(3)": "pg_catalog.bit",
        "timestamp(3) with time zone": "pg_catalog.timestamptz", "interval day to second(2)": "pg_catalog.interval",
        "character(4)[]": "pg_catalog._bpchar", "time(1) without time zone": "pg_catalog.time",
    }  # fmt: skip
    with psycopg.connect(postgres.url()) as connection:
        connection.execute("SET search_path = pg_temp")
        for formatted, name in types.items():
            connection.execute(f"CREATE TEMP TABLE t (a {qualified_type(formatted, name)})")
            query = (
                "SELECT format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = %s::regclass ORDER BY attnum"
            )
            assert connection.execute(query, ("t",)).fetchall()[-1] == (formatted,)
            connection.execute("DROP TABLE t")


def test_numbers_behind_a_type() -> None:
    assert type_modifiers("pg_catalog.numeric(10,2)") == (10, 2)
    assert type_modifiers("pg_catalog.text") == ()
    assert type_modifiers("public.geometry(Point,4326)") == ()


@pytest.mark.parametrize("text", ["", "not a type", "int4, 1", "int4; DROP TABLE t", "int4) --", "1"])
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a type"):
        type_node(text)


def test_names_in_quotes_are_taken_apart() -> None:
    assert name_parts("pg_catalog.text") == ("pg_catalog", "text")
    assert name_parts('"Odd.schema"."a ""b"""') == ("Odd.schema", 'a "b"')
    assert name_parts("text") == ("text",)
