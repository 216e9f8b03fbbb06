"""What the audit trail stores says what was asked, and no value."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock_core.sql.syntax import normalize as normalizing
from penstock_core.sql.syntax.normalize import audit_reason, audit_text, audit_texts, normalize


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("SELECT * FROM u WHERE ssn = '111-22-3333'", "SELECT * FROM u WHERE ssn = $1"),
        ("SELECT 1, 2.5, b'1', x'ff', E'a\\'b', $$c$$, U&'d'", "SELECT $1, $2, $3, $4, $5, $6, $7"),
        ("SELECT $2 + 7", "SELECT $2 + $3"),
        ("SELECT 1 -- ssn 111\n , /* 222 /* 333 */ */ a", "SELECT $1 , a"),
        ("SELECT  a\n\tFROM   b", "SELECT a FROM b"),
        ("ALTER ROLE r PASSWORD 'hunter2'", "ALTER ROLE r PASSWORD $1"),
        ("COPY t TO PROGRAM 'curl secret'", "COPY t TO PROGRAM $1"),
        ("SET app.token = 'abc'", "SET app.token = $1"),
        ("DO $x$ select 'secret' $x$", "DO $1"),
        ("SELECT 'a'\n'b'", "SELECT $1"),
        ('SELECT "Odd ""Name"""', 'SELECT "Odd ""Name"""'),
        ("SELECT 'ünï', ümlaut FROM t", "SELECT $1, ümlaut FROM t"),
        ("", ""),
    ],
)
def test_literals_and_comments_are_gone(text: str, stored: str) -> None:
    assert normalize(text) == stored


def test_what_cannot_be_split_is_not_stored() -> None:
    assert normalize("SELECT 'unterminated secret") == ""


def test_the_policies_mode_decides() -> None:
    text = "SELECT 'x' -- y"
    assert audit_text(text, "full") == text
    assert audit_text(text, "normalized") == "SELECT $1"
    assert audit_text(text, "hash") == ""


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("SET app.token TO hunter2", "SET app.token TO $1"),
        ("set local app.token = hunter2, other", "set local app.token = $1, $2"),
        ("SET TIME ZONE hunter2", "SET TIME ZONE $1"),
        ("SET search_path TO app, public", "SET search_path TO app, public"),
        ("SET app.token TO DEFAULT", "SET app.token TO DEFAULT"),
        ("ALTER ROLE bob SET app.token TO hunter2", "ALTER ROLE bob SET app.token TO $1"),
        (
            "CREATE FUNCTION f() RETURNS int SET app.token TO hunter2 AS 'x'",
            "CREATE FUNCTION f() RETURNS int SET app.token TO $1 AS $2",
        ),
        ("UPDATE t SET a = b WHERE c = d", "UPDATE t SET a = b WHERE c = d"),
        (
            "COPY t (a) TO STDOUT WITH (NULL hunter2, FORMAT csv, FORCE_QUOTE (a))",
            "COPY t (a) TO STDOUT WITH (NULL $1, FORMAT csv, FORCE_QUOTE (a))",
        ),
        ("COPY t FROM STDIN (DEFAULT hunter2) WHERE (a = b)", "COPY t FROM STDIN (DEFAULT $1) WHERE (a = b)"),
        ("COPY (SELECT a FROM t) TO STDOUT", "COPY (SELECT a FROM t) TO STDOUT"),
        ("SELECT 1; SET app.token TO hunter2; SELECT 2", "SELECT $1; SET app.token TO $2; SELECT $3"),
    ],
)
def test_a_bare_word_where_a_value_is_due_is_one(text: str, stored: str) -> None:
    assert normalize(text) == stored


def test_each_statement_of_a_text_has_its_part() -> None:
    text = "BEGIN; -- now\n DELETE FROM t WHERE id = 7 ; SELECT 'x;y', (1)"
    assert audit_texts(text, "normalized", 3) == ("BEGIN", "DELETE FROM t WHERE id = $1", "SELECT $2, ($3)")
    assert audit_texts(text, "full", 3) == ("BEGIN", "DELETE FROM t WHERE id = 7", "SELECT 'x;y', (1)")
    assert audit_texts(text, "hash", 3) == ("", "", "")


def test_what_words_alone_can_not_part_is_told_as_a_whole() -> None:
    text = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3"
    assert audit_texts(text, "normalized", 2) == (normalize(text), normalize(text))


