"""Whole statements: under which verb each is recorded, and what it changes of the session."""

from __future__ import annotations

import pytest
from pglast import ast
from tests.core.sql.bind.world import bound, found

from penstock_core.sql.allowlists.statement_kinds import kind_of
from penstock_core.sql.bind.references import (
    FunctionCall,
    RelationRead,
    SettingChange,
    StatementUse,
    TableCreated,
    TablePart,
    VerbUse,
)
from penstock_core.sql.bind.statements import STATEMENT_RULES


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("SELECT 1; VALUES (1); TABLE people", ["select", "select", "select"]),
        ("START TRANSACTION; SAVEPOINT a; ROLLBACK TO a; RELEASE a; COMMIT AND CHAIN; ROLLBACK",
         ["begin", "savepoint", "rollback", "release", "commit", "rollback"]),
        ("PREPARE TRANSACTION 'a'; COMMIT PREPARED 'a'; ROLLBACK PREPARED 'a'",
         ["prepare transaction", "commit prepared", "rollback prepared"]),
        ("SET a.b = 1; SET LOCAL a.b = 1; RESET a.b; RESET ALL; SHOW a.b", ["set", "set", "reset", "reset", "show"]),
        ("PREPARE p AS DELETE FROM people", ["prepare", "delete"]),
        ("EXPLAIN UPDATE people SET id = '1'", ["explain", "update"]),
        ("DECLARE c CURSOR FOR TABLE people", ["declare", "select"]),
        ("CREATE TABLE t AS SELECT 1; CREATE TABLE t (); CREATE VIEW v AS TABLE people",
         ["create", "select", "create", "create"]),
        ("ALTER TABLE people ADD a int; CALL f(); DO 'x'", ["alter", "call", "do"]),
    ],
)  # fmt: skip
def test_the_verb_that_it_is_recorded_under(text: str, verbs: list[str]) -> None:
    assert bound(text).verbs == verbs


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("SELECT 1", "not"), ("BEGIN; SAVEPOINT a; ROLLBACK TO a; RELEASE a", "not"), ("COMMIT PREPARED 'a'", "not"),
        ("COMMIT", "last"), ("END", "last"), ("ABORT", "last"), ("ROLLBACK AND CHAIN", "last"),
        ("PREPARE TRANSACTION 'a'", "last"), ("SELECT 1; COMMIT", "last"),
        ("COMMIT; SELECT 1", "amid"), ("ROLLBACK; BEGIN", "amid"), ("COMMIT; COMMIT", "amid"),
    ],
)  # fmt: skip
def test_whether_it_ends_the_transaction(text: str, ends: str) -> None:
    assert bound(text).ends == ends


@pytest.mark.parametrize(
    ("text", "outlasts"),
    [
        ("CREATE TEMP TABLE t (a int)", "temporary table"), ("CREATE TABLE pg_temp.t (a int)", "temporary table"),
        ("CREATE TEMP TABLE t ON COMMIT DELETE ROWS AS SELECT 1", "temporary table"),
        ("SELECT 1 INTO TEMP t", "temporary table"), ("CREATE TEMP TABLE t (a int) ON COMMIT DROP", ""),
        ("CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1", ""), ("CREATE TABLE t (a int)", ""),
        ("CREATE TEMP TABLE t (a int) ON COMMIT DROP; CREATE TEMP TABLE u (a int)", "temporary table"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "cursor"), ("DECLARE c CURSOR FOR SELECT 1", ""),
        ("SELECT set_config('app.note', (SELECT email FROM people), false)", "setting"),
        ("SELECT set_config('app.note', 'x', 'true')", "setting"),
        ("SELECT set_config('app.note', 'x', $1)", "setting"),
        ("SELECT set_config('app.note', 'x', true)", ""), ("SET app.note = 'x'", ""),
    ],
)  # fmt: skip
def test_what_is_there_after_the_transaction_and_may_hold_rows(text: str, outlasts: str) -> None:
    told = bound(text).outlasts
    assert outlasts in told
    assert bool(told) == bool(outlasts)


