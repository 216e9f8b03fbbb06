"""The kill switch as people throw it: a Database, an identity, all; and that nothing else is switched."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.cluster.conftest import Desk

from penstock_cli.check.identities import identity
from penstock_core.policy.revocation import revocation
from penstock_core.resources import Bundle, parse
from penstock_core.resources.bundle import MASK_KEY_BYTES

SAID = {"reason": "INC-77", "by": "bea@shop.example", "since": "2030-01-31T12:00:00Z"}
ADA = "person:ada@shop.example@https://login.example"


def bundle(desk: Desk) -> Bundle:
    """What gates would have by now."""
    found: list[Any] = []
    for kind, plural in (("Database", "databases"), ("DatabaseAccessPolicy", "databaseaccesspolicies")):
        for one in desk.api.listed(plural):
            wanted = {name: value for name, value in one.items() if name != "status"}
            found.append(parse({"apiVersion": "penstock.dev/v1alpha1", "kind": kind, **wanted}))
    return Bundle.of(found, namespace="shop", database="shop", generation=1, mask_key=bytes(MASK_KEY_BYTES))


def test_a_database_is_suspended_by_whom_and_since_when_and_resumed(desk: Desk) -> None:
    (before,) = desk.api.listed("databases")
    result = desk.run("suspend", "database", "shop", "--reason", "INC-77", "-o", "json")
    assert json.loads(result.stdout) == [
        {"namespace": "shop", "database": "shop", "who": "everybody", "state": "suspended", **SAID}
    ]
    assert revocation(bundle(desk), identity(["sa:shop/support-agent"])) is not None
    (now,) = desk.api.listed("databases")
    assert now == {**before, "spec": {**before["spec"], "suspended": SAID}}
    assert "resumed" in desk.run("resume", "database", "shop").stdout
    assert desk.api.listed("databases") == [before]
    assert "was not suspended" in desk.run("resume", "database", "shop").stdout


def test_one_identity_is_suspended_in_each_database_and_resumed(desk: Desk) -> None:
    (shop,) = desk.api.listed("databases")
    desk.api.put("databases", {**shop, "metadata": {"name": "till", "namespace": "shop"}})
    before = desk.api.listed("databaseaccesspolicies")
    result = desk.run("suspend", "identity", ADA, "--reason", "left the company", "-o", "json")
    assert [(one["database"], one["who"]) for one in json.loads(result.stdout)] == [("shop", ADA), ("till", ADA)]
    why = revocation(bundle(desk), identity([ADA]))
    assert why is not None
    assert "left the company (by bea@shop.example, since 2030-01-31T12:00:00Z)" in why.message
    assert revocation(bundle(desk), identity([ADA.replace("ada", "bob")])) is None
    # As whatever she comes, and whoever acts for her.
    for others in ([ADA.replace("person", "service")], ["agent:bot@https://login.example", ADA]):
        assert revocation(bundle(desk), identity(others)) is not None
    assert "resumed" in desk.run("resume", "identity", ADA).stdout
    assert desk.api.listed("databaseaccesspolicies") == before


def test_the_latest_reason_is_the_one_that_is_read(desk: Desk) -> None:
    for reason in ("first", "second"):
        assert desk.run("suspend", "identity", "sa:shop/support-agent", "--reason", reason).exit_code == 0
    why = revocation(bundle(desk), identity(["sa:shop/support-agent"]))
    assert why is not None
    assert ": second (" in why.message


def test_in_one_database_alone(desk: Desk) -> None:
    (shop,) = desk.api.listed("databases")
    desk.api.put("databases", {**shop, "metadata": {"name": "till", "namespace": "shop"}})
    desk.run("suspend", "identity", ADA, "--database", "till", "--reason", "x")
    assert revocation(bundle(desk), identity([ADA])) is None
    result = desk.run("resume", "identity", ADA, "--database", "shop", "--database", "till", "-o", "json")
    assert [one["state"] for one in json.loads(result.stdout)] == ["was not suspended", "resumed"]


def test_all_is_the_namespace_unless_it_is_said_otherwise(desk: Desk) -> None:
    (shop,) = desk.api.listed("databases")
    desk.api.put("databases", {**shop, "metadata": {"name": "staff", "namespace": "people"}})
    desk.run("suspend", "all", "--reason", "INC-77")
    assert [one["spec"].get("suspended") for one in desk.api.listed("databases")] == [SAID, None]
    desk.run("suspend", "all", "-A", "--reason", "INC-78")
    assert [one["spec"]["suspended"]["reason"] for one in desk.api.listed("databases")] == ["INC-78", "INC-78"]
    desk.run("resume", "all", "-A")
    assert [one["spec"].get("suspended") for one in desk.api.listed("databases")] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("suspend", "database", "--reason", "x"), "give a name behind database"),
        (("suspend", "all", "shop", "--reason", "x"), "all takes no name"),
        (("suspend", "database", "shop", "-A", "--reason", "x"), "--all-namespaces is for all"),
        (("suspend", "database", "shop", "--database", "x", "--reason", "x"), "--database is for identities"),
        (("suspend", "database", "shop"), "Missing option '--reason'."),
        (("suspend", "database", "shpo", "--reason", "x"), '"shpo" not found'),
        (("suspend", "identity", "ada", "--reason", "x"), "is not an identity"),
        (("suspend", "identity", "person:ada,staff", "--reason", "x"), "leave the groups out"),
        (("suspend", "identity", "sa:other/web", "--reason", "x"), "of its own namespace, shop"),
        (("resume", "identity", ADA), "was not suspended in shop"),
    ],
)
def test_what_makes_no_sense_switches_nothing(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    before = json.dumps(desk.api.objects)
    assert words in desk.refused(*arguments)
    assert json.dumps(desk.api.objects) == before


def test_who_may_not_reads_why(desk: Desk) -> None:
    desk.api.forbidden = ("/apis/penstock.dev/v1alpha1/namespaces/shop/databases",)
    assert "is forbidden" in desk.refused("suspend", "database", "shop", "--reason", "x")


def test_one_that_can_not_be_suspended_keeps_no_other_from_it(desk: Desk) -> None:
    (shop,) = desk.api.listed("databases")
    desk.api.put("databases", {**shop, "metadata": {"name": "till", "namespace": "shop"}})
    desk.api.forbidden = ("/apis/penstock.dev/v1alpha1/namespaces/shop/databases/shop",)
    result = desk.run("suspend", "all", "--reason", "INC-77", "-o", "json")
    assert result.exit_code == 2
    failed, done = json.loads(result.stdout)
    assert (failed["state"], done["state"], done["database"]) == ("failed", "suspended", "till")
    assert "is forbidden" in failed["reason"]


def test_the_switch_works_for_somebody_whom_the_api_server_tells_nothing_of_themselves(desk: Desk) -> None:
    desk.api.forbidden = ("/apis/authentication.k8s.io",)
    assert desk.run("suspend", "database", "shop", "--reason", "INC-77").exit_code == 0
    assert desk.api.listed("databases")[0]["spec"]["suspended"] == {"reason": "INC-77"}
