"""Of options that take words, those are values that somebody typed; names and the options' own words are not."""

from __future__ import annotations

import pytest

from penstock_core.sql.syntax.normalize import normalize


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("COPY t TO STDOUT (FORMAT x, HEADER y, ENCODING z)", "COPY t TO STDOUT (FORMAT $1, HEADER $2, ENCODING $3)"),
        ("COPY t TO STDOUT (own (a, b))", "COPY t TO STDOUT (own ($1, $2))"),
        ("COPY t FROM STDIN (FORCE_NULL x)", "COPY t FROM STDIN (FORCE_NULL $1)"),
        ("EXPLAIN (FORMAT x) SELECT a FROM t", "EXPLAIN (FORMAT $1) SELECT a FROM t"),
        ("VACUUM (INDEX_CLEANUP x) t", "VACUUM (INDEX_CLEANUP $1) t"),
        (
            "CREATE SUBSCRIPTION s CONNECTION 'c' PUBLICATION p WITH (slot_name = x, enabled = false)",
            "CREATE SUBSCRIPTION s CONNECTION $1 PUBLICATION p WITH (slot_name = $2, enabled = false)",
        ),
        ("ALTER SUBSCRIPTION s SKIP (lsn = x)", "ALTER SUBSCRIPTION s SKIP (lsn = $1)"),
        ("ALTER TABLE t SET (own.a = x, b)", "ALTER TABLE t SET (own.a = $1, b)"),
        ("CREATE TABLE t (a int CHECK (a = b)) WITH (c = x)", "CREATE TABLE t (a int CHECK (a = b)) WITH (c = $1)"),
        ("EXPLAIN CREATE TABLE t WITH (c = x) AS SELECT a", "EXPLAIN CREATE TABLE t WITH (c = $1) AS SELECT a"),
        (
            "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, StopWords = x)",
            "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple, StopWords = $1)",
        ),
        ("CREATE COLLATION c (PROVIDER = icu, LOCALE = x)", "CREATE COLLATION c (PROVIDER = icu, LOCALE = $1)"),
        (
            "CREATE OR REPLACE AGGREGATE a (b int) (SFUNC = s.f, STYPE = s.t, INITCOND = x)",
            "CREATE OR REPLACE AGGREGATE a (b int) (SFUNC = s.f, STYPE = s.t, INITCOND = $1)",
        ),
        (
            "CREATE TRIGGER g AFTER INSERT ON t WHEN (a = b) EXECUTE FUNCTION f(x, 'y')",
            "CREATE TRIGGER g AFTER INSERT ON t WHEN (a = b) EXECUTE FUNCTION f($1, $2)",
        ),
        ("CREATE EXTENSION e SCHEMA s VERSION x", "CREATE EXTENSION e SCHEMA s VERSION $1"),
        ("ALTER EXTENSION e UPDATE TO x", "ALTER EXTENSION e UPDATE TO $1"),
        (
            "CREATE DATABASE d WITH OWNER = o LOCALE x CONNECTION LIMIT 5 TEMPLATE t ENCODING y",
            "CREATE DATABASE d WITH OWNER = o LOCALE $1 CONNECTION LIMIT $2 TEMPLATE t ENCODING $3",
        ),
    ],
)
def test_a_word_in_a_values_place_is_one(text: str, stored: str) -> None:
    assert normalize(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "COPY t (a, b) TO STDOUT (FORMAT csv, HEADER match, FORCE_QUOTE (a, b))",
        "COPY t TO STDOUT (FORMAT csv, FORCE_QUOTE *)",
        "COPY t FROM STDIN (FORMAT text) WHERE (a = b)",
        "EXPLAIN (FORMAT json, ANALYZE) SELECT a FROM t",
        "EXPLAIN (SELECT a FROM t)",
        "EXPLAIN ((SELECT a FROM t))",
        "CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =))",
        "CREATE TYPE t AS (a int, b text)",
        "CREATE TYPE t AS RANGE (SUBTYPE = s.t, SUBTYPE_DIFF = f)",
        "CREATE OPERATOR === (LEFTARG = a, FUNCTION = f, NEGATOR = !==)",
        "CREATE VIEW v AS WITH w AS (SELECT a = b) SELECT c FROM w",
        "CREATE RULE r AS ON INSERT TO t DO INSTEAD SELECT a FROM t",
        "CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()",
        "CREATE EXTENSION e SCHEMA s CASCADE",
        "CREATE DATABASE d",
        "ALTER DATABASE d OWNER TO o",
        "REINDEX TABLE t",
        "CLUSTER",
    ],
)
def test_names_and_words_of_options_stay(text: str) -> None:
    assert normalize(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "COPY",
        "EXPLAIN (",
        "EXPLAIN (ANALYZE",
        "ALTER TABLE t SET (",
        "CREATE TYPE t (",
        "CREATE TRIGGER EXECUTE",
        "VACUUM ()",
        "CREATE DATABASE d LOCALE",
        "ALTER )))((",
    ],
)
def test_what_ends_early_is_no_fault(text: str) -> None:
    assert normalize(text) == text
