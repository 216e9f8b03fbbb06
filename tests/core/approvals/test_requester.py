"""Who asks, as a request has it: all of an identity that tells it from others."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from penstock_core.approvals.requester import requester
from penstock_core.identity import Identity, Principal, Workload

WEB = Workload("shop", "web", "web-1", "uid-1")


def test_a_pod_and_a_person_in_it() -> None:
    found = requester(Identity(WEB, Principal("person", "ada", "https://id.example.com", ("staff", "dpo", "staff"))))
    assert found.model_dump(by_alias=True, exclude_none=True) == {
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "uid-1"},
        "principal": {
            "kind": "person", "subject": "ada", "issuer": "https://id.example.com", "groups": ("dpo", "staff"),
        },
        "actsFor": (),
    }  # fmt: skip
    assert requester(Identity(WEB)).principal is None
    assert requester(Identity()).workload is None


def test_groups_without_end_are_cut_alike_each_time() -> None:
    groups = tuple(f"g{number:03}" for number in range(300))
    one = requester(Identity(None, Principal("agent", "bot", "https://id", groups)))
    other = requester(Identity(None, Principal("agent", "bot", "https://id", groups[::-1])))
    assert one == other
    assert one.principal is not None
    assert (len(one.principal.groups), one.principal.groups[0]) == (256, "g000")


def test_a_name_that_no_request_can_hold_is_none() -> None:
    with pytest.raises(ValidationError):
        requester(Identity(None, Principal("person", "two\nlines", "https://id")))


def test_whom_an_agent_acts_for_is_part_of_it() -> None:
    bot, ada = Principal("agent", "bot", "https://id"), Principal("person", "ada", "https://id")
    found = requester(Identity(WEB, bot, (ada,)))
    assert [one.subject for one in found.acts_for] == ["ada"]
