"""A snapshot of a real database holds what decisions need."""

from __future__ import annotations

import psycopg
import pytest

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.catalog.snapshot import STATEMENTS, snapshot

SCHEMA = """
CREATE SCHEMA sales;
CREATE FUNCTION public.even(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 % 2 = 0';
CREATE DOMAIN public.short_text AS varchar(12) CHECK (VALUE <> 'bad') COLLATE "C";
CREATE DOMAIN public.shorter AS public.short_text NOT NULL;
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TYPE public.span AS RANGE (subtype = int);
CREATE DOMAIN public.seen AS int CHECK (public.even(VALUE));
CREATE TYPE public.seen_span AS RANGE (subtype = public.seen);
CREATE TABLE public.u (
    id int PRIMARY KEY, email varchar(40) UNIQUE, salary numeric(10,2) CHECK (salary < 1e6), dom public.shorter,
    "Odd Name" text COLLATE "C", at timestamp(3) with time zone, span interval day to second(2), tags text[],
    mail_key text GENERATED ALWAYS AS (lower(email)) STORED
);
CREATE TABLE sales.o (id int PRIMARY KEY, email varchar(40) REFERENCES public.u(email), mood public.mood);
CREATE TABLE public.kid (extra int) INHERITS (public.u);
CREATE VIEW public.v AS SELECT id, email AS address FROM public.u WHERE salary > 10;
CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE VIEW public.w AS SELECT public.f(id) AS one FROM sales.o;
CREATE FUNCTION public.tg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON sales.o FOR EACH ROW EXECUTE FUNCTION public.tg();
CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int);
"""


def read_catalog(url: str) -> Catalog:
    with psycopg.connect(url, autocommit=True) as connection:
        documents = {}
        for name, sql in STATEMENTS:
            cursor = connection.execute(sql)
            if name:
                documents[name] = cursor.fetchone()[0]
    return snapshot(documents, generation=7)


@pytest.fixture(scope="module", params=["postgres", "postgres16"])
def catalog(request: pytest.FixtureRequest) -> Catalog:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    server.psql("CREATE DATABASE introspected")
    server.psql(SCHEMA, "introspected")
    return read_catalog(server.url("introspected"))


def test_types_are_spelled_so_that_they_mean_the_same_under_any_search_path(catalog: Catalog) -> None:
    u = catalog.relations["public", "u"]
    types = {column.name: (column.type_sql, column.base_type, column.cast_type) for column in u.columns}
    assert types == {
        "id": ("pg_catalog.int4", "pg_catalog.int4", "pg_catalog.int4"),
        "email": ("pg_catalog.varchar(40)", "pg_catalog.varchar", "pg_catalog.varchar(40)"),
        "salary": ("pg_catalog.numeric(10,2)", "pg_catalog.numeric", "pg_catalog.numeric(10,2)"),
        "dom": ("public.shorter", "pg_catalog.varchar", "pg_catalog.varchar(12)"),
        "Odd Name": ("pg_catalog.text", "pg_catalog.text", "pg_catalog.text"),
        "at": ("pg_catalog.timestamptz(3)", "pg_catalog.timestamptz", "pg_catalog.timestamptz(3)"),
        "span": ("interval day to second(2)", "pg_catalog.interval", "interval day to second(2)"),
        "tags": ("pg_catalog._text", "pg_catalog._text", "pg_catalog._text"),
        "mail_key": ("pg_catalog.text", "pg_catalog.text", "pg_catalog.text"),
    }


def test_collations_are_told_where_they_differ_from_the_base_types_own(catalog: Catalog) -> None:
    u = catalog.relations["public", "u"]
    assert u.column("Odd Name").collation == 'pg_catalog."C"'
    assert u.column("dom").collation == 'pg_catalog."C"'
    assert u.column("email").collation is None


