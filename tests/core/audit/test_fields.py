"""The definition of events: complete, without contradictions, and its examples are such events."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from penstock_core.audit.chain import Head
from penstock_core.audit.event import Kind
from penstock_core.audit.fields import CUT, DEFINITIONS, ENVELOPE, Field
from penstock_core.audit.schema import complaint, missing

TIME = "2026-11-25T09:00:00.000000Z"


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_each_example_is_an_event_of_its_kind(kind: Kind) -> None:
    example = DEFINITIONS[kind].example
    event, _ = Head("pod/boot").seal(example, TIME)
    assert event["kind"] == kind
    assert complaint(event) == ""
    assert missing(event) == []
    assert event.keys() <= {one.name for one in (*ENVELOPE, *DEFINITIONS[kind].fields)}


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_no_field_is_defined_twice_and_each_is_in_words(kind: Kind) -> None:
    def check(fields: Iterable[Field]) -> None:
        fields = list(fields)
        names = [one.name for one in fields]
        assert len(set(names)) == len(names)
        for one in fields:
            assert one.words
            assert one.words == one.words.rstrip(".")
            assert bool(one.fields) == (one.type == "object")
            check(one.fields)

    check((*ENVELOPE, *CUT, *DEFINITIONS[kind].fields))
