"""What is said about the resources of a namespace, in all the ways that they can be wrong."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from penstock_core.gate_report import GateReport
from penstock_operator.controllers.gate_conditions import Condition
from penstock_operator.controllers.gate_news import Gate
from penstock_operator.controllers.governed_pods import GateSecrets, GovernedPod
from penstock_operator.controllers.resource_status import Holdings, ResourceStatus, digest_of, resource_statuses

Json = dict[str, Any]


def pod(name: str, account: str = "web", database: str = "shop", version: str = "1") -> GovernedPod:
    databases = tuple(database.split(","))
    secrets = dict.fromkeys(databases, GateSecrets("shop-db", "shop-db-ca"))
    return GovernedPod(name, f"u-{name}", databases, account, version, secrets, settled=True, started=True)


def judged(
    databases: list[Json], policies: list[Json], pods: list[GovernedPod] | None = None
) -> dict[str, tuple[bool, str, str]]:
    """What is said of each where all that is accepted is carried out."""
    digests = {raw["metadata"]["name"]: digest_of(raw, policies) for raw in databases}
    gates = {
        name: {
            one.uid: Gate(one.name, GateReport(number=1, digest=digest, reached=True), True)
            for one in pods or [pod("any")]
        }
        for name, digest in digests.items()
    }
    found = resource_statuses(Holdings(databases, policies, pods or [pod("any", account="any")], gates), "1")
    told = {f"{one.plural}/{one.name}": one.ready for one in found}
    return {name: (one.status == "True", one.reason, one.message) for name, one in told.items()}


def named(resource: Json, name: str) -> Json:
    other = copy.deepcopy(resource)
    other["metadata"]["name"] = name
    return other


def test_all_is_well(shop: Any) -> None:
    pods = [pod("a"), pod("b", account="other"), pod("c", database="other")]
    assert judged([shop.database], [shop.policy], pods) == {
        "databases/shop": (True, "Accepted", "governed by web; 2 pods with a gate for it"),
        "databaseaccesspolicies/web": (True, "Accepted", "governs 1 pod"),
    }


def test_counts_stand_in_the_status(shop: Any) -> None:
    database, policy = resource_statuses(Holdings([shop.database], [shop.policy], [pod("a")]), "1")
    nobody = {"count": 0, "names": []}
    assert dict(database.counts) == {
        "policies": 1,
        "pods": {
            "governed": {"count": 1, "names": ["a"]},
            "stale": nobody,
            "unreachable": {"count": 1, "names": ["a"]},
            "outdated": nobody,
            "around": nobody,
            "quiet": nobody,
        },
    }
    assert policy.counts == (("pods", 1),)


def test_old_sidecars_are_named(shop: Any) -> None:
    found = judged([shop.database], [shop.policy], [pod("new"), pod("old", version="0")])
    assert "another version than 1 (restart their workload): old" in found["databases/shop"][2]


def quiet(shop: Any, *pods: GovernedPod, minutes: int = 60, policies: int = 1, **said: Any) -> ResourceStatus:
    """The Database's status where all those gates say the same of their sessions."""
    found = [shop.policy][:policies]
    report = GateReport(**{"number": 1, "digest": digest_of(shop.database, found), "reached": True, **said})
    gates = {"shop": {one.uid: Gate(one.name, report, True) for one in pods}}
    return resource_statuses(Holdings([shop.database], found, pods, gates, quiet_minutes=minutes), "1")[0]


def test_pods_without_a_session_for_long_are_counted_and_named_and_nothing_is_wrong_with_that(shop: Any) -> None:
    status = quiet(shop, pod("b"), pod("a"), idle_seconds=3601)
    assert (status.ready.status, status.ready.reason) == ("True", "NoSession"), "another reason is an event"
    assert status.ready.message.endswith(
        "no session through the gate for more than 60 minutes in 2 pods "
        "(is there another way to the database?): a, b; since the gate began in a, b"
    )
    assert dict(status.counts)["pods"]["quiet"] == {"count": 2, "names": ["a", "b"]}  # type: ignore[index]  # counts of pods have names
    assert status.quiet == 2
    assert quiet(shop, pod("a"), idle_seconds=3601, had_session=True).ready.message.endswith("?): a")


