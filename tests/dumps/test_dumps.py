"""Dumps as a masked identity: they hold no masked value, and restore to a database that is whole."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from tests.conformance import stage
from tests.dumps.stand import LOGIN, MASKS, PASSWORD, SECRET, Stand, stand

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_cli.main import command

# Beside those who look at 15 and 18 alike: what only some servers' programs know.
_SINCE_18 = pytest.mark.parametrize("server", ["postgres"], indirect=True)


# What only some servers have: extensions, and newer kinds of columns and keys.
_MORE = {
    15: """
        CREATE EXTENSION citext SCHEMA shop; CREATE EXTENSION pg_trgm SCHEMA shop; CREATE EXTENSION hstore SCHEMA shop;
        CREATE TABLE shop.more (email shop.citext PRIMARY KEY, facts shop.hstore, note text);
        CREATE TABLE shop.more_refers (email shop.citext REFERENCES shop.more);
        CREATE INDEX by_trigrams ON shop.more USING gin (note shop.gin_trgm_ops);
        INSERT INTO shop.more SELECT 'Secret' || n, 'a=>1', 'noted' FROM generate_series(1, 20) AS n;
        INSERT INTO shop.more_refers SELECT lower(email::text)::shop.citext FROM shop.more;
    """,
    18: """
        CREATE TABLE shop.more (
            email text PRIMARY KEY, letters int GENERATED ALWAYS AS (length(email)) VIRTUAL,
            loud text GENERATED ALWAYS AS (upper(email)) STORED, n int CONSTRAINT n_given NOT NULL
        );
        CREATE TABLE shop.more_refers (email text CONSTRAINT not_enforced REFERENCES shop.more NOT ENFORCED);
        CREATE TABLE shop.stays (room int4range, span int4range, PRIMARY KEY (room, span WITHOUT OVERLAPS));
        CREATE TABLE shop.nights (
            room int4range, span int4range, FOREIGN KEY (room, PERIOD span) REFERENCES shop.stays (room, PERIOD span)
        );
        INSERT INTO shop.more (email, n) SELECT 'secret' || n, n FROM generate_series(1, 20) AS n;
        INSERT INTO shop.more_refers SELECT email FROM shop.more;
        INSERT INTO shop.stays VALUES ('[1,1]', '[1,9]'); INSERT INTO shop.nights VALUES ('[1,1]', '[2,3]');
    """,
}


@pytest.fixture(scope="module", params=["postgres15", "postgres"])
def server(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    found: EmbeddedPostgres = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def shop(server: EmbeddedPostgres, open_directory: Path) -> Iterator[Stand]:
    with stand(server, open_directory / f"dumps{server.version}", more=_MORE[server.version]) as running:
        yield running


def asked(shop: Stand, dbname: str, query: str) -> list[str]:
    return shop.server.psql(query, dbname).split("\n")[:-1]


def check_whole(shop: Stand, copy: str) -> None:
    """A copy is made of what the original is made of, its keys hold, and what was not masked is as it was."""
    assert shop.schema(copy) == shop.schema("shop")
    joins = {
        "SELECT count(*) FROM shop.customers JOIN shop.logins USING (email)": "50",
        "SELECT count(*) FROM shop.badges JOIN shop.doors ON badge = number": "50",
        "SELECT count(*) FROM shop.visits JOIN shop.customers USING (email)": "50",
        "SELECT count(*) FROM shop.orders JOIN shop.customers ON customers.id = customer": "50",
        "SELECT count(DISTINCT label) + count(DISTINCT key) + count(DISTINCT raw) FROM shop.badges": "150",
        "SELECT bool_and(shouted = upper(name) AND doubled = id * 2) FROM shop.customers": "t",
        "SELECT sum(times) FROM shop.reached JOIN shop.customers USING (email)": "50",
        "SELECT bool_and(convalidated) FROM pg_constraint WHERE conname <> 'not_enforced'": "t",
        "SELECT nextval('shop.spare'), nextval('shop.orders_id_seq'), nextval('shop.customers_id_seq')": "115|51|51",
        "SELECT count(*) FROM shop.more JOIN shop.more_refers USING (email)": "20",
        # What numbers a masked column begins anew.
        "SELECT nextval('shop.badges_number_seq')": "1",
    }
    assert {query: asked(shop, copy, query) for query in joins} == {query: [one] for query, one in joins.items()}
    for query in (
        "SELECT id, customer, total FROM shop.orders ORDER BY 1",
        "SELECT id, mood, postcode, touched FROM shop.customers ORDER BY 1",
        "SELECT tableoid::regclass, id, day FROM shop.visits ORDER BY 2",
        "SELECT tableoid::regclass, id, name FROM shop.animals ORDER BY 2",
        "SELECT place FROM shop.doors ORDER BY 1",
    ):
        assert asked(shop, copy, query) == asked(shop, "shop", query)
    masks = {
        "as_null": "value IS NULL AND place IS NULL AND sizes IS NULL",
        "as_redact": "value = '***' AND born = '1970-01-01' AND facts = '\"***\"' AND tags = '{}'",
        "as_constant": "value = 'some text' AND amount = 12.5",
        "as_partial": "right(value, 2) = right(id::text, 2) OR length(value) < 8",
        "as_email": "value = 's***@mail.example'",
        "as_year": "value = '1983-01-01' AND seen = '1983-01-01 00:00:00+00'",
        "as_month": "value = '1983-04-01' AND seen = '1983-04-01 00:00:00'",
        "as_bucket": "value = 73737000 AND amount = 73737000",
    }
    for table, condition in masks.items():
        assert asked(shop, copy, f"SELECT count(*) FROM shop.{table} WHERE {condition}") == ["50"], table


def test_a_direct_dump_holds_what_this_looks_for(shop: Stand) -> None:
    direct = shop.dump(port=shop.server.port)
    kinds = {one.lower() for one in SECRET.findall(direct.stdout)}
    assert kinds == {b"secret", b"736563726574", b"1983-04-05", b"04:05:06", b"73737373", b"4111400", b"41114111"}


def test_a_plain_dump_restores_to_a_database_that_is_whole(shop: Stand) -> None:
    dump = shop.dumped()
    assert SECRET.findall(dump) == []
    check_whole(shop, shop.restored(dump))


def test_an_archive_restores_to_a_database_that_is_whole(shop: Stand) -> None:
    archive = shop.directory / "shop.dump"
    shop.dumped("-Fc", "-f", str(archive))
    # As it is on disk, and with what is compressed in it.
    script = shop.run("pg_restore", "-f", "-", str(archive)).stdout
    assert b"COPY shop.customers" in script
    assert SECRET.findall(archive.read_bytes() + script) == []
    check_whole(shop, shop.unpacked(archive, "-j2"))


def test_of_a_database_that_restores_nothing_is_named(shop: Stand) -> None:
    url = f"postgresql://{LOGIN}@127.0.0.1:{shop.gate}/shop?sslmode=disable"
    options = ["dump", "--url", url, "--bin", str(shop.server.bin), "--check-only"]
    done = CliRunner().invoke(command, options)
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize("server", ["postgres15"], indirect=True)
def test_a_newer_program_dumps_an_older_server(shop: Stand, postgres: EmbeddedPostgres) -> None:
    newer = replace(shop, server=replace(shop.server, bin=postgres.bin))
    dump = newer.dumped()
    assert b"Dumped by pg_dump version 18" in dump
    assert SECRET.findall(dump) == []
    # It sets what only newer servers have.
    check_whole(newer, newer.restored(dump.replace(b"SET transaction_timeout = 0;\n", b"")))


def test_several_sessions_dump_the_same_rows(shop: Stand) -> None:
    folder = shop.directory / "shop.dir"
    shop.dumped("-Fd", "-j3", "--no-sync", "-f", str(folder))
    files = [gzip.decompress(one.read_bytes()) for one in folder.glob("*.gz")]
    assert any(b"12345" in one for one in files)
    assert SECRET.findall(b"".join([*files, (folder / "toc.dat").read_bytes()])) == []
    check_whole(shop, shop.unpacked(folder))


@pytest.mark.parametrize(
    "options",
    [
        ("--inserts", "--lock-wait-timeout=5s"),
        ("--column-inserts", "--serializable-deferrable"),
        ("--rows-per-insert=7", "--quote-all-identifiers", "--load-via-partition-root"),
    ],
    ids=lambda options: options[0],
)
def test_a_dump_in_other_words_is_the_same(shop: Stand, options: tuple[str, ...]) -> None:
    dump = shop.dumped(*options)
    assert SECRET.findall(dump) == []
    check_whole(shop, shop.restored(dump))


def test_schema_and_rows_may_be_dumped_one_by_one(shop: Stand) -> None:
    schema, rows = shop.dumped("--schema-only"), shop.dumped("--data-only")
    assert b"COPY" not in schema
    assert SECRET.findall(schema + rows) == []
    # Tables are emptied and filled in one transaction, so their foreign keys are looked at in the end.
    copy = shop.restored(shop.dumped("--section=pre-data"))
    shop.restored(rows, into=copy)
    shop.restored(shop.dumped("--section=post-data"), into=copy)
    shop.server.psql("REFRESH MATERIALIZED VIEW shop.reached", copy)
    check_whole(shop, copy)
    assert shop.schema(shop.restored(schema)) == shop.schema("shop")


def test_some_tables_may_be_dumped(shop: Stand) -> None:
    dump = shop.dumped("-t", "shop.as_partial", "-t", "shop.as_redact")
    assert SECRET.findall(dump) == []
    copy = shop.empty()
    shop.server.psql(f"CREATE SCHEMA shop AUTHORIZATION {LOGIN}", copy)
    shop.restored(dump, into=copy)
    assert asked(shop, copy, "SELECT count(*) FROM shop.as_partial JOIN shop.as_redact USING (id)") == ["50"]


@_SINCE_18
def test_statistics_show_nothing_of_rows(shop: Stand) -> None:
    dump = shop.dumped("--statistics")
    assert SECRET.findall(dump) == []
    assert b"pg_restore_relation_stats" in dump
    assert b"pg_restore_attribute_stats" not in dump
    assert b"pg_restore_attribute_stats" in shop.dump("--statistics", port=shop.server.port).stdout
    told = re.findall(rb"'(rel\w+)', '(.*?)'::", dump)
    assert {one for one in told if one[0] != b"relname"} == {
        (b"reltuples", b"-1"), *((name, b"0") for name in (b"relpages", b"relallvisible", b"relallfrozen"))
    }  # fmt: skip
    check_whole(shop, shop.restored(dump))


def test_large_objects_are_left_out_by_an_option_and_else_refused(shop: Stand) -> None:
    direct = f"host=127.0.0.1 port={shop.server.port} user={LOGIN} password={PASSWORD} dbname=shop"
    with psycopg.connect(direct, autocommit=True) as connection:
        connection.execute("SELECT lo_from_bytea(4711, 'secret')")
        try:
            refused = shop.dump()
            dump = shop.dumped("-B")
        finally:
            connection.execute("SELECT lo_unlink(4711)")
    assert refused.returncode == 1
    assert b"no policy can say what large objects hold" in refused.stderr
    assert b"for a dump without it: pg_dump -B" in refused.stderr
    assert SECRET.findall(refused.stdout + dump) == []


def test_passwords_of_foreign_servers_are_not_in_a_dump(shop: Stand) -> None:
    made = f"""
        CREATE FOREIGN DATA WRAPPER nowhere; GRANT USAGE ON FOREIGN DATA WRAPPER nowhere TO {LOGIN}; SET ROLE {LOGIN};
        CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere OPTIONS (password 'secret');
        CREATE USER MAPPING FOR {LOGIN} SERVER elsewhere OPTIONS (password 'secret');
    """
    shop.server.psql(made, "shop")
    try:
        dump = shop.dumped()
        assert b"OPTIONS" in shop.dump(port=shop.server.port).stdout
    finally:
        shop.server.psql("DROP FOREIGN DATA WRAPPER nowhere CASCADE", "shop")
    assert b"CREATE USER MAPPING" in dump
    assert SECRET.findall(dump) == []


# ---- what changes while a dump runs


class Stalled:
    """A plain dump that has come to the rows of its first table and waits for somebody to read on."""

    def __init__(self, shop: Stand, *options: str) -> None:
        self.process = subprocess.Popen(
            [shop.server.bin / "pg_dump", *shop.login(shop.gate), *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=stage.inherited() | {"PGPASSWORD": PASSWORD},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.begun = b""
        while b"COPY shop.a_first" not in self.begun:
            self.begun += os.read(self.process.stdout.fileno(), 4096)

    def rest(self) -> tuple[int, bytes, str]:
        rest, said = self.process.communicate(timeout=100)
        return self.process.returncode, self.begun + rest, said.decode()


@pytest.fixture
def long_shop(shop: Stand) -> Iterator[Stand]:
    """With a table that takes a dump long, before all others, and one after them."""
    shop.server.psql(
        f"""
        SET ROLE {LOGIN};
        CREATE TABLE shop.a_first AS SELECT n, repeat('filling', 100) FROM generate_series(1, 40000) AS n;
        CREATE TABLE shop.z_last AS SELECT 'kept until now' AS word;
        """,
        "shop",
    )
    yield shop
    shop.policy(MASKS)
    shop.server.psql("DROP TABLE shop.a_first, shop.z_last", "shop")


def test_a_policy_that_changes_holds_for_the_rest_of_a_dump(long_shop: Stand) -> None:
    dump = Stalled(long_shop)
    assert b"kept until now" in long_shop.dumped("-t", "shop.z_last")
    long_shop.policy([*MASKS, {"columns": ["shop.z_last.word"], "with": {"redact": {}}}])
    for _ in range(300):
        if b"***" in long_shop.dumped("-t", "shop.z_last"):
            break
        time.sleep(0.1)
    status, written, said = dump.rest()
    assert status == 0, said
    assert b"kept until now" not in written
    assert SECRET.findall(written) == []


def test_the_catalog_may_change_while_a_dump_runs(long_shop: Stand) -> None:
    dump = Stalled(long_shop)
    through = f"host=127.0.0.1 port={long_shop.gate} user={LOGIN} dbname=shop sslmode=disable"
    with psycopg.connect(through, autocommit=True) as connection:
        connection.execute("CREATE VIEW shop.totals AS SELECT total FROM shop.orders")
    long_shop.server.psql(
        "CREATE TABLE shop.fresh (email text); INSERT INTO shop.fresh VALUES ('secret');"
        "CREATE VIEW shop.seen AS SELECT email FROM shop.customers",
        "shop",
    )
    status, written, said = dump.rest()
    assert status == 0, said
    assert SECRET.findall(written) == []
    # The rows are those that were there when it began, under the masks that hold now.
    assert b"COPY shop.z_last" in written
    assert b"fresh" not in written
    long_shop.server.psql("DROP TABLE shop.fresh; DROP VIEW shop.totals, shop.seen", "shop")