def test_every_kind_has_one_rule() -> None:
    """A kind with a rule of its own, but for tables, calls and what drops, is no change of the schema."""
    both = {kind for kind in STATEMENT_RULES if kind_of(kind.__new__(kind)) is not None}
    assert both == {ast.CreateStmt, ast.CreateTableAsStmt}


def test_a_changed_path_holds_for_the_statements_behind_it() -> None:
    before, after = found("TABLE people; SET search_path = archive; TABLE people", RelationRead)
    assert getattr(before.resolved, "schema", None) == "public"
    assert "this session changed search_path" in getattr(after.resolved, "reason", "")


@pytest.mark.parametrize(
    ("text", "changes", "resets"),
    [
        ("SET Search_Path = a", True, False),
        ("SET LOCAL search_path TO DEFAULT", True, False),
        ("RESET search_path", True, True),
        ("RESET ALL", True, True),
        ("DISCARD ALL", True, True),
        ("RESET ALL; SET search_path = a", True, False),
        ("SET search_path = a; RESET ALL", True, True),
        ("DISCARD TEMP", False, False),
        ("SET timezone = a", False, False),
    ],
)
def test_what_becomes_of_the_path(text: str, changes: bool, resets: bool) -> None:
    told = bound(text)
    assert (told.changes_search_path, told.resets_search_path) == (changes, resets)


def test_a_temporary_table_is_known_to_the_statements_behind_it() -> None:
    made = bound("CREATE TEMP TABLE fresh (a int); TABLE fresh")
    assert made.temporary == {"fresh"}
    (read,) = (one for one in made.references if isinstance(one, RelationRead))
    assert getattr(read.resolved, "temporary", False)
    assert bound("CREATE TABLE pg_temp.fresh (a int)").temporary == {"fresh"}
    assert bound("SELECT 1 INTO TEMP fresh").temporary == {"fresh"}
    assert bound("CREATE TABLE fresh (a int)").temporary == set()
    assert [bound(f"DISCARD {what}").drops_temporary for what in ("ALL", "TEMP", "PLANS")] == [True, True, False]


def test_what_is_kept_by_name_is_told() -> None:
    kept = bound("PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p; DEALLOCATE ALL")
    assert (kept.prepares, kept.executes, kept.deallocates) == (["p"], ["p"], ["p", "*"])
    cursors = bound(
        "DECLARE c CURSOR FOR SELECT 1; DECLARE d CURSOR WITH HOLD FOR SELECT 1; FETCH c; CLOSE c; CLOSE ALL"
    )
    assert (cursors.declares, cursors.fetches, cursors.closes) == ([("c", False), ("d", True)], ["c"], ["c", "*"])
    # What it runs may write.
    assert bound("EXECUTE p").writes


def test_a_table_of_a_query_is_made_and_read() -> None:
    for text in ("CREATE TABLE fresh AS TABLE people", "SELECT * INTO fresh FROM people"):
        assert [one.item.relname for one in found(text, TableCreated) if one.item is not None] == ["fresh"]
        assert len(found(text, RelationRead)) == 1
        assert bound(text).writes
    assert len(found("CREATE TABLE fresh USING heap AS SELECT 1", TablePart)) == 1


def test_what_is_in_arguments_of_statements_is_looked_into() -> None:
    for text in ("EXECUTE p (upper('x'))", "PREPARE p AS SELECT upper('x')", "EXPLAIN SELECT upper('x')"):
        assert [one.names for one in found(text, FunctionCall)] == [("upper",)]
    assert [one.verb for one in found("EXPLAIN DELETE FROM people", VerbUse)] == ["delete"]
    # What is explained is known before it is asked whether that may be explained.
    assert [one.after for one in found("EXPLAIN SELECT 1", StatementUse)] == [True]


def test_a_setting_is_told_in_lower_case() -> None:
    assert [one.written for one in found('SET "TimeZone" = 1; RESET ALL', SettingChange)] == ["timezone", ""]
