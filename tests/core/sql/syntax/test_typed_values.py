"""Which words are values, whatever they are written as, and what each of them says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.sql.syntax.tokens import words_of
from penstock_core.sql.syntax.typed_values import places, statements, value


def values(text: str) -> list[str]:
    tokens = words_of(text)
    typed = places(text, tokens)
    return [value(text, token) for token in tokens if token.start in typed]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 'a', E'b\\n', $$c$$, $q$d'$q$, U&'\\0065', 'f''g'", ["a", "b\n", "c", "d'", "e", "f'g"]),
        ("SELECT 'a'\n'b'", ["ab"]),
        ("SELECT 7, 1.5", ["7", "1.5"]),
        ('SET app.x TO "Quoted ""Name"""', ['Quoted "Name"']),
        ("SET app.x = a, -5, on", ["a", "5", "on"]),
        ("SET LOCAL TIME ZONE x", ["x"]),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", []),
        ("SET app.x FROM CURRENT", []),
        ("ALTER TABLE t ALTER c SET DEFAULT x, ALTER d SET (n_distinct = 5)", ["5"]),
        ("ALTER DATABASE d SET app.x = y", ["y"]),
        ("COPY t TO STDOUT (FORMAT csv, NULL x, QUOTE y)", ["x", "y"]),
        ("COPY t (a, b) FROM STDIN", []),
        ("SELECT a FROM t", []),
    ],
)
def test_the_values_of_a_text(text: str, said: list[str]) -> None:
    assert values(text) == said


def test_statements_are_told_apart_outside_brackets_alone() -> None:
    text = "SELECT 1;; CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); -- end ;\n SELECT 2"
    found = [text[one[0].start : one[-1].end + 1] for one in statements(words_of(text))]
    assert found == ["SELECT 1", "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", "SELECT 2"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\\"), max_size=20))
def test_a_literal_says_what_was_put_into_it(said: str) -> None:
    doubled = said.replace("'", "''")
    assert values(f"SELECT '{doubled}'") == [said]
