"""What all resources have in common: strictness, one of several fields, metadata, and a status that never hurts."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

from penstock_core.resources.model import (
    Condition,
    Metadata,
    Model,
    NameReference,
    Resource,
    Status,
    ValidationRule,
    cel_name,
)


class Choice(Model):
    one_of: ClassVar[tuple[str, ...]] = ("firstOne", "null")

    first_one: str | None = None
    null: str | None = None
    port: int = 1


class Thing(Resource):
    status: Status | None = None


def test_nothing_is_guessed() -> None:
    for wrong in ({"firstOne": 1}, {"firstOne": "a", "port": "1"}, {"firstOne": "a", "prot": 1}, {"first_one": "a"}):
        with pytest.raises(ValidationError):
            Choice.model_validate(wrong)


def test_nothing_changes_after_reading() -> None:
    choice = Choice.model_validate({"firstOne": "a"})
    with pytest.raises(ValidationError):
        choice.port = 2


def test_a_mistake_does_not_show_what_was_written() -> None:
    with pytest.raises(ValidationError) as caught:
        Choice.model_validate({"firstOne": ["hunter2"]})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "said"),
    [({}, "found none"), ({"firstOne": "a", "null": "b"}, "found firstOne and null"), ({"null": None}, "found none")],
)
def test_exactly_one_of_several(written: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=f"give exactly one of firstOne, null; {said}"):
        Choice.model_validate(written)


def test_the_api_server_is_told_the_same_rule() -> None:
    (rule,) = Choice.model_json_schema()["x-kubernetes-validations"]
    assert rule == {
        "rule": "[has(self.firstOne), has(self.__null__)].exists_one(given, given)",
        "message": "give exactly one of firstOne, null",
    }
    assert Choice.model_validate({"null": "a"}).chosen() == ("null",)
    assert [cel_name(name) for name in ("namespace", "name")] == ["__namespace__", "name"]
    assert ValidationRule("true", "x").document() == {"rule": "true", "message": "x"}


def test_what_the_api_server_adds_to_metadata_is_left_out_and_nothing_else() -> None:
    read = Metadata.model_validate({"name": "shop", "managedFields": [{}], "creationTimestamp": None, "finalizers": []})
    assert read == Metadata(name="shop", namespace="default")
    with pytest.raises(ValidationError):
        Metadata.model_validate({"name": "shop", "clusterName": "x"})
    with pytest.raises(ValidationError):
        Metadata.model_validate({"name": "Shop"})


def test_a_status_of_another_version_does_not_make_a_resource_unreadable() -> None:
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": "2030-01-31T12:00:00Z", "reason": "Fine"}
    read = Status.model_validate({"conditions": [{**condition, "severity": "x"}], "invented": 1})
    assert [one.type for one in read.conditions] == ["Ready"]
    with pytest.raises(ValidationError):
        Condition.model_validate({**condition, "status": "Perhaps"})


def test_bare_is_what_a_person_wrote() -> None:
    thing = Thing.model_validate(
        {"metadata": {"name": "a", "namespace": "shop", "labels": {"x": "y"}, "generation": 4}, "status": {}}
    )
    assert thing.title == "Thing shop/a"
    bare = thing.bare()
    assert (bare.status, bare.metadata) == (None, Metadata(name="a", namespace="shop", generation=4))


def test_a_reference_cannot_leave_its_namespace() -> None:
    with pytest.raises(ValidationError):
        NameReference.model_validate({"name": "shop", "namespace": "other"})
