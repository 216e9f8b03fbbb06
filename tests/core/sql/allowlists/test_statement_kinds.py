"""The kinds of statements that change the schema: one verb each, or code, or nobody's."""

from __future__ import annotations

from pathlib import Path

import pytest
from pglast import ast, parse_sql
from tests.core.sql.authorize.test_statements import NEEDS

from penstock_core.policy.effective import VERBS
from penstock_core.sql.allowlists.statement_kinds import _KINDS, CODE, OWN, VERB_OF, kind_of, word_of

DOCS = (Path(__file__).resolve().parents[4] / "docs" / "statements.md").read_text()


def test_each_kind_is_in_one_table() -> None:
    tables = (VERB_OF.keys(), CODE, OWN)
    assert sum(map(len, tables)) == len(set().union(*tables)) == len(_KINDS)


def test_the_verbs_are_those_of_policies() -> None:
    assert set(VERB_OF.values()) <= set(VERBS)
    for kind, verb in VERB_OF.items():
        # A name that begins with a verb needs that one.
        word = _KINDS[kind].name.split()[0].lower()
        assert verb == word or word not in VERBS


@pytest.mark.parametrize(("text", "verb"), NEEDS.items())
def test_a_statement_needs_the_verb_that_the_table_says(text: str, verb: str) -> None:
    kind = type(parse_sql(text)[0].stmt)
    if kind in VERB_OF and kind is not ast.CreateStmt:
        assert VERB_OF[kind] == verb


@pytest.mark.parametrize(
    "text",
    [
        "CREATE ROLE a", "ALTER ROLE a SUPERUSER", "DROP ROLE a", "GRANT a TO b", "CREATE DATABASE a",
        "ALTER DATABASE a SET b = c", "DROP DATABASE a", "CREATE TABLESPACE a LOCATION '/'", "ALTER SYSTEM SET a = b",
        "CREATE PUBLICATION a", "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c",
        "CREATE SERVER a FOREIGN DATA WRAPPER b", "CREATE USER MAPPING FOR a SERVER b",
        "IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c",
        "LOAD 'a'", "CHECKPOINT",
        "CREATE EVENT TRIGGER a ON login EXECUTE FUNCTION b()", "SECURITY LABEL ON TABLE a IS 'b'",
        "REASSIGN OWNED BY a TO b", "DROP OWNED BY a", "CREATE FOREIGN TABLE a () SERVER b",
    ],
)  # fmt: skip
def test_the_business_of_whoever_runs_the_server_is_nobodys_else(text: str) -> None:
    assert kind_of(parse_sql(text)[0].stmt) is None


def test_whoever_is_refused_is_told_what_to_do() -> None:
    for kind in _KINDS.values():
        assert kind.remedy
        assert kind.remedy[0].islower()


def test_statements_are_recorded_by_the_first_word_of_their_names() -> None:
    words = {
        text: word_of(parse_sql(text)[0].stmt) for text in ("CREATE INDEX ON a (b)", "DO 'a'", "VACUUM", "CHECKPOINT")
    }
    assert words == {"CREATE INDEX ON a (b)": "create", "DO 'a'": "do", "VACUUM": "vacuum", "CHECKPOINT": "checkpoint"}


def test_what_needs_a_verb_is_in_the_docs() -> None:
    """By the row of its verb: each first word of a name (CREATE, GRANT, VACUUM) stands in one."""
    rows = [row.rsplit("|", 2)[:2] for row in DOCS.splitlines() if row.startswith("|")]
    for kind, verb in VERB_OF.items():
        written = " ".join(statements for statements, needed in rows if f"`{verb}`" in needed)
        assert f"`{word_of(kind.__new__(kind)).upper()}`" in written, kind.__name__
