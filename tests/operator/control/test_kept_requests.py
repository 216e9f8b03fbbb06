"""What a watch says and what this process wrote itself come in any order; the later one of each request counts."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.operator.control.requests import asking

from penstock_operator.cluster.watch import ObjectChange
from penstock_operator.control.kept_requests import KeptRequests, account_of, requester_of
from penstock_operator.control.request_objects import document_of, name_of

Json = dict[str, Any]
OWNER = requester_of("shop", asking().requester)


def stored(name: str, revision: int, uid: str = "a", **status: Any) -> Json:
    document = document_of(name, "shop", asking(), datetime(2030, 1, 1, tzinfo=UTC))
    document["metadata"] |= {"resourceVersion": str(revision), "uid": uid, "creationTimestamp": "2030-01-01T00:00:00Z"}
    return document | ({"status": status} if status else {})


def names(kept: KeptRequests) -> list[str]:
    return [one.request.name for one in kept.of(OWNER)]


def test_an_older_state_takes_nothing_back() -> None:
    kept = KeptRequests()
    kept.put(stored("r", 12, decision="denied"))
    kept.change(ObjectChange(("shop", "r"), stored("r", 11), 11))
    found = kept.get("shop", "r")
    assert found is not None
    assert found.decided
    kept.change(ObjectChange(("shop", "r"), None, 11))
    assert names(kept) == ["r"], "it was made since"
    kept.change(ObjectChange(("shop", "r"), None, 13))
    assert names(kept) == []
    assert list(kept.of_account(account_of(asking().requester))) == []


def test_a_new_list_keeps_what_is_newer_than_it() -> None:
    kept = KeptRequests()
    assert kept.lacking
    kept.put(stored("newer", 30))
    kept.put(stored("older", 10))
    kept.replace({("shop", "listed"): stored("listed", 20)}, 25)
    assert names(kept) == ["listed", "newer"]
    assert kept.lacking == []


def test_another_object_of_the_same_name_is_another() -> None:
    kept = KeptRequests()
    kept.put(stored("r", 10, decision="denied"))
    kept.change(ObjectChange(("shop", "r"), stored("r", 20, uid="b"), 20))
    found = kept.get("shop", "r")
    assert found is not None
    assert (found.uid, found.decided, names(kept)) == ("b", False, ["r"])


@pytest.mark.parametrize(
    "change",
    [
        {"spec": None},
        {"spec": {"databaseRef": {"name": "shop"}}},
        {"status": {"decision": "perhaps"}},
        {"status": {"decision": "denied", "consumedAt": "2030-01-01T00:00:00Z"}},
        {"metadata": {}},
        {"metadata": {"name": "r", "namespace": "shop", "resourceVersion": "x", "uid": "a"}},
    ],
)
def test_what_makes_no_sense_is_passed_over(change: Json) -> None:
    kept = KeptRequests()
    document = copy.deepcopy(stored("r", 10)) | change
    kept.replace({("shop", "r"): document, ("shop", "s"): stored("s", 11)}, 12)
    assert names(kept) == ["s"]


def test_names_are_short_and_follow_from_what_is_asked_for() -> None:
    digest = asking().digest
    first, second = name_of(digest, ""), name_of(digest, name_of(digest, ""))
    assert first == name_of(digest, "") != second
    assert len(first) == len("r-7k3f-9m2q")
    other = asking(statement={"sql": "DELETE FROM customers"}).digest
    assert name_of(other, "") != first


def test_a_name_too_long_for_a_label_is_no_label() -> None:
    long = "a" * 200
    document = document_of("r", "shop", asking(databaseRef={"name": long}), datetime(2030, 1, 1, tzinfo=UTC))
    assert "penstock.dev/database" not in document["metadata"]["labels"]
    assert document["spec"]["databaseRef"]["name"] == long
