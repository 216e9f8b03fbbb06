"""A bound text: which of what it holds is which statement's."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound

from penstock_core.sql.bind.references import RelationRead


def test_each_statement_of_a_text_has_its_own_verbs_references_and_relations() -> None:
    text = bound("SELECT name FROM people; BEGIN; DELETE FROM orders")
    first, second, third = text.parts
    assert [text.within(part)[0] for part in text.parts] == [["select"], ["begin"], ["delete"]]
    assert first.relations != third.relations
    assert second.relations == set()
    assert any(isinstance(one, RelationRead) for one in text.within(first)[1])
    assert text.relations == first.relations | third.relations


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("SELECT name FROM people", ("select",)),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", ("select", "delete")),
        ("SELECT id INTO made FROM people", ("select", "create")),
    ],
)
def test_writes_are_told_wherever_they_stand(text: str, verbs: tuple[str, ...]) -> None:
    made = bound(text)
    assert made.recorded_verbs(made.parts[0]) == verbs
