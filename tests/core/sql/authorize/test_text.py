"""Each row of each table of the authorizer is needed: without it, something is decided in another way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from pglast import ast
from tests.core.sql.test_governor import CATALOG, KEY, MASKING, rule

from penstock_core.policy.effective import VERBS, EffectivePolicy, PolicySet, RowFilter
from penstock_core.sql.authorize import statements
from penstock_core.sql.authorize.text import MASKED, UNMASKED, _allowed
from penstock_core.sql.bind import references as kinds
from penstock_core.sql.decision import Decision
from penstock_core.sql.governor import Governor

# All verbs, so that only what the example is about is refused.
ALL = replace(MASKING, allow=VERBS)
PLAIN = replace(ALL, masks=())
READER = replace(PLAIN, allow=frozenset({"select"}))
# It denies a function that was made since the catalog was read.
FRESH = replace(PLAIN, deny_functions=(("fresh", rule("guardrails.denyFunctions")),))
OLD = replace(CATALOG, server_version=150000, user_functions={"json_array": ("public",)})

# It filters the rows of a table that a view reads.
FILTERED = replace(ALL, row_filters=(RowFilter(("archive", "letters"), "id <> 'x'", rule("rowFilters[0]")),))
LETTERS = CATALOG.relations["archive", "letters"]
SEEN = replace(
    LETTERS, schema="public", name="seen", kind="v", sources=frozenset({LETTERS.key}),
    definition="SELECT id FROM archive.letters",
)  # fmt: skip
VIEWED = replace(CATALOG, relations={**CATALOG.relations, SEEN.key: SEEN})

# An example for each kind of reference: who asks, and what.
Examples = Mapping[Any, tuple[PolicySet, str]]
MASKED_EXAMPLES: Examples = {
    kinds.VerbUse: (replace(ALL, allow=frozenset({"select"})), "INSERT INTO letters (id) VALUES ('1')"),
    kinds.SettingChange: (ALL, "SET role = 'postgres'"),
    kinds.RowChoice: (ALL, "DELETE FROM archive.letters"),
    kinds.UnknownColumn: (ALL, "SELECT phone FROM people"),
    kinds.Unclaimed: (ALL, "INSERT INTO people (id) VALUES ('1') ON CONFLICT (id my.opc (x = 1)) DO NOTHING"),
    kinds.Unbound: (ALL, "SELECT * FROM (SELECT 1 INTO x) s"),
    kinds.RelationRead: (ALL, "SELECT email FROM people"),
    kinds.ViewWrittenOut: (FILTERED, "SELECT id FROM seen"),
    kinds.RelationCopied: (ALL, "COPY people TO STDOUT"),
    kinds.RelationLocked: (ALL, "LOCK pg_catalog.pg_class"),
    kinds.TargetWritten: (ALL, "UPDATE people SET email = 'x' WHERE id = '1'"),
    kinds.FromLevel: (ALL, "SELECT 1 FROM public.orders, sales.orders"),
    kinds.WholeRow: (ALL, "SELECT row_to_json(o) FROM public.orders o"),
    kinds.Stars: (ALL, "SELECT * FROM public.orders"),
    kinds.Sample: (ALL, "SELECT id FROM people TABLESAMPLE system (1)"),
    kinds.TableFunction: (ALL, "SELECT * FROM pg_get_sequence_data('s')"),
    kinds.Grouping: (ALL, "SELECT name FROM people GROUP BY id"),
    kinds.ColumnRead: (ALL, "DELETE FROM people WHERE email = 'x'"),
    kinds.SchemaQualifier: (ALL, "SELECT public.people.name FROM public.people"),
    kinds.SystemColumn: (ALL, "SELECT ctid FROM people"),
    kinds.UnknownSource: (ALL, "SELECT nobody.id FROM people"),
    kinds.FunctionCall: (ALL, "SELECT pg_read_file('x')"),
    kinds.FormerFunction: (ALL, "SELECT JSON_ARRAY(1)"),
    kinds.OperatorUse: (ALL, "SELECT 1 OPERATOR(my.+) 1"),
    kinds.TypeUse: (ALL, "SELECT '1'::public.odd"),
    kinds.ParameterType: (ALL, "SELECT $1"),
    kinds.StatementUse: (ALL, "VACUUM"),
    kinds.RelationChanged: (ALL, "ANALYZE people"),
    kinds.RelationMade: (ALL, "CREATE TEMP VIEW w AS SELECT id FROM letters"),
    kinds.ForeignKeyMade: (ALL, "CREATE TABLE t (a text REFERENCES people (email))"),
    kinds.QueryKept: (ALL, "CREATE VIEW w AS SELECT email FROM people"),
    kinds.TableCreated: (replace(ALL, allow=frozenset({"select"})), "CREATE TABLE t (id int)"),
    kinds.TablePart: (ALL, "CREATE TABLE t () INHERITS (letters)"),
    kinds.RelationLiked: (ALL, "CREATE TABLE t (LIKE people)"),
    kinds.ObjectsDropped: (ALL, "DROP TABLE public.people"),
    kinds.ViewDefined: (ALL, "CREATE VIEW v AS SELECT relname FROM pg_catalog.pg_class"),
}
UNMASKED_EXAMPLES: Examples = {
    kinds.VerbUse: (READER, "INSERT INTO letters (id) VALUES ('1')"),
    kinds.SettingChange: (PLAIN, "SET role = 'postgres'"),
    kinds.RowChoice: (PLAIN, "DELETE FROM archive.letters"),
    kinds.UnknownColumn: (FRESH, "SELECT people.fresh FROM people"),
    kinds.Unclaimed: (PLAIN, "INSERT INTO people (id) VALUES ('1') ON CONFLICT (id my.opc (x = 1)) DO NOTHING"),
    kinds.Unbound: (PLAIN, "SELECT * FROM (SELECT 1 INTO x) s"),
    kinds.RelationRead: (replace(PLAIN, allow=frozenset({"insert"})), "INSERT INTO letters SELECT * FROM letters"),
    kinds.RelationCopied: (PLAIN, "COPY pg_stat_activity TO STDOUT"),
    kinds.TargetWritten: (PLAIN, "INSERT INTO pg_catalog.pg_class (relname) VALUES ('x')"),
    kinds.WholeRow: (PLAIN, "SELECT row_to_json(a) FROM pg_stat_activity a"),
    kinds.Stars: (PLAIN, "SELECT * FROM pg_stat_activity"),
    kinds.ColumnRead: (PLAIN, "SELECT query FROM pg_stat_activity"),
    kinds.SchemaQualifier: (PLAIN, "SELECT pg_catalog.pg_stat_activity.query FROM pg_catalog.pg_stat_activity"),
    kinds.SystemColumn: (PLAIN, "SELECT query, tableoid FROM pg_stat_activity"),
    kinds.FunctionCall: (PLAIN, "SELECT pg_read_file('x')"),
    kinds.OperatorUse: (READER, "SELECT 1 <~~ 2"),
    kinds.TypeUse: (READER, "SELECT '1'::public.odd"),
    kinds.ParameterType: (PLAIN, "SELECT $1"),
    kinds.StatementUse: (READER, "VACUUM"),
    kinds.TableCreated: (READER, "CREATE TABLE t (id int)"),
    kinds.ObjectsDropped: (READER, "DROP TABLE public.people"),
    kinds.ViewDefined: (PLAIN, "CREATE VIEW v AS SELECT relname FROM pg_catalog.pg_class"),
}
MASKED_STATEMENT_EXAMPLES: Examples = {
    ast.CopyStmt: (ALL, "COPY letters TO '/tmp/x'"),
    ast.TransactionStmt: (ALL, "PREPARE TRANSACTION 'x'"),
    ast.ExecuteStmt: (ALL, "EXECUTE p"),
    ast.FetchStmt: (ALL, "FETCH 1 FROM c"),
    ast.ExplainStmt: (ALL, "EXPLAIN SELECT email FROM people"),
    ast.TruncateStmt: (ALL, "TRUNCATE letters CASCADE"),
    ast.ListenStmt: (ALL, "LISTEN jobs"),
    ast.LockStmt: (replace(ALL, allow=frozenset({"select"})), "LOCK people"),
    ast.IndexStmt: (ALL, "CREATE INDEX ON letters USING mine (id)"),
    ast.AlterTableStmt: (ALL, "ALTER TABLE letters DISABLE TRIGGER ALL"),
    ast.VacuumStmt: (ALL, "VACUUM"),
    ast.CreateStatsStmt: (ALL, "CREATE STATISTICS s ON a, b FROM (SELECT 1 AS a, 2 AS b) q"),
    ast.CreateEnumStmt: (ALL, "CREATE TYPE pg_temp.text AS ENUM ('a')"),
    ast.AlterEnumStmt: (ALL, "ALTER TYPE mood RENAME VALUE 'a' TO 'b'"),
    ast.CommentStmt: (ALL, "COMMENT ON ROLE somebody IS 'x'"),
    ast.ViewStmt: (replace(ALL, allow=frozenset({"select"})), "CREATE VIEW w AS SELECT 1 AS x"),
    ast.CreateTableAsStmt: (ALL, "CREATE MATERIALIZED VIEW w USING mine AS SELECT 1 AS x"),
    ast.CreateSchemaStmt: (ALL, "CREATE SCHEMA mart AUTHORIZATION somebody"),
    ast.CreateSeqStmt: (ALL, "CREATE SEQUENCE numbers OWNED BY people.id"),
    ast.RenameStmt: (ALL, "ALTER SCHEMA archive RENAME TO mart"),
}
UNMASKED_STATEMENT_EXAMPLES: Examples = {
    ast.CopyStmt: (PLAIN, "COPY letters TO '/tmp/x'"),
    ast.FetchStmt: (PLAIN, "FETCH 1 FROM c"),
}
# What is decided of these in the same way, since nothing is in them that their parts have not.
NOTHING_MORE = {ast.TransactionStmt, ast.ExecuteStmt, ast.ExplainStmt, ast.TruncateStmt, ast.CallStmt}


def decided(example: tuple[PolicySet, str]) -> Decision:
    policies, text = example
    catalog = OLD if "JSON_ARRAY" in text else VIEWED if policies is FILTERED else CATALOG
    # A type that no catalog has, for the parameter.
    types = (4711,) if "$1" in text else ()
    governor = Governor(EffectivePolicy("shop", policies, None), catalog, KEY)
    return governor.decide(text, ("public", "archive"), frozenset(), types)


TABLES: dict[str, tuple[Mapping[Any, Any], Examples]] = {
    "masked": (MASKED, MASKED_EXAMPLES),
    "unmasked": (UNMASKED, UNMASKED_EXAMPLES),
    "masked statement": (statements.MASKED_STATEMENTS, MASKED_STATEMENT_EXAMPLES),
    "unmasked statement": (statements.UNMASKED_STATEMENTS, UNMASKED_STATEMENT_EXAMPLES),
}
ROWS = [(name, row) for name, (_, examples) in TABLES.items() for row in examples]


@pytest.mark.parametrize(("table", "row"), ROWS, ids=lambda part: getattr(part, "__name__", part))
def test_a_row_that_allows_anything_is_noticed(monkeypatch: pytest.MonkeyPatch, table: str, row: Any) -> None:
    rules, examples = TABLES[table]
    usual = decided(examples[row])
    monkeypatch.setitem(rules, row, lambda *_: None)  # type: ignore[arg-type]
    assert decided(examples[row]) != usual


@pytest.mark.parametrize("rules", [MASKED, UNMASKED], ids=["masked", "unmasked"])
def test_a_kind_of_reference_without_a_rule_is_refused(monkeypatch: pytest.MonkeyPatch, rules: Any) -> None:
    monkeypatch.delitem(rules, kinds.OperatorUse)
    denial = decided((ALL if rules is MASKED else PLAIN, "SELECT 1 + 1")).denial
    assert denial is not None
    assert denial.reason == "OperatorUse is not supported"


def test_each_row_has_its_example() -> None:
    every = {kind for kind in vars(kinds).values() if isinstance(kind, type) and issubclass(kind, kinds.Reference)}
    every -= {kinds.Reference}
    assert MASKED.keys() == UNMASKED.keys() == every
    assert every == MASKED_EXAMPLES.keys()
    assert {kind for kind, rule in UNMASKED.items() if rule is not _allowed} == UNMASKED_EXAMPLES.keys()
    assert statements.MASKED_STATEMENTS.keys() == MASKED_STATEMENT_EXAMPLES.keys() | {
        ast.CallStmt,
        ast.NotifyStmt,
        ast.RefreshMatViewStmt,
    }
    assert statements.UNMASKED_STATEMENTS.keys() == UNMASKED_STATEMENT_EXAMPLES.keys() | NOTHING_MORE


@pytest.mark.parametrize("policies", [PLAIN, ALL], ids=["unmasked", "masked"])
@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("WITH d AS (DELETE FROM letters WHERE id = '1' RETURNING id) SELECT id FROM d", "select delete"),
        ("COPY (DELETE FROM letters WHERE id = '1' RETURNING id) TO STDOUT", "copy delete select"),
        ("COPY letters TO STDOUT", "copy select"),
        ("COPY letters (id) FROM STDIN", "copy insert"),
        ("INSERT INTO letters (id) VALUES ('1') ON CONFLICT (id) DO UPDATE SET id = '2'", "insert update"),
        ("INSERT INTO letters (id) VALUES ('1') ON CONFLICT DO NOTHING", "insert"),
        (
            "MERGE INTO letters l USING (VALUES ('1')) v(i) ON l.id = v.i WHEN MATCHED THEN DELETE"
            " WHEN NOT MATCHED THEN INSERT (id) VALUES (v.i)",
            "merge delete insert",
        ),
        ("SELECT id INTO TEMP copied FROM letters", "select create"),
        ("SELECT id FROM letters FOR UPDATE", "select update"),
        ("SELECT setval('s', 5)", "select update"),
        ("SELECT id FROM letters WHERE setval('s', 5) = 5", "select update"),
        ("EXPLAIN ANALYZE DELETE FROM letters WHERE id = '1'", "explain delete"),
        ("SELECT id FROM letters", "select"),
    ],
)
def test_all_verbs_of_a_statement_are_recorded(policies: PolicySet, text: str, verbs: str) -> None:
    decision = Governor(EffectivePolicy("shop", policies, None), CATALOG, KEY).decide(text, ("archive", "public"))
    (part,) = decision.recorded
    if decision.denial is None:
        assert part.verbs == tuple(verbs.split())
    else:
        # What is refused is recorded as far as it was understood.
        assert part.verbs[0] == verbs.split(maxsplit=1)[0]


def test_each_statement_of_a_text_is_recorded_with_what_is_its_own() -> None:
    text = "SELECT email FROM people; DELETE FROM archive.letters WHERE id = '7'; SELECT 1"
    decision = Governor(EffectivePolicy("shop", ALL, None), CATALOG, KEY).decide(text, ("public",))
    assert decision.denial is None
    assert [(one.verbs, one.relations, one.masked, one.text) for one in decision.recorded] == [
        (("select",), ("public.people",), ("public.people.email",), "SELECT email FROM people"),
        (("delete",), ("archive.letters",), (), "DELETE FROM archive.letters WHERE id = $1"),
        (("select",), (), (), "SELECT $2"),
    ]


def test_a_refused_text_is_recorded_as_one() -> None:
    text = "SELECT email FROM people; COPY (DELETE FROM archive.letters RETURNING id) TO STDOUT; DROP DATABASE x"
    decision = Governor(EffectivePolicy("shop", PLAIN, None), CATALOG, KEY).decide(text, ("public",))
    (part,) = decision.recorded
    assert decision.denial is not None
    assert part.verbs == ("select", "copy", "delete", "dropdb")
    assert part.relations == ("archive.letters", "public.people")
