"""Masks that round down, on real servers: of any value of any type something, and that not above the value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest
from tests.core.sql.masking.test_masks import RULE, WRITER, YEAR_AND_MONTH, expression

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import Mask, MaskKind
from penstock_core.sql.catalog.model import Column


@pytest.fixture(scope="module", params=["postgres", "postgres15"])
def server(request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """The newest server and the oldest, each with settings that masks must not depend on."""
    postgres: EmbeddedPostgres = request.getfixturevalue(request.param)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "SET TimeZone = 'Pacific/Kiritimati'; SET DateStyle = 'SQL, DMY'; SET extra_float_digits = 0"
        )
        yield connection


def column(type_sql: str) -> Column:
    base = type_sql.split("(", maxsplit=1)[0]
    return Column("v", base, base, type_sql, "N")


def sees(connection: psycopg.Connection, mask: Mask, type_sql: str, value: str | None, shown: str = "") -> str | None:
    """What is there in place of the value; `shown`: an expression over it, `m`, and over the value, `v`."""
    of = column(f"pg_catalog.{type_sql}")
    row = connection.execute(
        f"SELECT ({shown or 'm'})::text FROM (SELECT v, {expression(mask, of)} AS m FROM"
        f" (SELECT %s::{of.type_sql} AS v) AS one) AS two",
        (value,),
    ).fetchone()
    assert row is not None
    return row[0] if row[0] is None else str(row[0])


def bucket(
    connection: psycopg.Connection, size: float, type_sql: str, value: str | None, shown: str = ""
) -> str | None:
    return sees(connection, Mask("bucket", RULE, size=size), type_sql, value, shown)


def fits(kind: MaskKind, type_sql: str, size: float = 10.0) -> bool:
    return WRITER.fits(Mask(kind, RULE, size=size), column(f"pg_catalog.{type_sql}"))


# ── Dates ──

DATES = [
    ("1984-11-23", "1984-01-01", "1984-11-01"),
    ("2000-01-01", "2000-01-01", "2000-01-01"),
    ("2024-02-29", "2024-01-01", "2024-02-01"),
    ("0001-12-31", "0001-01-01", "0001-12-01"),
    ("0044-03-15 BC", "0044-01-01 BC", "0044-03-01 BC"),
    ("4713-12-31 BC", "4713-01-01 BC", "4713-12-01 BC"),
    ("4714-12-31 BC", "-infinity", "-infinity"),
    ("4714-11-24 BC", "-infinity", "-infinity"),
    ("294276-12-31", "294276-01-01", "294276-12-01"),
    ("5874897-12-31", "5874897-01-01", "5874897-12-01"),
    ("infinity", "infinity", "infinity"),
    ("-infinity", "-infinity", "-infinity"),
    (None, None, None),
]


@pytest.mark.parametrize(("value", "to_year", "to_month"), DATES)
def test_dates_are_rounded_down(
    server: psycopg.Connection, value: str | None, to_year: str | None, to_month: str | None
) -> None:
    for kind, rounded in zip(YEAR_AND_MONTH, (to_year, to_month), strict=True):
        mask = Mask(kind, RULE)
        assert sees(server, mask, "date", value, "m IS NOT DISTINCT FROM " + _literal(rounded, "date")) == "true"


@pytest.mark.parametrize("type_sql", ["timestamp", "timestamp(0)", "timestamptz", "timestamptz(3)"])
@pytest.mark.parametrize(("value", "to_year", "to_month"), [row for row in DATES if "5874897" not in str(row[0])])
def test_timestamps_are_rounded_down(
    server: psycopg.Connection, type_sql: str, value: str | None, to_year: str | None, to_month: str | None
) -> None:
    zone = "+00" if type_sql.startswith("timestamptz") else ""
    at = "23:59:59.999999" if type_sql in ("timestamp", "timestamptz") else "23:59:59"

    def moment(day: str | None, time: str) -> str | None:
        if day is None or "infinity" in day:
            return day
        date, *era = day.split()
        return " ".join([date, time + zone, *era])

    for kind, rounded in zip(YEAR_AND_MONTH, (to_year, to_month), strict=True):
        mask = Mask(kind, RULE)
        same = "m IS NOT DISTINCT FROM " + _literal(moment(rounded, "00:00:00"), type_sql)
        assert sees(server, mask, type_sql, moment(value, at), same) == "true"


def _literal(value: str | None, type_sql: str) -> str:
    return f"{'NULL' if value is None else repr(value)}::pg_catalog.{type_sql}"


def test_a_moment_belongs_to_its_year_in_utc_whatever_the_sessions_time_zone(server: psycopg.Connection) -> None:
    new_year = "2024-01-01 09:00:00+14"  # still 2023 in UTC
    for zone in ("UTC", "Pacific/Kiritimati", "America/New_York"):
        server.execute("SELECT set_config('TimeZone', %s, false)", (zone,))
        seen = sees(server, Mask("year", RULE), "timestamptz", new_year, "m = '2023-01-01 00:00:00+00'")
        assert seen == "true"


def test_dates_have_no_mask_for_what_is_no_date() -> None:
    for type_sql in ("text", "time", "interval", "int4", "daterange", "_date"):
        assert not fits("year", type_sql)
        assert not fits("month", type_sql)


# ── Numbers ──

NUMBERS = [
    ("int4", 10, "47", "40"), ("int4", 10, "40", "40"), ("int4", 10, "0", "0"), ("int4", 10, "-7", "-10"),
    ("int4", 10, "-10", "-10"), ("int4", 10, None, None), ("int8", 1e15, "-1", "-1000000000000000"),
    ("int2", 7, "-32768", "-32768"), ("int2", 7, "-32767", "-32767"), ("int2", 7, "32767", "32767"),
    ("int2", 7, "-32766", "-32767"), ("int2", 1e15, "-1", "-32768"), ("int2", 1e15, "1", "0"),
    ("int8", 10, "-9223372036854775808", "-9223372036854775808"),
    ("int8", 10, "9223372036854775807", "9223372036854775800"),
    ("int8", 10, "-9223372036854775801", "-9223372036854775808"),
    ("int8", 10, "-9223372036854775800", "-9223372036854775800"),
    ("numeric", 10, "12.345", "10"), ("numeric", 10, "10.000", "10"), ("numeric", 10, "-0.00", "0"),
    ("numeric", 0.1, "0.30", "0.3"), ("numeric", 0.1, "-0.31", "-0.4"),
    ("numeric", 3, "2.99999999999999999999999999", "0"),
    ("numeric", 10, "NaN", "NaN"), ("numeric", 10, "Infinity", "Infinity"), ("numeric", 10, "-Infinity", "-Infinity"),
    ("numeric(3,2)", 0.5, "9.99", "9.50"), ("numeric(3,2)", 0.5, "-9.99", "-9.99"),
    ("numeric(3,2)", 0.5, "-9.5", "-9.50"),
    ("numeric(3,2)", 100, "-0.01", "-9.99"), ("numeric(3,2)", 100, "9.99", "0.00"), ("numeric(3,2)", 0.5, "NaN", "NaN"),
    ("numeric(3,-2)", 500, "99900", "99500"), ("numeric(3,-2)", 500, "-99900", "-99900"),
    ("numeric(3,-2)", 500, "-99400", "-99500"), ("numeric(2,4)", 0.005, "-0.0099", "-0.0099"),
    ("float8", 0.1, "0.3", "0.3"), ("float8", 10, "47.11", "40"), ("float8", 10, "-0.5", "-10"),
    ("float8", 10, "-0", "0"),
    ("float4", 0.1, "0.7", "0.7"), ("float8", 10, "NaN", "NaN"), ("float4", 10, "Infinity", "Infinity"),
    ("float8", 10, "-Infinity", "-Infinity"), ("float4", 1e15, "-1e-45", "-1e+15"), ("float8", 10, "4.9e-324", "0"),
]  # fmt: skip


@pytest.mark.parametrize(("type_sql", "size", "value", "rounded"), NUMBERS)
def test_numbers_are_rounded_down(
    server: psycopg.Connection, type_sql: str, size: float, value: str | None, rounded: str | None
) -> None:
    assert bucket(server, size, type_sql, value) == rounded


FLOATS = {
    "float8": ["1.7976931348623157e308", "9.87654321e307", "5e-324", "2.2250738585072014e-308"],
    "float4": ["3.4028235e38", "1.2345678e30", "1.4e-45", "1.1754944e-38"],
    "both": ["1e31", "9.999999e30", "1e15", "123456789.123456789", "0.3", "0"],
}


@pytest.mark.parametrize("size", [0.0001, 0.1, 2.0, 7.0, 1e9, 999999999999999.0, 1e15])
@pytest.mark.parametrize("type_sql", ["float4", "float8"])
def test_floats_of_any_size_pass(server: psycopg.Connection, type_sql: str, size: float) -> None:
    # At most as much above the value as the decimal digits of the type leave open.
    near = (
        "m <= v + CASE WHEN abs(v) > 1e-6 THEN abs(v) ELSE 0 END * " + {"float4": "1e-5", "float8": "1e-14"}[type_sql]
    )
    for value in FLOATS[type_sql] + FLOATS["both"]:
        for signed in (value, f"-{value}"):
            near_it = near if "e308" not in value else "m = v"
            assert bucket(server, size, type_sql, signed, near_it) == "true", signed


@pytest.mark.parametrize("size", [0.0001, 7.0, 1e15])
def test_numbers_of_any_length_pass(server: psycopg.Connection, size: float) -> None:
    longest = "9" * 131072
    for value in (longest, f"-{longest}", f"0.{'9' * 16383}", f"-0.{'9' * 16383}", f"-{longest}.{'9' * 16383}"):
        assert bucket(server, size, "numeric", value, "m <= v") == "true"
    wide = "9" * 500
    for value in (f"{wide}.{wide}", f"-{wide}.{wide}"):
        assert bucket(server, size, "numeric(1000,500)", value, "m <= v AND scale(m) = 500") == "true"


def test_how_many_decimals_a_number_has_does_not_show(server: psycopg.Connection) -> None:
    assert {bucket(server, 0.5, "numeric", value) for value in ("12.7", "12.70", "12.999999")} == {"12.5"}


def test_a_bucket_that_would_hide_nothing_or_that_the_type_cannot_hold_does_not_fit() -> None:
    for type_sql, sizes in {
        "int4": [2, 10, 1e15], "int2": [7], "numeric": [0.0001, 1, 10], "numeric(6)": [2], "numeric(8,2)": [0.05, 1.01],
        "numeric(8,-2)": [500], "float4": [0.1, 1], "float8": [0.0001],
    }.items():  # fmt: skip
        assert [size for size in sizes if not fits("bucket", type_sql, size)] == []
    for type_sql, sizes in {
        "int4": [1, 0.5, 1.5, 0.0001], "numeric(6)": [1, 2.5], "numeric(8,2)": [0.01, 0.005, 0.015],
        "numeric(8,-2)": [100, 50, 150], "money": [10], "text": [10], "interval": [10], "_int4": [10], "oid": [10],
    }.items():  # fmt: skip
        assert [size for size in sizes if fits("bucket", type_sql, size)] == []


# ── Of any of them ──


def test_they_are_immutable(server: psycopg.Connection) -> None:
    masks: dict[MaskKind, tuple[str, ...]] = {
        "year": ("date", "timestamp(3)", "timestamptz"), "month": ("date", "timestamp", "timestamptz(0)"),
        "bucket": ("int2", "int4", "int8", "numeric", "numeric(8,2)", "float4", "float8"),
    }  # fmt: skip
    for kind, type_sql in [(kind, type_sql) for kind, types in masks.items() for type_sql in types]:
        of = column(f"pg_catalog.{type_sql}")
        text = expression(Mask(kind, RULE, size=10.0), of)
        server.execute(f"CREATE TEMP TABLE one (v {of.type_sql})")
        # An index takes no other expression.
        server.execute(f"CREATE INDEX ON one (({text}))")
        server.execute("DROP TABLE one")


def test_a_domains_column_is_masked_as_the_type_below_it(server: psycopg.Connection) -> None:
    server.execute("CREATE DOMAIN pg_temp.positive AS numeric(5,2) CHECK (VALUE > 0)")
    of = Column(
        "v", "pg_temp.positive", "pg_catalog.numeric", "pg_temp.positive", "N", base_type_sql="pg_catalog.numeric(5,2)"
    )
    query: LiteralString = "SELECT {} FROM (SELECT 7.5::pg_temp.positive AS v) AS one"
    row = server.execute(query.format(expression(Mask("bucket", RULE, size=10), of))).fetchone()
    assert row is not None
    assert str(row[0]) == "0.00"
    server.execute("DROP DOMAIN pg_temp.positive")
