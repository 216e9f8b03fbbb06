"""Events are held against their definition, and the JSON Schema says the same."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from penstock_core.audit.chain import Head, digest
from penstock_core.audit.event import Event, Kind
from penstock_core.audit.fields import DEFINITIONS
from penstock_core.audit.schema import complaint, json_schema, missing
from penstock_core.audit.size import fit

TIME = "2026-11-25T09:00:00.000000Z"


def sealed(kind: Kind = "intent", **changes: Any) -> Event:
    event, _ = Head("pod/boot").seal({**DEFINITIONS[kind].example, **changes}, TIME)
    return event


def valid(event: Event) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(event)


@pytest.mark.parametrize("kind", list(DEFINITIONS))
def test_the_json_schema_takes_each_example(kind: Kind) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert valid(sealed(kind))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verbs", "select"), ("verbs", [1]), ("statement", "3"), ("statement", -1), ("statement", True),
        ("decision", 7), ("sqlHmac", "ff"), ("identity", "ada"), ("identity", {"name": 1}),
        ("masks", [{"column": 1}]), ("masks", ["email"]), ("masks", {}), ("sql", None), ("rewritten", 7),
        ("access", [{"breakGlass": "yes"}]), ("truncated", "sql"),
    ],
)  # fmt: skip
def test_a_field_of_another_type_is_complained_of_by_both(field: str, value: Any) -> None:
    event = sealed(**{field: value})
    assert complaint(event).startswith(f"no usable {field}")
    assert not valid(event)


@pytest.mark.parametrize("name", ["v", "stream", "seq", "prev", "time", "kind", "hash"])
def test_what_all_events_have_is_needed(name: str) -> None:
    event = sealed()
    del event[name]
    assert complaint(event)
    assert not valid(event)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", "yesterday"),
        ("time", 7),
        ("hash", "ff"),
        ("prev", None),
        ("seq", "1"),
        ("kind", 7),
        ("kind", ["intent"]),
    ],
)
def test_what_all_events_have_is_of_its_type(name: str, value: Any) -> None:
    event = sealed()
    event[name] = value
    assert complaint(event)


@pytest.mark.parametrize("version", [0, 3, "2", None, True, [2], {}])
def test_other_versions_are_complained_of(version: Any) -> None:
    event = sealed()
    event["v"] = version
    assert complaint(event) == "version is not 1 or 2"


def test_of_version_1_only_what_all_events_have_is_looked_at() -> None:
    event = {**sealed(), "v": 1, "verbs": "select"}
    event["hash"] = digest(event)
    assert complaint(event) == ""


def test_what_is_not_defined_yet_passes() -> None:
    assert complaint(sealed(more={"of": "it"})) == ""
    event, _ = Head("pod/boot").seal({"kind": "novelty", "verbs": 7}, TIME)
    assert complaint(event) == ""
    assert valid(event)


def test_a_choice_that_is_not_defined_may_be_a_newer_gates() -> None:
    event = sealed(decision="perhaps")
    assert complaint(event) == ""
    assert not valid(event)


def test_what_is_missing_is_told_and_not_complained_of() -> None:
    event, _ = Head("pod/boot").seal({"kind": "transaction", "session": "s"}, TIME)
    assert missing(event) == ["transaction", "result"]
    assert complaint(event) == ""


@pytest.mark.parametrize("kind", list(DEFINITIONS))
@pytest.mark.parametrize("limit", [700, 400])
def test_what_was_cut_is_an_event_still(kind: Kind, limit: int) -> None:
    body = {**DEFINITIONS[kind].example, "reason": "x" * 5000}
    event, _ = Head("pod/boot").seal(fit(body, limit), TIME)
    assert complaint(event) == ""
