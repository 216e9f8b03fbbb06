"""What is said of a Database and its policies by what gates report, and by what they don't."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_core.gate_report import GateReport, Named, PolicyFindings
from penstock_core.resources import Database
from penstock_operator.controllers.gate_conditions import (
    Condition,
    Seen,
    classified,
    connected,
    enforced,
    masks_find_their_columns,
    summary,
)
from penstock_operator.controllers.gate_news import Gate
from penstock_operator.controllers.governed_pods import GateSecrets, GovernedPod
from penstock_operator.objects import read_database

NOW, BEFORE = "a" * 64, "b" * 64


@pytest.fixture
def database(shop: Any) -> Database:
    return read_database(shop.database)


def pod(name: str, *, secret: str = "shop-db", trouble: str = "", settled: bool = True) -> GovernedPod:
    return GovernedPod(
        name, name, ("shop",), "web", "1", {"shop": GateSecrets(secret, "shop-db-ca")}, settled, not trouble, trouble
    )


def gate(name: str, *, reachable: bool = True, **said: Any) -> Gate:
    return Gate(name, GateReport(**{"number": 1, "digest": NOW, "reached": True, **said}), reachable)


def seen(database: Database, *gates: Gate, **more: Any) -> Seen:
    pods = more.pop("pods", [pod(one.pod) for one in gates])
    return Seen(database, NOW, pods, {one.pod: one for one in gates}, **more)


def told(condition: Condition) -> tuple[str, str, str]:
    return condition.status, condition.reason, condition.message


def test_nothing_is_known_before_anybody_looked(database: Database) -> None:
    alone, waiting = seen(database), seen(database, pods=[pod("web-1", settled=False)])
    for judge in (connected, classified):
        assert told(judge(alone))[:2] == ("Unknown", "NoGate")
        assert told(judge(waiting)) == (
            "Unknown",
            "NobodyLooked",
            "no gate has looked yet; 1 pod with one: web-1",
        )
    assert told(enforced(waiting, ["web"], []))[:2] == ("Unknown", "NobodyLooked")


def test_all_is_well(database: Database) -> None:
    found = seen(database, gate("web-1"), gate("web-2"))
    assert told(connected(found)) == ("True", "Reached", "2 gates reached shop-db.shop.svc:5432")
    assert told(classified(found)) == ("True", "Classified", "1 entry, each with its columns")
    assert told(enforced(found, ["web"], [])) == ("True", "Enforced", "by 2 gates")


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("CredentialsRefused", "look at the Secret shop-db ("),
        ("NoSuchDatabase", "spec.dbname is shop ("),
        ("Unreachable", "look at spec.host, spec.port, spec.tls and the Secret shop-db-ca ("),
    ],
)
def test_why_a_database_is_not_reached_is_said_with_what_to_do(database: Database, reason: str, remedy: str) -> None:
    found = seen(database, gate("web-1"), gate("web-2", reached=False, reason=reason, trouble="it said no"))
    status, said, message = told(connected(found))
    assert (status, said) == ("False", reason)
    assert message == f"it said no; {remedy}web-2); 1 of 2 pods"


def test_a_pod_that_cannot_start_is_a_database_that_is_not_reached(database: Database) -> None:
    found = seen(database, pods=[pod("web-1", trouble='secret "shop-db" not found')])
    assert told(connected(found)) == ("False", "PodCannotStart", 'secret "shop-db" not found (web-1)')


def test_columns_that_are_not_there_and_those_that_look_sensitive(database: Database) -> None:
    missing = Named.of(["no column of the database is public.customers.emial, which is classified pii.email"])
    assert told(classified(seen(database, gate("web-1", unclassified=missing))))[:2] == ("False", "NoSuchColumn")
    many = Named.of(f"public.customers.phone{number:02}" for number in range(12))
    status, reason, message = told(classified(seen(database, gate("web-1", sensitive=many))))
    assert (status, reason) == ("True", "LooksSensitive")
    assert message.endswith("public.customers.phone06, public.customers.phone07 and 4 more")


def test_a_mask_without_a_column_is_its_policys_trouble_and_the_databases(database: Database) -> None:
    misfits = (PolicyFindings(policy="web", missing=Named.of(["no column of the database is public.c.emial"])),)
    found = seen(database, gate("web-1", misfits=misfits))
    assert told(masks_find_their_columns("web", found))[:2] == ("False", "NoSuchColumn")
    assert told(masks_find_their_columns("other", found))[0] == "True"
    assert told(enforced(found, ["web"], []))[:2] == ("False", "NoSuchColumn")
    assert told(enforced(found, ["other"], []))[0] == "True"


def test_a_mask_that_does_not_fit_is_named(database: Database) -> None:
    misfits = (PolicyFindings(policy="web", unfit=Named.of(["public.c.born is date, which email does not fit"])),)
    found = enforced(seen(database, gate("web-1", misfits=misfits)), ["web"], [])
    assert told(found) == ("False", "MaskDoesNotFit", "public.c.born is date, which email does not fit")


def test_pods_by_former_policies_or_without_contact_are_named(database: Database) -> None:
    found = seen(database, gate("new"), gate("old", digest=BEFORE), gate("cut", reachable=False))
    assert told(enforced(found, ["web"], [])) == (
        "False",
        "Unreachable",
        "1 pod without contact to control, so without any change of policies: cut; "
        "1 pod still by other policies than are in effect: old",
    )
    assert (found.stale, found.unreachable) == (["old"], ["cut"])


def test_a_gate_that_no_replica_has_heard_of_is_unreachable_once_it_had_its_time(database: Database) -> None:
    assert seen(database, pods=[pod("web-1")]).unreachable == ["web-1"]
    assert seen(database, pods=[pod("web-1", settled=False)]).unreachable == []


def test_a_change_gives_gates_their_time(database: Database) -> None:
    changing = seen(database, gate("web-1", digest=BEFORE), settled=False)
    assert changing.stale == []
    assert told(connected(changing))[0] == "True"
    assert told(enforced(changing, ["web"], []))[0] == "Unknown", "nobody carries out what is in effect yet"


def test_pods_with_a_former_secret_are_counted_and_told_to_restart(database: Database) -> None:
    pods = [pod(f"web-{number}", secret="former") for number in range(4)]
    found = seen(database, *(gate(one.name) for one in pods), pods=pods)
    assert told(enforced(found, ["web"], [])) == (
        "False",
        "FormerSecret",
        "4 pods still with the Secret former; restart them: web-0, web-1, web-2, web-3",
    )


def test_observing_is_not_enforcing_and_that_is_what_was_wanted(database: Database) -> None:
    found = enforced(seen(database, gate("web-1")), ["web"], ["web"])
    assert told(found)[:2] == ("False", "Observing")
    assert found.message.startswith("NOT ENFORCED")
    fine = Condition("Accepted", "True", "Accepted", "fine")
    assert told(summary([fine, found], fine)) == ("True", "Observing", found.message)


def test_where_control_is_silent_nobody_is_accused(database: Database) -> None:
    found = seen(database, pods=[pod("web-1")], silent=True)
    assert told(connected(found))[:2] == ("Unknown", "ControlSilent")
    assert told(enforced(found, ["web"], []))[:2] == ("Unknown", "ControlSilent")


def test_what_is_wrong_comes_before_what_nobody_knows() -> None:
    fine, wrong = Condition("Accepted", "True", "Accepted", "fine"), Condition("Enforced", "False", "Stale", "old")
    unknown = Condition("Connected", "Unknown", "NoGate", "nobody")
    assert told(summary([fine, unknown, wrong], fine)) == ("False", "Stale", "old")
    assert told(summary([fine, unknown], fine)) == ("Unknown", "NoGate", "nobody")
    assert told(summary([fine], fine)) == ("True", "Accepted", "fine")


def test_sessions_that_go_around_a_gate_are_told_by_pod_and_login(database: Database) -> None:
    found = seen(database, gate("good"), gate("bad", around=Named(count=2, first=("app (psql)",))))
    assert told(enforced(found, ["web"], [])) == (
        "False",
        "SessionsAround",
        "1 pod with sessions that go around the gate: bad (app (psql) and 1 more)",
    )
