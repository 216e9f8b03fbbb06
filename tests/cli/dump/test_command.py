"""`penstock dump` as somebody runs it: it names what would not restore, and else dumps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.dumps.stand import MASKS, Stand, stand

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_cli.dump.constraints import CATALOG_QUERIES, questions
from penstock_cli.dump.programs import Programs, able, installed
from penstock_cli.failures import Unusable
from penstock_cli.main import command
from penstock_cli.terminal_text import printable

# Each breaks one constraint, of one table.
BREAKING = """
    CREATE TABLE shop.b_domain AS SELECT '12345'::shop.postcode AS code;
    CREATE TABLE shop.b_tags (label varchar(60) REFERENCES shop.badges (label));
    INSERT INTO shop.b_tags SELECT label FROM shop.badges LIMIT 1;
    CREATE TABLE shop.b_null (a text NOT NULL, b text NOT NULL);
    CREATE TABLE shop.b_check (a text CONSTRAINT "with\x1b[2J_at" CHECK (a LIKE '%@%'));
    CREATE TABLE shop.b_unique (a text, b text, CONSTRAINT both_apart UNIQUE (a, b));
    CREATE TABLE shop.b_index (a text);
    CREATE UNIQUE INDEX lower_apart ON shop.b_index (lower(a)) WHERE a <> '';
    CREATE TABLE shop.b_whole (day date) PARTITION BY RANGE (day);
    CREATE TABLE shop."b Part" PARTITION OF shop.b_whole FOR VALUES FROM ('2024-02-01') TO ('2025-01-01');
    INSERT INTO shop.b_null VALUES ('secret', '');
    INSERT INTO shop.b_check VALUES ('secret@mail.example');
    INSERT INTO shop.b_unique VALUES ('secret 1', ''), ('secret 2', ''), (NULL, ''), (NULL, '');
    INSERT INTO shop.b_index VALUES ('secret 1'), ('secret 2');
    INSERT INTO shop.b_whole VALUES ('2024-03-04');
