"""A statement's intent and outcome as the body of one event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock_core.audit.chain import Head, written
from penstock_core.audit.fields import DEFINITIONS
from penstock_core.audit.form import Form
from penstock_core.audit.schema import complaint, missing
from penstock_sidecar.shipping.whole_statement import whole

TIME = "2026-11-25T09:00:00.000000Z"
KEY = {"session": "s1", "statement": 3}


def test_it_tells_all_that_both_tell() -> None:
    one = whole({"kind": "intent", **KEY, "sql": "SELECT 1"}, {"kind": "outcome", **KEY, "rows": 1})
    assert one == {"kind": "statement", **KEY, "sql": "SELECT 1", "rows": 1}


@pytest.mark.parametrize("name", ["policy", "rule", "reason", "anything"])
def test_one_field_can_not_say_two_things(name: str) -> None:
    assert whole({"kind": "intent", **KEY, name: "a"}, {"kind": "outcome", **KEY, name: "b"}) is None


def test_what_is_defined_of_both_is_defined_of_it() -> None:
    names = {kind: {field.name for field in DEFINITIONS[kind].fields} for kind in ("intent", "outcome", "statement")}
    assert names["statement"] == names["intent"] | names["outcome"]
    parts = (DEFINITIONS["intent"].example, DEFINITIONS["outcome"].example)
    one = whole(*parts)
    assert one is not None
    event, _ = Head("pod/boot").seal(dict(one), TIME)
    assert (complaint(event), missing(event)) == ("", [])


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("ghijkl")), st.integers(0, 2**53 - 1))
def test_by_forms_its_bytes_are_the_chains(begun: set[str], came: set[str], number: int) -> None:
    head = Head("pod/boot", 4)
    intents = Form({"kind": "intent", "session": "s", "sql": "100 %"}, ["statement", *begun], ["sqlHmac"])
    for result in ("ok", "error"):
        outcomes = Form({"kind": "outcome", "session": "s", "result": result}, ["statement", *came])
        varying: dict[str, Any] = dict.fromkeys(begun, 1)
        one = whole(
            intents.body(statement=number, sqlHmac="ab", **varying),
            outcomes.body(statement=number, **dict.fromkeys(came, number)),
        )
        assert one is not None
        assert one.form is not None
        event, after = head.seal(dict(one), TIME)
        assert one.form.seal(one, head, TIME) == (written(event), after.hash)
