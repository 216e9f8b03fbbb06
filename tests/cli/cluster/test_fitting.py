"""How policies fit a catalog: what is told of names that name nothing, of masks that don't fit, of what is open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.cluster.conftest import Desk


def found(desk: Desk, code: int = 1) -> list[tuple[str, str, str]]:
    result = desk.run("check", "--catalog", "catalog.json", "-o", "json")
    assert result.exit_code == code, result.stderr
    return [(one["resource"], one["finding"], one["what"]) for one in json.loads(result.stdout)]


def policy(desk: Desk, name: str) -> dict[str, Any]:
    (one,) = (one for one in desk.api.listed("databaseaccesspolicies") if one["metadata"]["name"] == name)
    return one


def test_a_column_that_nobody_thought_of_looks_sensitive(desk: Desk, catalog: Path) -> None:
    phone = "public.customers.phone looks sensitive, and no classification and no mask is for it"
    assert ("Database shop/shop", "looks sensitive", phone) in found(desk)
    (database,) = desk.api.listed("databases")
    database["spec"]["classification"].append({"columns": ["*.*.phone"], "tag": "pii.phone"})
    told = "public.customers.phone is classified pii.phone, and no policy that is enforced masks it"
    assert ("Database shop/shop", "not masked", told) in found(desk)
    # A policy that only observes covers nothing.
    policy(desk, "support")["spec"]["masks"].append({"tags": ["pii.phone"], "with": {"redact": {}}})
    policy(desk, "support")["spec"]["mode"] = "observe"
    del policy(desk, "support")["spec"]["approvals"]
    assert ("Database shop/shop", "not masked", told) in found(desk)
    policy(desk, "support")["spec"]["mode"] = "enforce"
    assert not [one for one in found(desk) if "phone" in one[2]]


def test_what_names_nothing_is_told_with_its_place(desk: Desk, catalog: Path) -> None:
    policy(desk, "support-desk")["spec"]["masks"].append({"columns": ["public.customers.emial"], "with": {"null": {}}})
    (database,) = desk.api.listed("databases")
    database["spec"]["classification"].append({"columns": ["public.card.pan"], "tag": "pci.old"})
    told = found(desk)
    assert (
        "DatabaseAccessPolicy shop/support-desk",
        "names nothing",
        "no column of the database is public.customers.emial, which policy support-desk (masks[2]) is to mask; check"
        " the spelling",
    ) in told
    assert (
        "Database shop/shop",
        "names nothing",
        "no column of the database is public.card.pan, which is classified pci.old; check the spelling",
    ) in told


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"masks": [{"columns": ["public.payments.id"], "with": {"email": {}}}]}, "which the mask email of policy"),
        ({"masks": [{"columns": ["public.payments.id"], "with": {"email": {}}, "unless": "now == now"}]}, "email"),
        ({"allowFunctions": ["app.missing"]}, "allows the function app.missing (allowFunctions), which does not"),
        ({"masks": [{"tags": ["pii.mail"], "with": {"null": {}}}]}, "is classified pii.mail"),
        (
            {"masks": [{"columns": ["public.payments.id"], "with": {"email": {}}}],
             "onRequest": {"approvers": {"groups": ["dba"]}}},
            "which the mask email of policy",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_whoever_it_is_for(
    desk: Desk, catalog: Path, change: dict[str, Any], words: str
) -> None:
    policy(desk, "support-desk")["spec"] |= change
    assert [what for _, finding, what in found(desk) if finding == "does not fit" and words in what]


def test_where_nothing_is_to_be_said_the_status_is_0(desk: Desk, catalog: Path) -> None:
    (database,) = desk.api.listed("databases")
    database["spec"]["classification"] = []
    for one in desk.api.listed("databaseaccesspolicies"):
        one["spec"] |= {"masks": [{"columns": ["*.*.email", "*.*.phone", "*.*.card_number"], "with": {"redact": {}}}]}
        one["spec"] |= {"allow": ["select"]}
    # A suspension is no reason to stop looking.
    desk.run("suspend", "database", "shop", "--reason", "INC-77")
    assert found(desk, code=0) == []
    result = desk.run("check", "--catalog", "catalog.json")
    assert result.stdout == "Database shop/shop and its policies fit the catalog, and nothing looks open\n"


def test_policies_that_revoke_need_no_catalog(desk: Desk, catalog: Path) -> None:
    desk.run("suspend", "identity", "person:ada@https://login.example", "--reason", "left")
    assert not [one for one in found(desk) if "suspended-" in one[0]]


def test_without_a_catalog_there_is_nothing_to_compare_with(desk: Desk) -> None:
    assert "either --catalog FILE or --url URL" in desk.refused("check")