def test_who_had_a_session_of_late_or_can_have_none_is_not_quiet(shop: Any) -> None:
    one, gateway = pod("a"), replace(pod("gateway"), databases=())
    assert quiet(shop, one, idle_seconds=3601).quiet == 1
    assert quiet(shop, one, idle_seconds=3600).quiet == 0
    assert quiet(shop, one).quiet == 0, "an older gate does not say"
    assert quiet(shop, one, idle_seconds=9**9, minutes=0).quiet == 0, "it is switched off"
    assert quiet(shop, one, idle_seconds=3601, reached=False).quiet == 0, "what it lacks is told already"
    assert quiet(shop, one, idle_seconds=3601, policies=0).quiet == 0
    assert quiet(shop, gateway, idle_seconds=3601).quiet == 0, "its clients are elsewhere"
    shop.database["spec"]["suspended"] = {"reason": "INC-77"}
    assert quiet(shop, one, idle_seconds=3601).quiet == 0


def test_no_policy_no_access(shop: Any) -> None:
    assert judged([shop.database], [])["databases/shop"] == (
        True,
        "NoPolicy",
        "nobody has access: no DatabaseAccessPolicy is for this Database",
    )


def test_a_policy_for_nothing_is_told_what_there_is(shop: Any) -> None:
    shop.policy["spec"]["databaseRef"]["name"] = "shpo"
    ready, reason, message = judged([shop.database], [shop.policy])["databaseaccesspolicies/web"]
    assert (ready, reason) == (False, "DatabaseNotFound")
    assert "there is no Database shpo in the namespace shop; did you mean shop?" in message


def test_a_mask_for_a_tag_that_nothing_bears(shop: Any) -> None:
    shop.policy["spec"]["masks"][0]["tags"] = ["pii.emial"]
    ready, reason, message = judged([shop.database], [shop.policy])["databaseaccesspolicies/web"]
    assert (ready, reason) == (False, "DoesNotFit")
    assert message.startswith("spec.masks[0].tags[0]: no column of Database shop is classified pii.emial")


def test_one_invalid_policy_withholds_all_of_the_database(shop: Any) -> None:
    bad = named(shop.policy, "bad")
    bad["spec"]["mode"] = "sometimes"
    found = judged([shop.database], [shop.policy, bad])
    nobody = "nobody has access until it is valid or gone: DatabaseAccessPolicy bad"
    assert found["databases/shop"] == (False, "PolicyInvalid", nobody)
    assert found["databaseaccesspolicies/web"] == (False, "Withheld", nobody)
    assert found["databaseaccesspolicies/bad"][:2] == (False, "Invalid")
    assert found["databaseaccesspolicies/bad"][2].startswith("spec.mode: sometimes is not known")


def test_an_invalid_database_is_its_policies_trouble_too(shop: Any) -> None:
    shop.database["spec"]["port"] = 0
    found = judged([shop.database], [shop.policy])
    assert found["databases/shop"][:2] == (False, "Invalid")
    assert found["databaseaccesspolicies/web"][:2] == (False, "DatabaseInvalid")


def test_observing_is_said(shop: Any) -> None:
    shop.policy["spec"]["mode"] = "observe"
    assert judged([shop.database], [shop.policy])["databaseaccesspolicies/web"] == (
        True,
        "Observing",
        "NOT ENFORCED, only observed: web. Nothing is masked or refused by it",
    )
    assert judged([shop.database], [shop.policy])["databases/shop"][1] == "Observing", "loudly, on the Database too"


