"""Which words of a text are values that somebody typed."""

from __future__ import annotations

import pytest
from pglast.parser import scan

from penstock_core.sql.syntax.typed_values import places, statements, value


def typed(text: str) -> list[str]:
    tokens = list(scan(text))
    found = places(text, tokens)
    return [text[token.start : token.end + 1] for token in tokens if token.start in found]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("SELECT 1, 'two', name FROM people", ["1", "'two'"]),
        ("SET app.token TO hunter2", ["hunter2"]),
        ("SET LOCAL app.token = hunter2, other", ["hunter2", "other"]),
        ("SET search_path TO secret", []),
        ("SET app.token TO DEFAULT", []),
        ("SET TIME ZONE hunter2", ["hunter2"]),
        ("ALTER ROLE ada SET app.token TO hunter2", ["hunter2"]),
        ("COPY people FROM STDIN (NULL hunter2)", ["hunter2"]),
        ("COPY people FROM STDIN (FORMAT csv, DELIMITER x)", ["x"]),
        ("COPY (SELECT name FROM people) TO STDOUT (FORMAT csv)", []),
    ],
)
def test_literals_and_words_in_their_place(text: str, values: list[str]) -> None:
    assert typed(text) == values


def test_statements_end_at_semicolons_outside_brackets() -> None:
    text = "SELECT 1; /* ; */ CREATE RULE r AS ON INSERT TO t DO (SELECT 2; SELECT 3); ;"
    assert [len(one) > 0 for one in statements(list(scan(text)))] == [True, True]


@pytest.mark.parametrize(
    ("text", "held"), [("'it''s'", "it's"), ("E'a\\tb'", "a\tb"), ("$$raw$$", "raw"), ("12", "12"), ('"A""b"', 'A"b')]
)
def test_a_value_without_its_quotes(text: str, held: str) -> None:
    (token,) = scan(text)
    assert value(text, token) == held
