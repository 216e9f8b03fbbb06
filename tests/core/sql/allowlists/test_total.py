"""What is listed as giving a value for any arguments exists, and is of the system's own."""

from __future__ import annotations

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.allowlists import total
from penstock_core.sql.allowlists.functions import AGGREGATES, FUNCTIONS, OPERATORS, WINDOWS

FUNCTIONS_LISTED = total.TOTAL_FUNCTIONS | total.TOTAL_BY_FIRST | total.TOTAL_BY_NUMBERS
_ALIKE = "a::{0} = b::{0}, a::{0}::text = b::{0}::text"
# Of every type that has a smallest and a largest value, both of them, and what else is not like others.
EXTREMES = {
    "int2": ("-32768", "32767"),
    "int4": ("-2147483648", "2147483647"),
    "int8": ("-9223372036854775808", "9223372036854775807"),
    "float4": ("-Infinity", "NaN", "3.4e38"),
    "float8": ("-Infinity", "NaN", "1.7e308"),
    "numeric": ("NaN", "-Infinity", "1e400", "0.00"),
    "bool": ("t", "f"),
    "date": ("-infinity", "infinity", "4714-11-24 BC", "5874897-12-31"),
    "timestamp": ("-infinity", "infinity", "4714-11-24 BC", "294276-12-31 23:59:59.999999"),
    "timestamptz": ("-infinity", "infinity", "294276-12-31"),
    "uuid": ("00000000-0000-0000-0000-000000000000",),
    "jsonb": ("null", "{}", "[]", '"x"', "1e400"),
    "oid": ("0", "4294967295"),
}


def test_what_is_listed_is_listed_where_calls_are_allowed() -> None:
    assert FUNCTIONS_LISTED <= FUNCTIONS - AGGREGATES - WINDOWS
    assert total.TOTAL_AGGREGATES | total.TOTAL_SUMS <= AGGREGATES | WINDOWS
    assert total.COMPARISONS - {"!="} | total.TOTAL_OPERATORS | total.OF_JSONB <= OPERATORS
    assert total.GIVING_ALIKE <= FUNCTIONS


@pytest.mark.parametrize("source", total.WIDER)
def test_no_value_is_too_large_for_a_wider_type(postgres: EmbeddedPostgres, source: str) -> None:
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        for target in total.WIDER[source] | total.TEXTS:
            for value in EXTREMES[source]:
                connection.execute(f"SELECT ('{value}'::text::{source})::{target}".encode())


@pytest.mark.parametrize("kind", EXTREMES)
def test_every_two_values_can_be_compared(postgres: EmbeddedPostgres, kind: str) -> None:
    values = ", ".join(f"('{value}')" for value in EXTREMES[kind])
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        for operator in ("=", "<"):
            compared = f"count(*) FILTER (WHERE a::{kind} {operator} b::{kind})"
            text = f"SELECT {compared} FROM (VALUES {values}) v (a), (VALUES {values}) w (b)"
            connection.execute(text.encode())


def test_values_of_these_types_that_are_equal_look_alike(postgres: EmbeddedPostgres) -> None:
    spellings = {
        "int4": ("1", " 1 "),
        "date": ("2030-01-01", "Jan 1 2030"),
        "bool": ("t", "yes"),
        "uuid": ("A" * 32, "a" * 32),
    }
    spellings |= {"timestamptz": ("2030-01-01 01:00+01", "2030-01-01 00:00Z"), "time": ("01:00", "1:00:00")}
    spellings |= {"macaddr": ("080020010203", "08:00:20:01:02:03"), "bytea": ("a", "\\x61")}
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        for kind, (one, other) in spellings.items():
            assert kind in total.ALIKE
            text = f"SELECT {_ALIKE.format(kind)} FROM (VALUES ('{one}', '{other}')) v (a, b)"
            assert connection.execute(text.encode()).fetchone() == (True, True)
        for kind, (one, other) in {
            "numeric": ("1.0", "1.00"),
            "float8": ("0", "-0"),
            "interval": ("30 days", "1 month"),
        }.items():
            assert kind not in total.ALIKE
            text = f"SELECT {_ALIKE.format(kind)} FROM (VALUES ('{one}', '{other}')) v (a, b)"
            assert connection.execute(text.encode()).fetchone() == (True, False)
