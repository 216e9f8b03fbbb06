"""No text crashes or stalls the process: what is too much is refused with words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pglast import ast

from penstock_core.sql.refusal import Refused
from penstock_core.sql.syntax.parse import MAX_DEPTH, MAX_TEXT, depth, parse, word_at

DEEP = {
    "operators": "'SELECT ' + '+'.join(['1'] * {n})",
    "casts": "'SELECT 1' + '::int' * {n}",
    "unions": "' UNION '.join(['SELECT 1, 2'] * {n})",
    "joins": "'SELECT 1 FROM a' + ' JOIN b ON x AND y' * {n}",
    "tests": "'SELECT a' + ' IS NULL' * {n}",
    "subqueries": "'SELECT ' + '(SELECT ' * {n} + '1' + ')' * {n}",
    "subqueries in FROM": "'SELECT * FROM ' + '(SELECT * FROM ' * {n} + 'a' + ') x' * {n}",
    "calls": "'SELECT ' + 'f(a, ' * {n} + '1' + ')' * {n}",
    "cases": "'SELECT ' + 'CASE WHEN true AND ' * {n} + 'true' + ' THEN 1 END' * {n}",
    "conditions": "'SELECT ' + '(a AND (b OR ' * {n} + 'c' + '))' * {n}",
    "negations": "'SELECT ' + 'NOT ' * {n} + 'true'",
    "signs": "'SELECT ' + '- ' * {n} + '1'",
    "arrays": "'SELECT ' + 'ARRAY[' * {n} + '1' + ']' * {n}",
    "subscripts": "'SELECT a' + '[1]' * {n}",
    "open brackets": "'(' * {n}",
    "CTEs": "'WITH a AS (' * {n} + 'SELECT 1' + ') SELECT 1' * {n}",
}

DECIDE = """
import sys
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.governor import Governor
from penstock_core.policy.effective import EffectivePolicy, PolicySet
governor = Governor(EffectivePolicy("d", PolicySet(("p",), frozenset({"select"})), None), Catalog(), b"k" * 32)
for n in (200, 900, 1400, 2900, 9000, 60000):
    decision = governor.decide(TEXT, ())
print("alive")
"""


@pytest.mark.parametrize("kind", DEEP)
def test_deep_nesting_never_takes_the_process_down(kind: str) -> None:
    program = DECIDE.replace("TEXT", DEEP[kind].replace("{n}", "n"))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout == "alive\n", done.stderr[-500:]


def test_long_lists_are_not_deep() -> None:
    rows = ", ".join(["(1, 'a'::text, now() + $1)"] * 5000)
    assert depth(f"INSERT INTO t VALUES {rows}") < 50
    assert depth("SELECT 1 WHERE " + " OR ".join(["a = 1"] * 5000)) < 50
    assert depth(";".join(["SELECT 1"] * 5000)) < 50
    arms = "WHEN a.id = (1) THEN CAST('x' AS text) " * 5000
    assert depth(f"UPDATE a SET b = CASE {arms} ELSE NULL END") < 50
    assert depth(f"SELECT (CASE x.case {arms} END)::text, CASE a {arms} END FROM b") < 60
    assert len(parse(f"INSERT INTO t VALUES {rows}")) == 1


def test_depth_counts_every_construct_that_nests() -> None:
    assert depth("SELECT " + "+".join(["1"] * 2000)) > MAX_DEPTH
    assert depth(" UNION ".join(["SELECT 1"] * (MAX_DEPTH + 1))) > MAX_DEPTH
    assert depth("(" * (MAX_DEPTH + 1)) > MAX_DEPTH
    assert depth("CASE WHEN " * (MAX_DEPTH + 1)) > MAX_DEPTH
    assert depth("SELECT CASE WHEN " + "+".join(["1"] * 2000) + " THEN 1 END") > MAX_DEPTH
    assert depth("SELECT " + "+".join(["CASE WHEN 1 = 1 THEN 2 END"] * 2000)) > MAX_DEPTH
    # Outside of CASE these words are nothing special, and what is called `end` ends none.
    assert depth("SELECT " + " WHEN ".join(["1"] * 2000)) > MAX_DEPTH
    for end in ("x.end", 'x."end"', "x./* a */end", "x. -- a\n end"):
        assert depth("SELECT " + "CASE WHEN " * 100 + "+".join([end] * 2000) + " THEN 1 END" * 100) > MAX_DEPTH
    assert depth("SELECT (CASE 1 " + "+".join(["(SELECT 1 AS end)"] * 2000)) > MAX_DEPTH


@pytest.mark.parametrize(
    ("text", "sqlstate", "reason"),
    [
        ("selec 1", "42601", 'syntax error at or near "selec"'),
        ("SELECT 'x", "42601", "unterminated quoted string"),
        ("SELECT 1\0", "42601", "NUL"),
        ("SELECT '\udcff'", "22021", "UTF-8"),
        ("SELECT '" + "x" * MAX_TEXT + "'", "54001", "longer than"),
        ("SELECT " + "+".join(["1"] * 9000), "54001", "nested too deeply"),
    ],
)
def test_what_cannot_be_parsed_is_refused_with_the_servers_code(text: str, sqlstate: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refusal:
        parse(text)
    assert refusal.value.denial.sqlstate == sqlstate


def test_a_text_may_hold_several_statements_or_none() -> None:
    assert [type(statement) for statement in parse("SELECT 1; BEGIN;;")] == [ast.SelectStmt, ast.TransactionStmt]
    assert parse("") == parse(" -- nothing\n;") == ()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT " + ",".join(["1"] * 130_000),
        # What hides quotes from a plain look at the text must not make it look shorter.
        "SELECT E'\\', " + "a, " * 130_000 + "'",
        "SELECT $a$'$a$, " + "a, " * 130_000 + "$a$'$a$",
        "SELECT 1 -- '\n, " + "a, " * 130_000 + "'x'",
        "SELECT 1 /* ' */, " + "a, " * 130_000 + "'x'",
        'SELECT "\'", ' + "a, " * 130_000 + "'x'",
    ],
)
def test_what_has_too_many_words_is_not_parsed(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock_core.sql.syntax.parse.parse_sql", pytest.fail)
    with pytest.raises(Refused, match="words and signs"):
        parse(text)


def test_a_long_value_is_one_word() -> None:
    assert parse("SELECT '" + "a, b; " * 150_000 + "'")


def test_as_many_parameters_as_the_protocol_has_are_not_too_many_words() -> None:
    assert parse("SELECT a FROM t WHERE b IN (" + ", ".join(f"${n}" for n in range(1, 32_768)) + ")")


@pytest.mark.parametrize("between", ["=", " = ", " /* x */ =", "\n-- x\n= "])
def test_columns_that_are_set_together_may_not_be_too_many(between: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser copies what is assigned for each of them: 4,000 characters would take seconds."""
    columns = ", ".join(f"c{n}" for n in range(400))
    text = f"UPDATE t SET ({columns}){between}(SELECT {columns} FROM s)"
    few = "UPDATE t SET (a, b) = (SELECT 1, 2) WHERE (a, b) = (3, 4)"
    assert parse(few)
    monkeypatch.setattr("penstock_core.sql.syntax.parse.parse_sql", pytest.fail)
    with pytest.raises(Refused, match="too many columns together"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("SELECT a", 7, 1),
        ("SELECT 'é', b", 12, 3),
        ("SELECT a", 8, None),
        ("SELECT a", -1, None),
        ("SELECT '", 7, None),
    ],
)
def test_the_word_at_a_place(text: str, place: int, word: int | None) -> None:
    assert word_at(text, place) == word
