"""A bound text: which of what it holds is which statement's."""

from __future__ import annotations

import pytest
from tests.core.sql.bind.world import bound

from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.references import ParameterType, RelationRead, TableCreated, VerbUse


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


def test_what_was_bound_behind_the_last_statement_is_its_own() -> None:
    made = Bound()
    for verb in ("begin", "delete"):
        made.begin_part(ends=False)
        made.verbs.append(verb)
        made.add(VerbUse(verb))
    made.add(ParameterType(25, None))
    first, second = made.parts
    assert made.within(first) == (["begin"], made.references[:1])
    assert made.within(second) == (["delete"], made.references[1:])


def test_statements_that_look_alike_are_told_apart() -> None:
    made = Bound()
    for _ in range(2):
        made.begin_part(ends=True)
    made.verbs.append("commit")
    assert [made.within(part) for part in made.parts] == [([], []), (["commit"], [])]


def test_a_statement_is_recorded_with_its_own_verb_first_and_each_other_once() -> None:
    made = Bound()
    made.begin_part(ends=False)
    made.verbs.append("copy")
    for verb in ("select", "delete", "delete"):
        made.add(VerbUse(verb))
    made.begin_part(ends=False)
    made.verbs.append("select")
    made.add(TableCreated(None))
    made.parts[1].runs.add("update")
    assert [made.recorded_verbs(part) for part in made.parts] == [
        ("copy", "delete", "select"),
        ("select", "create", "update"),
    ]