def test_foreign_keys_and_inheritance_tie_both_ends(catalog: Catalog) -> None:
    relations = catalog.relations
    assert ("public", "u", "email") in relations["sales", "o"].column("email").copies
    assert ("sales", "o", "email") in relations["public", "u"].column("email").copies
    assert ("public", "u", "salary") in relations["public", "kid"].column("salary").copies
    assert ("public", "kid", "salary") in relations["public", "u"].column("salary").copies
    assert relations["public", "kid"].parents == (("public", "u"),)


def test_a_generated_column_derives_and_copies_nothing(catalog: Catalog) -> None:
    column = catalog.relations["public", "u"].column("mail_key")
    assert column.generated
    assert column.derives_from >= {("public", "u", "email")}
    assert ("public", "u", "email") not in column.copies


def test_constraints_bind_columns_and_the_primary_key_is_known(catalog: Catalog) -> None:
    u = catalog.relations["public", "u"]
    assert u.primary_key == ("id",)
    bound = {frozenset({"id"}), frozenset({"email"}), frozenset({"salary"})}
    assert bound <= {constraint.columns for constraint in u.constraints}


def test_a_views_reads_and_sources_are_known(catalog: Catalog) -> None:
    v = catalog.relations["public", "v"]
    assert {("public", "u", "salary"), ("public", "u", "email")} <= v.reads
    assert v.sources == {("public", "u")}
    assert ("public", "u", "salary") in v.filters
    assert ("public", "u", "email") in v.column("address").derives_from


def test_code_of_the_users_own_is_known(catalog: Catalog) -> None:
    assert catalog.relations["public", "w"].calls == ("public.f",)
    assert catalog.relations["sales", "o"].has_triggers
    assert catalog.user_functions["f"] == catalog.user_functions["tg"] == ("public",)
    assert catalog.user_operators == {"==="}
    assert catalog.user_types["mood"] == ("public",)
    assert ("public", "mood") in catalog.safe_types
    assert catalog.search_path == ("public",)
    assert catalog.server_version >= 160000
    assert catalog.generation == 7


def test_a_range_and_its_multirange_run_what_the_values_within_run(catalog: Catalog) -> None:
    # The server makes a cast from the one to the other by itself.
    assert {("public", "span"), ("public", "span_multirange"), ("public", "_span")} <= catalog.safe_types
    seen = {("public", "seen"), ("public", "seen_span"), ("public", "seen_span_multirange"), ("public", "_seen_span")}
    assert seen <= catalog.coded_types
    assert not seen & catalog.safe_types
    # Nor does using them count as changing the catalog, as what nothing is known of would.
    assert not catalog.changing_functions
    assert not catalog.reads_change
    assert not catalog.writes_change


def test_columns_that_one_sequence_numbers_hold_the_same_kind_of_values(request: pytest.FixtureRequest) -> None:
    server: EmbeddedPostgres = request.getfixturevalue("postgres")
    server.psql("CREATE DATABASE numbered")
    server.psql(
        "CREATE SEQUENCE public.n; CREATE TABLE public.a (x int DEFAULT nextval('public.n'), y serial);"
        "CREATE TABLE public.b (x bigint DEFAULT nextval('public.n') * 2, t text DEFAULT 'a' || nextval('public.n'));",
        "numbered",
    )
    relations = read_catalog(server.url("numbered")).relations
    a, b = relations["public", "a"], relations["public", "b"]
    x, y, of_b, text = a.column("x"), a.column("y"), b.column("x"), b.column("t")
    assert x is not None and y is not None and of_b is not None and text is not None  # noqa: PT018
    assert x.copies == {("public", "b", "x")}
    assert of_b.copies == {("public", "a", "x")}
    # Something is made of the number: a mask that looks at it would not fit.
    assert (text.copies, text.derives_from) == (frozenset(), {("public", "a", "x"), ("public", "b", "x")})
    # A sequence of its own ties a column to no other.
    assert y.derives_from == frozenset()
