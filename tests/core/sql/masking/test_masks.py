"""Masks on a real server: of the column's type, total, and hiding what they should."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

import psycopg
import pytest
from pglast.stream import RawStream
from tests.core.sql.twins.world import read_catalog, read_catalog_of

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.policy.effective import STRICTNESS, Mask, MaskKind, Rule
from penstock_core.sql.catalog.model import Catalog, Column
from penstock_core.sql.masking.masks import MaskWriter

KEY = b"k" * 32
WRITER = MaskWriter(KEY)
RULE = Rule("p", "masks[0]")

TYPES = {
    "text": "text", "vc": "varchar(20)", "vc_short": "varchar(2)", "ch": "char(20)", "vec": "vector(3)",
    "nam": "name", "qchar": '"char"', "i2": "int2", "i4": "int4", "i8": "int8", "num": "numeric",
    "num_small": "numeric(3,2)", "num_tiny": "numeric(2,2)", "f4": "float4", "f8": "float8", "mon": "money",
    "yes": "bool", "d": "date", "ts": "timestamp(3)", "tstz": "timestamptz", "t": "time", "ttz": "timetz(2)",
    "iv": "interval day to second(2)", "uid": "uuid", "js": "json", "jsb": "jsonb", "by": "bytea", "bits": "bit(5)",
    "vbits": "varbit(4)", "ip": "inet", "net": "cidr", "mac": "macaddr", "mac8": "macaddr8", "pt": "point",
    "tsv": "tsvector", "arr": "text[]", "arr2": "varchar(3)[][]", "rng": "int4range", "en": "mood",
    "enarr": "mood[]", "dom": "code", "dom_nn": "never", "coll": 'text COLLATE "C"', "lo": "oid", "x": "xml",
    "iv2": "int2vector", "comp": "pair", "lsn": "pg_lsn", "circ": "circle", "dom_arr": "codes",
}  # fmt: skip

SCHEMA = """
CREATE EXTENSION vector;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN code AS varchar(8) CHECK (VALUE ~ '^[A-Z]+$');
CREATE DOMAIN never AS int NOT NULL CHECK (VALUE > 10);
CREATE DOMAIN codes AS text[] CHECK (array_length(VALUE, 1) > 0);
CREATE TABLE kinds (COLUMNS);
""".replace("COLUMNS", ", ".join(f'"{name}" {kind}' for name, kind in TYPES.items()))

YEAR_AND_MONTH: tuple[MaskKind, ...] = ("year", "month")
TEXTS = [
    None, "", "a", "abcd", "abcde", "4111111111111111", "jane@example.com", "j@x.co", "@", "a@b", "a@b@c.com",
    "ünï@köln.de", " jane@example.com", "jane@example.com ", "x" * 5000, "line\nbreak@example.com",
    "jane@sub.example.co.uk", "%_'\\\"", "jane.doe+tag@example.com", "x" * 400 + "@example.com",
]  # fmt: skip


@pytest.fixture(scope="module")
def world(postgres: EmbeddedPostgres) -> Iterator[tuple[psycopg.Connection, Catalog]]:
    postgres.psql("CREATE DATABASE masks")
    postgres.psql(SCHEMA, "masks")
    url = postgres.url("masks")
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection, read_catalog(url)


def expression(mask: Mask, column: Column) -> str:
    return str(RawStream()(WRITER.expression(mask, column)))


def text_column(name: str = "v", type_sql: str = "pg_catalog.text") -> Column:
    base = type_sql.split("(", maxsplit=1)[0]
    return Column(name=name, type_name=base, base_type=base, type_sql=type_sql, category="S")


def apply(connection: psycopg.Connection, mask: Mask, column: Column, value: object) -> object:
    row = connection.execute(
        f"SELECT {expression(mask, column)} FROM (SELECT %s::{column.type_sql} AS v) s",
        (value,),
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("kind", STRICTNESS)
def test_every_type_keeps_its_type_modifier_and_collation(
    world: tuple[psycopg.Connection, Catalog], kind: MaskKind
) -> None:
    connection, catalog = world
    relation = catalog.relations["public", "kinds"]
    mask = Mask(kind, RULE, value="7", keep_last=4, size=2.0)
    for column in relation.columns:
        masked = connection.pgconn.exec_(
            f'SELECT {expression(mask, column)} AS "{column.name}", "{column.name}" FROM kinds'.encode()
        )
        assert not masked.error_message, (column.name, masked.error_message)
        assert (masked.ftype(0), masked.fmod(0)) == (masked.ftype(1), masked.fmod(1)), column.name


def test_redact_shows_a_constant_of_the_type(world: tuple[psycopg.Connection, Catalog]) -> None:
    connection, catalog = world
    shown = {}
    for column in catalog.relations["public", "kinds"].columns:
        row = connection.execute(f"SELECT ({expression(Mask('redact', RULE), column)})::text").fetchone()
        shown[column.name] = row[0] if row else None
    fallen_back = {name for name, value in shown.items() if value is None}
    assert fallen_back == {"vec", "en", "x", "iv2", "comp", "lsn", "circ"}
    assert shown["text"] == shown["vc"] == shown["coll"] == shown["dom"] == "***"
    assert shown["vc_short"] == "**"
    assert shown["i4"] == shown["num"] == shown["dom_nn"] == "0"
    assert shown["num_small"] == "0.00"
    assert shown["d"] == "1970-01-01"
    assert shown["arr"] == shown["arr2"] == shown["enarr"] == shown["dom_arr"] == "{}"


@pytest.mark.parametrize("value", TEXTS)
@pytest.mark.parametrize("kind", ["partial", "email", "hash"])
def test_masks_of_texts_are_total_and_keep_null(
    world: tuple[psycopg.Connection, Catalog], kind: MaskKind, value: str | None
) -> None:
    for type_sql in ("pg_catalog.text", "pg_catalog.varchar(6000)", "pg_catalog.varchar(16)", "pg_catalog.bpchar(30)"):
        masked = apply(world[0], Mask(kind, RULE, keep_first=1, keep_last=3), text_column(type_sql=type_sql), value)
        assert (masked is None) == (value is None)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("jane@example.com", "j***@example.com"),
        ("jane.doe+tag@sub.example.co.uk", "j***@sub.example.co.uk"),
        ("j@x.co", "j***@x.co"),
        ("not an address", "***"),
        ("a@b@c.com", "***"),
        (" jane@example.com", "***"),
        ("jane@example.com\nsecret", "***"),
        ("@example.com", "***"),
        ("jane@", "***"),
        ("", "***"),
    ],
)
def test_email(world: tuple[psycopg.Connection, Catalog], value: str, masked: str) -> None:
    assert apply(world[0], Mask("email", RULE), text_column(), value) == masked


@pytest.mark.parametrize(
    ("first", "last", "fill", "value", "masked"),
    [
        (0, 4, "*", "4111111111111111", "************1111"),
        (2, 2, "x", "abcdef", "abxxef"),
        (0, 4, "*", "1234", "****"),
        (0, 4, "*", "12345", "*2345"),
        (3, 3, "*", "short", "*****"),
        (0, 0, "*", "abc", "***"),
        (4, 0, "#", "abcdef", "abcd##"),
        (1, 1, "*", "", ""),
        (1, 0, "*", "é" * 3, "é**"),
        (0, 1, "*", "a" * 1000, "*" * 128 + "a"),
    ],
)
def test_partial(
    world: tuple[psycopg.Connection, Catalog], first: int, last: int, fill: str, value: str, masked: str
) -> None:
    mask = Mask("partial", RULE, keep_first=first, keep_last=last, fill=fill)
    assert apply(world[0], mask, text_column(), value) == masked


def test_hash_is_hmac_sha256_of_the_text(world: tuple[psycopg.Connection, Catalog]) -> None:
    connection, _ = world
    for value in ("jane@example.com", "", "ünï"):
        expected = hmac.new(KEY, value.encode(), hashlib.sha256).hexdigest()
        assert apply(connection, Mask("hash", RULE), text_column(), value) == expected
        short = apply(connection, Mask("hash", RULE), text_column(type_sql="pg_catalog.varchar(20)"), value)
        assert short == expected[:20]


def test_hash_of_other_types_is_of_the_type_and_joins(world: tuple[psycopg.Connection, Catalog]) -> None:
    connection, _ = world
    identifier = "0b5e3a0e-6d3c-4b7e-9c56-2f1f0f0c7a11"
    digest = hmac.new(KEY, identifier.encode(), hashlib.sha256).hexdigest()
    masked = apply(connection, Mask("hash", RULE), text_column(type_sql="pg_catalog.uuid"), identifier)
    assert str(masked).replace("-", "") == digest[:32]
    number = apply(connection, Mask("hash", RULE), text_column(type_sql="pg_catalog.int8"), 42)
    expected = int.from_bytes(hmac.new(KEY, b"42", hashlib.sha256).digest()[:8], signed=True)
    assert number == expected
    raw = apply(connection, Mask("hash", RULE), text_column(type_sql="pg_catalog.bytea"), b"\x00\xff")
    assert raw == hmac.new(KEY, b"\x00\xff", hashlib.sha256).digest()


def test_what_does_not_fit_is_null() -> None:
    def fits(kind: MaskKind, type_sql: str) -> bool:
        return WRITER.fits(Mask(kind, RULE, value="7"), text_column(type_sql=type_sql))

    assert not fits("email", "pg_catalog.int4")
    assert not fits("partial", "pg_catalog.jsonb")
    assert not fits("hash", "pg_catalog.varchar(15)")
    assert not fits("hash", "pg_catalog.int4")
    assert fits("null", "public.anything")
    assert expression(Mask("email", RULE), text_column(type_sql="pg_catalog.int8")) == "CAST(NULL AS bigint)"


@pytest.mark.parametrize("kind", ["null", "redact", "constant"])
def test_blind_masks_do_not_mention_the_column(kind: MaskKind) -> None:
    assert "secret_column" not in expression(Mask(kind, RULE, value="x"), text_column("secret_column"))


CONSTANTS = [
    "7", "-7", "0", "32768", "2147483648", "9223372036854775808", "99999", "1.5", "1e5", "NaN", "abc", "true", "t", "",
    "2020-01-31", "2020-02-30", "2020-01-31 10:11:12", "2020-01-31T10:11:12+02:00", "20200131", "infinity", "'",
    "0b5e3a0e-6d3c-4b7e-9c56-2f1f0f0c7a11", '{"a": 1}', "{", "[1, NaN]", '"\\u0000"', "1e999999", "☃",
]  # fmt: skip


@pytest.mark.parametrize("value", CONSTANTS)
def test_a_constant_that_is_taken_never_fails_on_the_server(
    world: tuple[psycopg.Connection, Catalog], value: str
) -> None:
    connection, catalog = world
    mask = Mask("constant", RULE, value=value)
    taken = []
    for column in catalog.relations["public", "kinds"].columns:
        if WRITER.fits(mask, column):
            taken.append(column.name)
            connection.execute(f"SELECT {expression(mask, column)}")
    assert {"text", "vc", "ch", "dom"} <= set(taken)


def test_nothing_in_a_mask_is_looked_up_by_search_path(world: tuple[psycopg.Connection, Catalog]) -> None:
    connection, _ = world
    connection.execute("CREATE SCHEMA evil")
    for name, arguments in (
        ("length", "text"), ("left", "text, int"), ("right", "text, int"), ("repeat", "text, int"),
        ("encode", "bytea, text"), ("substr", "text, int"), ("strpos", "text, text"), ("sha256", "bytea"),
        ("convert_to", "text, text"), ("mod", "numeric, numeric"), ("mod", "bigint, bigint"), ("abs", "float8"),
        ("trim_scale", "numeric"), ("date_trunc", "text, timestamp"), ("timezone", "interval, timestamptz"),
        ("timezone", "interval, timestamp"), ("make_date", "int, int, int"), ("extract", "text, date"),
    ):  # fmt: skip
        connection.execute(
            f"CREATE FUNCTION evil.{name}({arguments}) RETURNS int LANGUAGE plpgsql"
            " AS 'BEGIN RAISE EXCEPTION ''taken''; END'"
        )
    connection.execute(
        "CREATE FUNCTION evil.trap(varchar, text) RETURNS text LANGUAGE plpgsql"
        " AS 'BEGIN RAISE EXCEPTION ''taken''; END'"
    )
    for operator in ("||", "~", ">", "<=", "-", "="):
        connection.execute(
            f"CREATE OPERATOR evil.{operator} (FUNCTION = evil.trap, LEFTARG = varchar, RIGHTARG = text)"
        )
    numbers = {"numeric": "numeric", "int8": "int8", "int2": "int8", "float8": "float8"}
    moments = {"date": "date", "timestamp": "timestamp"}
    for left, right in (numbers | moments).items():
        connection.execute(
            f"CREATE FUNCTION evil.trap({left}, {right}) RETURNS bool LANGUAGE plpgsql"
            " AS 'BEGIN RAISE EXCEPTION ''taken''; END'"
        )
        for operator in ("<", "=", ">=", "+", "-"):
            connection.execute(
                f"CREATE OPERATOR evil.{operator} (FUNCTION = evil.trap, LEFTARG = {left}, RIGHTARG = {right})"
            )
    connection.execute("CREATE DOMAIN evil.numeric AS text CHECK (VALUE = ''); CREATE DOMAIN evil.date AS evil.numeric")
    connection.execute("SET search_path = evil, pg_catalog")
    for kind in ("hash", "partial", "email", "redact"):
        apply(connection, Mask(kind, RULE, keep_last=2), text_column(type_sql="pg_catalog.varchar(80)"), "a@b.co")
    for type_sql in ("int2", "int8", "numeric", "numeric(8,2)", "float8"):
        apply(connection, Mask("bucket", RULE, size=2.0), text_column(type_sql=f"pg_catalog.{type_sql}"), "7")
    for type_sql in ("date", "timestamp", "timestamptz"):
        for unit in YEAR_AND_MONTH:
            apply(connection, Mask(unit, RULE), text_column(type_sql=f"pg_catalog.{type_sql}"), "2020-02-02")
    connection.execute("RESET search_path")


@pytest.mark.parametrize("kind", STRICTNESS)
def test_citext_is_masked_as_text_is(postgres15: EmbeddedPostgres, kind: MaskKind) -> None:
    mask = Mask(kind, RULE, value="-", keep_last=4)
    with psycopg.connect(postgres15.url(), autocommit=True) as connection, connection.transaction(force_rollback=True):
        connection.execute("CREATE SCHEMA more; CREATE EXTENSION citext SCHEMA more")
        connection.execute("CREATE DOMAIN public.mail AS more.citext CHECK (VALUE LIKE '%@%')")
        connection.execute("CREATE TABLE public.people (id int, a more.citext, b public.mail, c more.citext[])")
        connection.execute(
            "INSERT INTO people SELECT n, v, CASE WHEN v LIKE '%%@%%' THEN v END"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS u(v, n)",
            (TEXTS,),
        )
        people = read_catalog_of(connection).relations["public", "people"]
        for name in ("a", "b"):
            column = people.column(name)
            assert column is not None
            assert column.citext
            fits = kind not in ("year", "month", "bucket")
            assert WRITER.fits(mask, column) == (fits or kind == "null")
            masked = expression(mask, column)
            shown = connection.execute(
                f"SELECT {name} IS NULL, {masked}, pg_typeof({masked})::text FROM public.people"
            ).fetchall()
            assert {row[2] for row in shown} == {"more.citext"}
            if kind in ("hash", "partial", "email"):
                assert all((row[1] is None) == row[0] for row in shown)
        array = people.column("c")
        assert array is not None
        assert not array.citext


def test_hash_keeps_equal_what_citext_takes_for_equal(postgres15: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres15.url(), autocommit=True) as connection, connection.transaction(force_rollback=True):
        connection.execute("CREATE EXTENSION citext; CREATE TABLE public.people (mail citext)")
        connection.execute("INSERT INTO people VALUES ('Ada@Example.com'), ('ada@example.com'), ('bob@example.com')")
        column = read_catalog_of(connection).relations["public", "people"].column("mail")
        assert column is not None
        hashed = expression(Mask("hash", RULE), column)
        assert connection.execute(f"SELECT count(DISTINCT {hashed}) FROM public.people").fetchone() == (2,)
