"""All that an event has is held against its definition, by whoever verifies."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.audit.chain import Head
from penstock_core.audit.conformity import deviations
from penstock_core.audit.event import Event, Kind
from penstock_core.audit.fields import DEFINITIONS
from penstock_core.audit.size import fit

TIME = "2026-11-25T09:00:00.000000Z"


def sealed(kind: Kind = "intent", **changes: Any) -> Event:
    event, _ = Head("pod/boot").seal({**DEFINITIONS[kind].example, **changes}, TIME)
    return event


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_each_example_is_as_defined(kind: Kind) -> None:
    assert deviations(sealed(kind)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"more": 1}, "it has 'more', which intent does not have"),
        ({"rows": 1}, "it has 'rows', which intent does not have"),
        ({"export": "end"}, "it has 'export', which intent does not have"),
        ({"identity": {"name": "a", "uid": "0"}}, "it has identity.'uid', which identity does not have"),
        (
            {"identity": {"name": "a", "actsFor": [{"subject": "b", "age": 1}]}},
            "it has identity.actsFor.'age', which identity.actsFor does not have",
        ),
        ({"decision": "perhaps"}, "decision is 'perhaps', and not one of allow, rewrite, deny"),
        ({"identity": {}}, "it has no identity.name, which each identity has"),
        ({"statement": "3"}, "statement is not what it should be (whole)"),
        ({"statement": True}, "statement is not what it should be (whole)"),
        ({"verbs": "select"}, "verbs is no list"),
        ({"verbs": [1]}, "verbs is not what it should be (text)"),
        ({"masks": [{"column": 1}]}, "masks.column is not what it should be (text)"),
        ({"identity": "ada"}, "identity is not what it should be (object)"),
        ({"sqlHmac": "ff"}, "sqlHmac is not what it should be (hash)"),
        ({"valuesCut": 1}, "valuesCut is not what it should be (flag)"),
        ({"x" * 90: 1}, f"it has {'x' * 60 + '…'!r}, which intent does not have"),
    ],
)
def test_what_is_not_as_defined_is_told(changes: Event, said: str) -> None:
    assert deviations(sealed(**changes)) == [said]


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_nothing_that_a_kind_always_has_may_be_missing(kind: Kind) -> None:
    for name in (one.name for one in DEFINITIONS[kind].fields if one.always):
        event = sealed(kind)
        del event[name]
        assert deviations(event) == [f"it has no {name}, which each {kind} has"]


def test_an_unknown_kind_is_told_alone() -> None:
    event, _ = Head("pod/boot").seal({"kind": "novelty", "more": 1}, TIME)
    assert deviations(event) == ["there is no kind 'novelty' in version 2"]


def test_of_many_a_few_are_told() -> None:
    assert len(deviations(sealed(**{f"more{number}": 1 for number in range(50)}))) == 5


@pytest.mark.parametrize("kind", list(DEFINITIONS))
@pytest.mark.parametrize("limit", [700, 400, 250])
def test_what_was_cut_is_as_defined_still(kind: Kind, limit: int) -> None:
    body = dict(DEFINITIONS[kind].example)
    if "reason" in {one.name for one in DEFINITIONS[kind].fields}:
        body["reason"] = "x" * 5000
    event, _ = Head("pod/boot").seal(fit(body, limit), TIME)
    assert deviations(event) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        # What is said to be cut is no way around its type.
        ({"truncated": ["verbs"], "verbs": [1]}, "what it has left of verbs is not what is left of one"),
        ({"truncated": ["sql"], "sql": {"any": 1}}, "what it has left of sql is not what is left of one"),
        ({"truncated": ["statement"], "statement": "x"}, "what it has left of statement is not what is left of one"),
        ({"truncated": ["identity"], "identity": {"a": 1}}, "what it has left of identity is not what is left of one"),
        ({"truncated": ["more"], "more": 1}, "it has cut 'more', which it does not have"),
        ({"truncated": ["observed"]}, "it has cut 'observed', which it does not have"),
        ({"truncated": "sql"}, "truncated is no list"),
    ],
)
def test_what_is_said_to_be_cut(changes: Event, said: str) -> None:
    assert deviations(sealed(**changes)) == [said]


@pytest.mark.parametrize("value", [None, 7, 10**400, "\ud800", [], {}, [[]], {"a": []}, 1.5])
@pytest.mark.parametrize("name", [one.name for one in DEFINITIONS["intent"].fields] + ["truncated", "more"])
def test_whatever_a_field_holds_something_is_said_of_it_or_it_is_right(name: str, value: Any) -> None:
    event = sealed()
    event[name] = value
    assert all(words.isprintable() for words in deviations(event))