"""
FOUND = {
    "shop.b_domain: check postcode_check of the domain of code": "postcode_check",
    "shop.b_tags: foreign key b_tags_label_fkey": "b_tags_label_fkey",
    "shop.b_null: NOT NULL of a": 'null value in column "a"',
    "shop.b_check: check with [2J_at": "[2J_at",
    "shop.b_unique: unique both_apart": "both_apart",
    "shop.b_index: unique lower_apart": "lower_apart",
}
# Which rows are in it tells what the mask hides.
UNREADABLE = (
    'shop."b Part": penstock: shop.b Part cannot be read: its rows are chosen by the masked column shop.b Part.day'
)
BREAKING_MASKS: list[dict[str, object]] = [
    *MASKS,
    {"columns": ["shop.b_domain.code", "shop.b_unique.a", "shop.b_index.a"], "with": {"redact": {}}},
    {"columns": ["shop.b_null.a"], "with": {"null": {}}},
    {"columns": ["shop.b_check.a"], "with": {"hash": {}}},
    {"columns": ["shop.b_whole.day"], "with": {"year": {}}},
]


@pytest.fixture(scope="module", params=["postgres15", "postgres"])
def shop(request: pytest.FixtureRequest, open_directory: Path) -> Iterator[Stand]:
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    directory = open_directory / f"dump-command-{server.version}"
    with stand(server, directory, BREAKING_MASKS, BREAKING) as running:
        yield running


def dump(shop: Stand, *options: str, port: int | None = None) -> Result:
    url = f"postgresql://dumped@127.0.0.1:{port or shop.gate}/shop?sslmode=disable"
    return CliRunner().invoke(command, ["dump", "--url", url, "--bin", str(shop.server.bin), *options])


def test_what_would_not_restore_is_named(shop: Stand) -> None:
    done = dump(shop, "--check-only")
    assert done.exit_code == 1
    named = re.findall(r"^would not restore: (.*)$", done.stderr, re.MULTILINE)
    assert sorted(named) == sorted(FOUND)
    assert re.findall(r"^can't be dumped: (.*)$", done.stderr, re.MULTILINE) == [UNREADABLE]
    assert "not checked" not in done.stderr
    assert "dump --anyway" in done.stderr


def test_nothing_is_dumped_that_would_not_restore(shop: Stand) -> None:
    file = shop.directory / "refused.dump"
    assert dump(shop, "--", "-f", str(file)).exit_code == 1
    assert not file.exists()


def test_each_that_is_named_fails_where_it_is_restored(shop: Stand) -> None:
    file = shop.directory / "anyway.dump"
    done = dump(shop, "--anyway", "--", "-Fc", "-f", str(file), "--exclude-table-data", 'shop."b Part"')
    assert done.exit_code == 0
    assert "rows of shop.customers\n" in done.stderr
    login = shop.login(shop.server.port, shop.empty())
    said = shop.run("pg_restore", *login, str(file)).stderr.decode()
    assert {about: words in said for about, words in FOUND.items()} == dict.fromkeys(FOUND, True)
    assert said.count("pg_restore: error: ") == len(FOUND)


def test_rows_of_partitions_that_are_not_dumped_are_copied_from_the_whole(shop: Stand) -> None:
    copied = "COPY (SELECT * FROM shop.b_whole) TO STDOUT"
    done = shop.run("psql", "-Xq", *shop.login(shop.gate), "-c", copied)
    assert (done.stdout, done.stderr) == (b"2024-01-01\n", b"")


def test_what_restores_is_dumped(shop: Stand) -> None:
    kept = [one for one in BREAKING_MASKS if "shop.b_" not in str(one)]
    shop.policy([*kept, {"columns": ["shop.b_tags.label"], "with": {"null": {}}}])
    file = shop.directory / "kept.dump"
    try:
        done = _until_it_restores(shop, file)
    finally:
        shop.policy(BREAKING_MASKS)
    assert "would not restore" not in done.stderr
    assert b"secret1" not in file.read_bytes()
    shop.unpacked(file)


def test_rows_that_a_filter_leaves_out_are_missed_by_those_that_refer_to_them(shop: Stand) -> None:
    kept = [one for one in BREAKING_MASKS if "shop.b_" not in str(one)]
    filters = [{"table": "shop.customers", "where": "id <= 10"}]
    shop.policy([*kept, {"columns": ["shop.b_tags.label"], "with": {"null": {}}}], rowFilters=filters)
    try:
        for _ in range(20):
            if "orders_customer_fkey" in dump(shop, "--check-only").stderr:
                break
        # The filters may have come in the middle of that one.
        named = re.findall(r"^would not restore: (.*)$", dump(shop, "--check-only").stderr, re.MULTILINE)
        copied = shop.dumped("-a", "-t", "shop.customers").decode()
    finally:
        shop.policy(BREAKING_MASKS)
    assert sorted(named) == [
        "shop.logins: foreign key logins_email_fkey", "shop.orders: foreign key orders_customer_fkey",
    ]  # fmt: skip
    assert copied.count("\t***\t") == 10


def _until_it_restores(shop: Stand, file: Path) -> Result:
    """The gate looks for a new policy every now and then."""
    for _ in range(20):
        done = dump(shop, "--", "-Fc", "-f", str(file))
        if done.exit_code == 0:
            return done
    raise AssertionError(done.stderr)


def test_what_pg_dump_says_is_told(shop: Stand) -> None:
    done = dump(shop, "--anyway", "--", "-t", "nowhere")
    assert done.exit_code == 1
    assert "no matching tables were found" in done.stderr


def test_what_cannot_be_reached_or_makes_no_sense_is_one_line(shop: Stand) -> None:
    assert dump(shop, "--check-only", "--anyway").exit_code == 2
    nobody = dump(shop, port=1)
    assert nobody.exit_code == 2
    assert "Connection refused" in nobody.stderr
    none = CliRunner().invoke(
        command, ["dump", "--url", "postgresql://a@127.0.0.1/b?sslmode=disable", "--bin", str(shop.directory)]
    )
    assert (none.exit_code, "no pg_dump and psql in" in none.stderr) == (2, True)


def test_the_oldest_program_that_can_is_taken(shop: Stand, tmp_path: Path) -> None:
    (tmp_path / "usr" / "lib" / "postgresql").mkdir(parents=True)
    (tmp_path / "usr" / "lib" / "postgresql" / "own").mkdir()
    (tmp_path / "usr" / "lib" / "postgresql" / "own" / "bin").symlink_to(shop.server.bin)
    found = installed(None, tmp_path)
    assert (shop.version, tmp_path / "usr/lib/postgresql/own/bin") in [(one.version, one.directory) for one in found]
    several = [Programs(Path("a"), 15), Programs(Path("b"), 17), Programs(Path("c"), 18)]
    assert able(several, 16).version == 17
    with pytest.raises(Unusable, match="is PostgreSQL 19, and only a pg_dump of that version or a newer one"):
        able(several, 19)


def test_what_the_gate_does_not_answer_is_said_to_be_unchecked(shop: Stand) -> None:
    environment = {
        "PGHOST": "127.0.0.1", "PGPORT": str(shop.gate), "PGDATABASE": "shop", "PGUSER": "dumped",
        "PGSSLMODE": "disable",
    }  # fmt: skip
    refused, fine = Programs(shop.server.bin, shop.version).ask(["SELECT pg_read_file('x')", "SELECT 1"], environment)
    assert (refused.lines, refused.error) == ((), "penstock: function pg_read_file may not be called")
    assert (fine.lines, fine.error) == (("1",), "")


def test_a_database_without_breaks_has_a_question_for_each_constraint(shop: Stand) -> None:
    asked = Programs(shop.server.bin, shop.version).ask(
        CATALOG_QUERIES,
        {"PGHOST": "127.0.0.1", "PGPORT": str(shop.gate), "PGDATABASE": "shop", "PGUSER": "dumped"},
    )
    about = {
        printable(f"{one.table}: {one.about}") for one in questions(line for answer in asked for line in answer.lines)
    }
    assert {
        "shop.customers: unique customers_pkey", "shop.customers: NOT NULL of email",
        "shop.customers: check postcode_check of the domain of postcode", "shop.logins: foreign key logins_email_fkey",
        "shop.orders: check orders_total_check", *FOUND,
    } <= about  # fmt: skip
