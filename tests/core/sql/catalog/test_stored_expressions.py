"""Which of a table's stored expressions give the same in every session."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import pq
from tests.core.sql.twins.world import read_catalog

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.model import Catalog, Constraint
from penstock_core.sql.catalog.stored_expressions import SETTING_SENSITIVE

SCHEMA = """
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE DOMAIN filled AS text DEFAULT 'x';
CREATE TABLE rooms (
    id int PRIMARY KEY, mail text CONSTRAINT mail UNIQUE, none text CONSTRAINT none UNIQUE NULLS NOT DISTINCT,
    given text DEFAULT 'x' CONSTRAINT given UNIQUE, filled filled CONSTRAINT filled UNIQUE,
    number int GENERATED ALWAYS AS IDENTITY CONSTRAINT number UNIQUE, a int, b int DEFAULT 1, c int,
    up text GENERATED ALWAYS AS (upper(mail)) STORED CONSTRAINT up UNIQUE, CONSTRAINT pair UNIQUE (a, b),
    CONSTRAINT parent FOREIGN KEY (c) REFERENCES rooms (id),
    CONSTRAINT fully FOREIGN KEY (a, b) REFERENCES rooms (a, b) MATCH FULL,
    CONSTRAINT apart EXCLUDE USING btree (c WITH =)
);
CREATE UNIQUE INDEX with_more ON rooms (b, c) INCLUDE (a);
CREATE UNIQUE INDEX of_expression ON rooms (coalesce(mail, 'x'));
CREATE UNIQUE INDEX partly ON rooms (mail) WHERE a IS NULL;
CREATE UNIQUE INDEX of_some ON rooms (id) WHERE mail = 'x' AND c > 3 AND number > 1 AND b = 2 AND given <> 'y';
CREATE UNIQUE INDEX of_default ON rooms (id) WHERE b = 1;
CREATE TABLE t (
    id int CONSTRAINT key PRIMARY KEY, w float8, b bytea, at timestamptz, note text,
    g text GENERATED ALWAYS AS (w::text) STORED, h float8 GENERATED ALWAYS AS (w * 2) STORED,
    CONSTRAINT plain CHECK (w > 0 AND lower(note) <> 'x' AND (note IS NULL OR w BETWEEN 1 AND 9)),
    CONSTRAINT whole CHECK (t IS NOT NULL),
    CONSTRAINT text CHECK (w::text <> '1'), CONSTRAINT output CHECK (textin(byteaout(b)) <> ''),
    CONSTRAINT clock CHECK (at < now()), CONSTRAINT today CHECK (id > 1 OR CURRENT_DATE > '2020-01-01'),
    CONSTRAINT age CHECK (age(at, at) = '0'), CONSTRAINT zone CHECK (at AT TIME ZONE 'UTC' > '2020-01-01'),
    CONSTRAINT pair CHECK (ROW(at, 1) < ROW(date '2040-01-01', 1)),
    CONSTRAINT domain CHECK (note::short <> ''),
    CONSTRAINT late CHECK (w < 1000) NOT VALID
);
ALTER TABLE t ADD CONSTRAINT late2 CHECK (w < 1000) NOT VALID;
CREATE INDEX by_text ON t (id, (w::text));
CREATE INDEX by_half ON t ((w / 2)) WHERE b IS NOT NULL;
CREATE UNIQUE INDEX by_bytes ON t (id) WHERE b::text = '';
CREATE TABLE parts (id int, w float8) PARTITION BY RANGE ((w::text), id);
CREATE TABLE part PARTITION OF parts DEFAULT;
"""


@pytest.fixture(scope="module", params=["postgres", "postgres16", "postgres15"])
def server(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    found: EmbeddedPostgres = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def catalog(server: EmbeddedPostgres) -> Catalog:
    server.psql("CREATE DATABASE stored_expressions")
    server.psql(SCHEMA, "stored_expressions")
    return read_catalog(server.url("stored_expressions"))


def by_name(catalog: Catalog, table: str) -> dict[str, Constraint]:
    """The constraints by name; of the index behind a primary key, the key."""
    return {one.name: one for one in reversed(catalog.relations["public", table].constraints)}


def test_what_depends_on_the_session_is_told_apart(catalog: Catalog) -> None:
    steady = {name: one.validated for name, one in by_name(catalog, "t").items()}
    assert steady == {
        **dict.fromkeys(("key", "plain", "whole", "zone", "domain", "h", "by_half"), True),
        **dict.fromkeys(("text", "output", "clock", "today", "age", "pair", "late2", "g"), False),
        **dict.fromkeys(("by_text", "by_bytes"), False),
        # What is NOT VALID in CREATE TABLE is valid all the same: there are no rows.
        "late": True,
    }


def test_each_looks_at_the_columns_that_its_expression_reads(catalog: Catalog) -> None:
    read = {name: set(one.columns) for name, one in by_name(catalog, "t").items()}
    assert read["by_text"] == {"id", "w"}
    assert read["by_half"] == {"w", "b"}
    assert read["whole"] == {"id", "w", "b", "at", "note", "g", "h"}
    assert read["g"] == {"g", "w"}
    assert read["plain"] == {"w", "note"}


def test_a_partition_keeps_to_the_key_of_the_whole(catalog: Catalog) -> None:
    (key,) = catalog.relations["public", "parts"].constraints
    assert (key.kind, key.columns, key.validated, key.described) == ("k", {"w", "id"}, False, "its partition key")
    (bounds,) = catalog.relations["public", "part"].constraints
    assert (bounds.kind, bounds.columns, bounds.validated) == ("c", {"w", "id"}, False)


def test_a_constraint_is_called_by_its_name(catalog: Catalog) -> None:
    named = by_name(catalog, "t")
    assert [named[name].described for name in ("key", "plain", "by_text", "by_bytes", "g")] == [
        "primary key key",
        "constraint plain",
        "index by_text",
        "unique index by_bytes",
        "generated column g",
    ]


def test_a_domain_that_depends_on_the_session_makes_all_domains_unsteady(server: EmbeddedPostgres) -> None:
    server.psql("CREATE DATABASE unsteady_domains")
    server.psql(
        "CREATE DOMAIN odd AS float8 CHECK (VALUE::text <> ''); CREATE DOMAIN short AS text CHECK (VALUE <> '');"
        "CREATE TABLE t (note text, CONSTRAINT domain CHECK (note::short <> ''), CONSTRAINT plain CHECK (note <> ''))",
        "unsteady_domains",
    )
    found = by_name(read_catalog(server.url("unsteady_domains")), "t")
    assert {name: one.validated for name, one in found.items()} == {"domain": False, "plain": True}


# ---- functions that are marked immutable

# What settings that masked identities may change can be; text depends on all of these.
SETTINGS = {
    "bytea_output": ("hex", "escape"),
    "datestyle": ("ISO, YMD", "SQL, DMY"),
    "extra_float_digits": ("1", "-15"),
    "intervalstyle": ("postgres", "sql_standard"),
    "lc_messages": ("C", "C.UTF-8"),
    "lc_monetary": ("C", "C.UTF-8"),
    "lc_numeric": ("C", "C.UTF-8"),
    "lc_time": ("C", "C.UTF-8"),
    "search_path": ("public", "pg_temp, information_schema"),
    "timezone": ("UTC", "Asia/Tokyo"),
    "xmlbinary": ("base64", "hex"),
    "xmloption": ("content", "document"),
}

SAMPLES = {
    "text": ["1", "abc", "2030-02-01", "{1,2}", "day", "UTC"],
    "\"char\"": ["a"], "name": ["abc"], "bpchar": ["abc"], "varchar": ["abc"], "cstring": ["1.25", "2030-02-01"],
    "bool": ["t"], "int2": ["7"], "int4": ["3", "2000"], "int8": ["12345678901"], "oid": ["25"],
    "numeric": ["12345.678"], "float4": ["1.23456"], "float8": ["12.34567", "0.25"], "money": ["12.34"],
    "bytea": ["\\x0141"], "bit": ["101"], "varbit": ["101"], "uuid": ["00000000-0000-0000-0000-000000000001"],
    "date": ["2030-01-31"], "time": ["20:30"], "timetz": ["20:30+02"], "timestamp": ["2030-01-31 20:30"],
    "timestamptz": ["2030-01-31 20:00+00", "2030-02-28 21:00+00"], "interval": ["1 mon 2 days 03:04:05"],
    "json": ['{"a": [1.25, "2030-01-31"]}'], "jsonb": ['{"a": [1.25, "2030-01-31"]}'], "jsonpath": ["$.a"],
    "xml": ["<a>1</a>"], "inet": ["10.0.0.1/8"], "cidr": ["10.0.0.0/8"], "macaddr": ["01:02:03:04:05:06"],
    "point": ["(1.234567,2)"], "lseg": ["[(1.234567,2),(3,4)]"], "box": ["(1.234567,2),(3,4)"],
    "path": ["((1.234567,2),(3,4))"], "polygon": ["((1.234567,2),(3,4),(5,6))"], "circle": ["<(1.234567,2),3>"],
    "line": ["{1.234567,2,3}"], "tsvector": ["a:1 b:2"], "tsquery": ["a & b"],
    "int4range": ["[1,5)"], "numrange": ["[1.25,5)"], "daterange": ["[2030-01-01,2030-02-01)"],
    "tsrange": ["[2030-01-01,2030-02-01)"], "tstzrange": ["[2030-01-31 20:00+00,2030-02-28 21:00+00)"],
    "tstzmultirange": ["{[2030-01-31 20:00+00,2030-02-28 21:00+00)}"],
    "anyelement": ["'2030-01-31 20:00+00'::timestamptz", "1.234567::float8", "'\\x01'::bytea"],
    "anyarray": ["ARRAY['2030-01-31 20:00+00'::timestamptz]", "ARRAY[1.234567::float8]"],
    "anycompatible": ["1.234567::float8"], "anycompatiblearray": ["ARRAY[1.234567::float8]"],
    "anyrange": ["tstzrange('2030-01-31 20:00+00', NULL)"], "anynonarray": ["1.234567::float8"],
    "text[]": ["{a,b}"], "float8[]": ["{1.234567,2}"], "int4[]": ["{1,2}"],
}  # fmt: skip

ALIASES = {"char": '"char"', "double precision[]": "float8[]", "integer[]": "int4[]"}


def calls(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    """Each immutable function of pg_catalog that takes what there are samples of, called with the first and last."""
    found = connection.execute(
        "SELECT p.oid::regprocedure::text, p.proname::text,"
        " ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) t), ARRAY(SELECT u.typname::text"
        " FROM unnest(p.proargtypes) WITH ORDINALITY a(t, n) JOIN pg_type u ON u.oid = a.t ORDER BY n)"
        " FROM pg_proc p WHERE provolatile = 'i' AND prokind = 'f' AND pronamespace = 'pg_catalog'::regnamespace"
        " AND oid < 16384 AND prorettype NOT IN ('internal'::regtype, 'cstring'::regtype) AND NOT proretset ORDER BY 1"
    ).fetchall()
    for signature, name, types, short in found:
        keys = [long if long.endswith("[]") else one for long, one in zip(types, short, strict=True)]
        keys = [
            {"char": '"char"', "double precision[]": "float8[]", "integer[]": "int4[]"}.get(one, one) for one in keys
        ]
        if not all(one in SAMPLES for one in keys):
            continue
        for place in (0, -1):
            given = [SAMPLES[one][place] for one in keys]
            written = [
                value if key.startswith("any") else f"'{value}'::{key}" for key, value in zip(keys, given, strict=True)
            ]
            # Pairs that differ, too: an age of nothing is the same anywhere.
            if len(written) > 1 and keys[0] == keys[1] and place == 0 and not keys[0].startswith("any"):
                written[1] = f"'{SAMPLES[keys[1]][-1]}'::{keys[1]}"
            yield signature, f'pg_catalog."{name}"({", ".join(written)})'


def results(server: EmbeddedPostgres, which: int) -> dict[tuple[str, str], bytes | None]:
    """What each call gives, as the bytes of the value itself: its text would depend on the settings anyway."""
    seen: dict[tuple[str, str], bytes | None] = {}
    with psycopg.connect(server.url(), autocommit=True) as connection:
        every = list(calls(connection))
        for setting, values in SETTINGS.items():
            connection.execute("SELECT set_config(%s, %s, false)", (setting, values[which]))
        for signature, call in every:
            result = connection.pgconn.exec_params(f"SELECT {call}".encode(), [], result_format=1)
            failed = result.error_field(pq.DiagnosticField.SQLSTATE)
            seen[signature, call] = failed if failed is not None else result.get_value(0, 0)
    return seen


def test_the_immutable_functions_that_depend_on_settings_are_known(server: EmbeddedPostgres) -> None:
    one, other = results(server, 0), results(server, 1)
    assert len(one) > 1000
    differing = {signature for (signature, call), value in one.items() if other[signature, call] != value}
    known = {signature.removeprefix("pg_catalog.").replace(", ", ",") for signature in SETTING_SENSITIVE}
    known = {signature.replace("timestamptz", "timestamp with time zone") for signature in known}
    assert differing == known


def test_what_a_row_leaves_out_keeps_it_from_being_compared_where_it_is_null(server: EmbeddedPostgres) -> None:
    spared: dict[str, set[str]] = {}
    catalog = read_catalog(server.url("stored_expressions"))
    for one in catalog.relations["public", "rooms"].constraints:
        if one.compares_rows:
            # A constraint and its index are alike.
            assert spared.setdefault(one.name, set(one.spared_without)) == one.spared_without, one.name
    assert spared == {
        "rooms_pkey": set(), "mail": {"mail"}, "none": set(), "given": set(), "filled": set(), "number": set(),
        "up": set(), "pair": {"a"}, "parent": {"c"}, "fully": set(), "apart": {"c"}, "with_more": {"c"},
        "of_expression": set(), "partly": {"mail"}, "of_some": {"mail", "c", "b"}, "of_default": set(),
    }  # fmt: skip
