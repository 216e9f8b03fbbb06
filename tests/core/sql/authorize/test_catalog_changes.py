"""Which statements are taken to change the catalog, and which of them can't be held back at their commit."""

from __future__ import annotations

import pytest
from pglast import parse_sql

from penstock_core.sql.authorize.catalog_changes import changes_catalog, commits_itself
from penstock_core.sql.catalog.model import Catalog

PLAIN = Catalog()
# Code of the database's own that changes the catalog: a function, and another that triggers or views run.
CALLED = Catalog(changing_functions=frozenset({"makes"}))
TRIGGERED = Catalog(changing_functions=frozenset({"makes"}), writes_change=True)
IMPLICIT = Catalog(changing_functions=frozenset({"makes"}), reads_change=True)

CHANGES = [
    "CREATE TABLE t (a int)", "CREATE TABLE t AS SELECT 1", "SELECT 1 INTO t", "CREATE MATERIALIZED VIEW m AS SELECT 1",
    "ALTER TABLE t ADD a int", "ALTER TABLE t RENAME a TO b", "DROP TABLE t", "DROP FUNCTION f(int)",
    "DROP VIEW v, pg_temp.w",
    "CREATE VIEW v AS SELECT 1", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE INDEX ON t (a)",
    "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", "GRANT SELECT ON t TO r",
    "COMMIT PREPARED 'x'", "DO 'BEGIN CREATE TABLE t (); END'", "DO $$BEGIN EXECUTE x; END$$",
    "CREATE EXTENSION hstore",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
]  # fmt: skip
LEAVES = [
    "SELECT 1", "INSERT INTO t VALUES (1)", "WITH a AS (DELETE FROM t RETURNING 1) SELECT 1", "TRUNCATE t",
    "COPY t FROM STDIN", "CREATE TEMP TABLE t (a int)", "CREATE TEMP TABLE t AS SELECT 1", "SELECT 1 INTO TEMP t",
    "DROP TABLE pg_temp.t",
    "BEGIN", "COMMIT", "ROLLBACK", "PREPARE TRANSACTION 'x'", "SET a.b = 1", "SHOW a.b", "DISCARD ALL", "LISTEN x",
    "PREPARE p AS SELECT 1", "EXECUTE p", "FETCH c", "VACUUM t", "ANALYZE t", "REINDEX TABLE t", "LOCK TABLE t",
    "REFRESH MATERIALIZED VIEW m", "COMMENT ON TABLE t IS 'x'", "DO 'BEGIN PERFORM 1; END'", "CALL p()",
]  # fmt: skip


def node(text: str) -> object:
    (one,) = parse_sql(text)
    return one.stmt


@pytest.mark.parametrize("text", CHANGES)
def test_what_changes_the_meaning_of_names(text: str) -> None:
    assert changes_catalog(node(text), PLAIN)


@pytest.mark.parametrize("text", LEAVES)
def test_what_leaves_the_catalog_alone(text: str) -> None:
    assert not changes_catalog(node(text), PLAIN)


def test_what_runs_code_of_the_databases_own() -> None:
    assert changes_catalog(node("DO 'BEGIN PERFORM Makes(); END'"), CALLED)
    for text in ("INSERT INTO t VALUES (1)", "TRUNCATE t", "COPY t FROM STDIN", "PREPARE p AS DELETE FROM t",
                 "WITH a AS (DELETE FROM t RETURNING 1) SELECT 1"):  # fmt: skip
        assert changes_catalog(node(text), TRIGGERED)
        assert not changes_catalog(node(text), CALLED)
    for text in (
        "SELECT 1",
        "DECLARE c CURSOR FOR SELECT 1",
        "EXPLAIN SELECT 1",
        "CALL p()",
        "INSERT INTO t VALUES (1)",
    ):
        assert changes_catalog(node(text), IMPLICIT)
    assert not changes_catalog(node("SELECT 1"), TRIGGERED)


@pytest.mark.parametrize(
    ("text", "itself"),
    [
        ("CREATE INDEX CONCURRENTLY ON t (a)", True), ("DROP INDEX CONCURRENTLY i", True), ("CALL p()", True),
        ("ALTER TABLE t DETACH PARTITION u CONCURRENTLY", True), ("DO 'x'", True), ("CLUSTER t", True),
        ("COPY t FROM STDIN", True), ("COMMIT PREPARED 'x'", True), ("CREATE INDEX ON t (a)", False),
        ("ALTER TABLE t DETACH PARTITION u", False), ("ALTER TABLE t ADD a int", False), ("DROP TABLE t", False),
    ],
)  # fmt: skip
def test_what_commits_before_it_has_ended(text: str, itself: bool) -> None:
    assert commits_itself(node(text)) == itself