@pytest.mark.parametrize(
    ("text", "reason", "stored"),
    [
        (
            "SELECT set_config('hunter2', 'x', false)",
            "setting hunter2 may not be changed",
            "setting … may not be changed",
        ),
        ("SET other TO Hunter2", "no hunter2", "no …"),
        ("SELECT E'hun\\x74er2'", "no hunter2", "no …"),
        ("SELECT $q$it's$q$", "no it's", "no …"),
        ("SELECT 'it''s'", "no it's", "no …"),
        ("SELECT 'that' FROM hats", "hats like thatched ones", "hats like thatched ones"),
        ("SELECT 4111111111111111", "no 4111111111111111, of 100", "no …, of 100"),
        (
            "DELETE FROM t WHERE 'a' = 'a'",
            "DELETE with a WHERE that is always true",
            "DELETE with a WHERE that is always true",
        ),
    ],
)
def test_a_reason_quotes_no_value_of_the_text(text: str, reason: str, stored: str) -> None:
    assert audit_reason(reason, text, parsed=True) == stored


@pytest.mark.parametrize(
    ("text", "reason", "stored"),
    [
        ("CREATE USER bob 'hunter2'", "syntax error at or near \"'hunter2'\"", 'syntax error at or near "…"'),
        (
            "SELECT 'hunter2",
            'unterminated quoted string at or near "\'hunter2"',
            'unterminated quoted string at or near "…"',
        ),
        (
            'SELECT "hunter2',
            'unterminated quoted identifier at or near ""hunter2"',
            'unterminated quoted identifier at or near "…"',
        ),
        ("COPY t FROM STDIN NULL hunter2", 'syntax error at or near "hunter2"', 'syntax error at or near "…"'),
        (
            "SELECT 1hunter2",
            'trailing junk after numeric literal at or near "1hunter2"',
            'trailing junk after numeric literal at or near "…"',
        ),
        ("SELECT FROM FROM", 'syntax error at or near "FROM"', 'syntax error at or near "FROM"'),
        ("SELECT (", "syntax error at end of input", "syntax error at end of input"),
        ("SELECT )", 'syntax error at or near ")"', 'syntax error at or near ")"'),
    ],
)
def test_what_the_parser_quotes_is_left_out_but_for_its_own_words(text: str, reason: str, stored: str) -> None:
    assert audit_reason(reason, text, parsed=False) == stored


_PIECES = st.sampled_from(
    ["SELECT ", " ", "  ", ",", "a", "t1", "created_at", '"q"', '"a  b"', '"$7"', "'x'", "'it''s'", "''", "5", "1.5",
     "1.", ".5", "51_0", "(", ")", "-", "$1", "$12", "$199999", "::int", "E", "\n", "\t", "\v", "\x1c", "--", "/*",
     "*/", "$$", "\\", "&", "U&", "[", "]", " = ", "'", '"', "e5", "ä", "'ä'", "€", "a$5", ";", " ; ", "SET ", "set",
     "COPY ", " ALTER ", " CREATE ", " TO ", "app.x", "FROM "]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=14).map("".join))
@example("SELECT 'a'\n'b'")
@example("SELECT 'a'.5")
@example('SELECT "$7", $2, 1')
@example("SELECT a WHERE b = 'unterminated")
@example('SET"app".x = hunter2')
@example("SELECT 51_000, 51e5, 50x1F")
@example("SELECT 1 ; SET app.x = hunter2;")
def test_what_is_told_without_the_scanner_is_what_the_scanner_tells(text: str) -> None:
    """A comment at the end takes the scanner, and is left out."""
    assert normalize(text) == normalize(text + " /* */")


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("SELECT a, -5 FROM t WHERE created_at > 'x''y' AND b = $2 LIMIT 10",
         "SELECT a, -$3 FROM t WHERE created_at > $4 AND b = $2 LIMIT $5"),
        ("\n  SELECT a\n  FROM t\n  WHERE b = 'ä'\n", "SELECT a FROM t WHERE b = $1"),
        ('UPDATE "Odd Name" SET a = 1.5;', 'UPDATE "Odd Name" SET a = $1;'),
    ],
)  # fmt: skip
def test_an_ordinary_text_is_not_scanned(monkeypatch: pytest.MonkeyPatch, text: str, stored: str) -> None:
    def scanned(text: str) -> None:
        raise AssertionError(text)

    monkeypatch.setattr(normalizing, "words_of", scanned)
    assert normalize(text) == stored