@pytest.mark.parametrize("broken", [{}, {"spec": None}, {"spec": [1]}, {"spec": {"databaseRef": {"name": 7}}}])
def test_nonsense_is_invalid_and_nothing_worse(shop: Any, broken: Json) -> None:
    metadata = {"name": "odd", "namespace": "shop"}
    policy = {"apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy", "metadata": metadata, **broken}
    database = {"apiVersion": "penstock.dev/v1alpha1", "kind": "Database", "metadata": metadata, **broken}
    found = judged([shop.database, database], [policy])
    assert found["databaseaccesspolicies/odd"][:2] == (False, "Invalid")
    assert found["databases/odd"][:2] == (False, "Invalid")
    assert found["databases/shop"][0]


def test_a_condition_keeps_its_time_while_it_stays(shop: Any) -> None:
    new = ResourceStatus("databases", "shop", (Condition("Ready", "True", "Accepted", "fine"),), (("policies", 1),))
    first = new.status({}, 3, "2026-01-01T00:00:00Z")
    assert first == {
        "observedGeneration": 3,
        "policies": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": 3,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "reason": "Accepted",
                "message": "fine",
            }
        ],
    }
    assert new.status(first, 3, "2026-01-02T00:00:00Z") == first
    worse = ResourceStatus("databases", "shop", (Condition("Ready", "False", "Invalid", "no"),))
    later = worse.status(first, 4, "2026-01-03T00:00:00Z")
    assert later["conditions"][0]["lastTransitionTime"] == "2026-01-03T00:00:00Z"


def test_what_is_in_effect_is_numbered(shop: Any) -> None:
    def status(before: Json) -> Json:
        (found, _) = resource_statuses(Holdings([shop.database], [shop.policy], []), "1")
        return found.status(before, 1, "2026-01-01T00:00:00Z")

    first = status({})
    assert first["policyGeneration"] == 1
    assert status(first) == first
    shop.policy["spec"]["allow"] = []
    second = status(first)
    assert second["policyGeneration"] == 2
    assert second["policyDigest"] != first["policyDigest"]
    shop.database["spec"]["port"] = 0
    broken = status(second)
    assert broken["policyGeneration"] == 2, "nothing is in effect that could have a number"
    assert status(broken) == broken


def test_a_suspended_database_says_why_and_so_does_a_policy_that_revokes(shop: Any) -> None:
    shop.database["spec"]["suspended"] = {"reason": "INC-77", "by": "ada"}
    shop.policy["spec"] |= {"mode": "revoke", "revoked": {"reason": "left"}}
    assert judged([shop.database], [shop.policy]) == {
        "databases/shop": (False, "Suspended", "nobody has access until it is resumed: INC-77 (by ada)"),
        "databaseaccesspolicies/web": (
            True, "Revoking", "ends all sessions of its subjects and lets none begin: left",
        ),
    }  # fmt: skip


def test_a_pod_with_several_databases_counts_for_each(shop: Any) -> None:
    billing, other = named(shop.database, "billing"), named(shop.policy, "other")
    other["spec"]["databaseRef"]["name"] = "billing"
    told = judged([shop.database, billing], [shop.policy, other], [pod("a", database="shop,billing"), pod("b")])
    assert told["databases/shop"][2] == "governed by web; 2 pods with a gate for it"
    assert told["databases/billing"][2] == "governed by other; 1 pod with a gate for it"
    assert told["databaseaccesspolicies/other"][2] == "governs 1 pod"


def test_a_gate_that_has_one_of_its_databases_not_reached_is_that_ones_trouble(shop: Any) -> None:
    billing, other = named(shop.database, "billing"), named(shop.policy, "other")
    other["spec"]["databaseRef"]["name"] = "billing"
    databases, policies, both = [shop.database, billing], [shop.policy, other], pod("a", database="shop,billing")
    gates = {}
    for raw in databases:
        reached = raw is not billing
        report = GateReport(
            number=1, digest=digest_of(raw, policies), reached=reached, trouble="" if reached else "gone"
        )
        gates[raw["metadata"]["name"]] = {both.uid: Gate(both.name, report, True)}
    found = {one.name: one.ready for one in resource_statuses(Holdings(databases, policies, [both], gates), "1")}
    assert found["shop"].status == "True"
    assert (found["billing"].status, found["billing"].message) == ("False", "gone (a)")
