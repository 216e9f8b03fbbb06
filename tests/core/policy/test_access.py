"""A policy that is asked for is in effect for who was given it, as it was asked for, until its end; for nobody else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from penstock_core.conditions import Circumstances
from penstock_core.identity import Identity, Principal, Workload
from penstock_core.policy.access import MOST_SKEW, askable, granted
from penstock_core.policy.combine import effective
from penstock_core.resources import Bundle, Database, DatabaseAccessPolicy
from penstock_core.resources.grant import Grant, policy_digest
from penstock_core.resources.suspension import Suspension

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
ISSUER = "https://id.example"
ADA = Principal("person", "ada", ISSUER, ("support", "on-call"))
BOT = Principal("agent", "bot", ISSUER, ("support",))
WEB = Workload("shop", "web", "web-1", "u-1")
PERSON, AGENT, POD = Identity(None, ADA), Identity(WEB, BOT, (ADA,)), Identity(WEB)
DATABASE = Database.model_validate(
    {
        "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"host": "db", "dbname": "shop", "credentialsSecretRef": {"name": "db"}},
    }
)


def policy(name: str, **spec: Any) -> DatabaseAccessPolicy:
    return DatabaseAccessPolicy.model_validate(
        {
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {
                "databaseRef": {"name": "shop"},
                "subjects": [{"identity": {"groups": ["support"]}}, {"serviceAccount": {"name": "web"}}],
                **spec,
            },
        }
    )


STANDING = policy(
    "standing",
    masks=[
        {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": "'incident' in session.access"},
        {"columns": ["*.*.iban"], "with": {"redact": {}}},
    ],
)
INCIDENT = policy(
    "incident",
    allow=["select", "delete"],
    audit={"sqlText": "hash"},
    onRequest={"approvers": {"groups": ["dba", "owners"]}, "maxDuration": "4h"},
    breakGlass={"groups": ["on-call"], "reviewers": {"groups": ["security"]}, "maxDuration": "30m"},
)


def requester(who: Identity) -> dict[str, Any]:
    def named(one: Principal) -> dict[str, Any]:
        return {"kind": one.kind, "subject": one.subject, "issuer": one.issuer, "groups": one.groups}

    said: dict[str, Any] = {"actsFor": [named(one) for one in who.acts_for]}
    if who.principal is not None:
        said["principal"] = named(who.principal)
    if who.workload is not None:
        said["workload"] = {"namespace": who.workload.namespace, "serviceAccount": who.workload.service_account}
    return said


def given(who: Identity = PERSON, **changes: Any) -> Grant:
    return Grant.model_validate(
        {
            "request": "r-1", "policy": "incident", "policyDigest": policy_digest(INCIDENT),
            "requester": requester(who), "approvers": ["dba"], "duration": "1h",
            "until": "2030-01-31T13:00:00Z", "decidedBy": "bea", **changes,
        }
    )  # fmt: skip


BROKEN = {"breakGlass": True, "decidedBy": "", "approvers": ["security"], "duration": "30m",
          "until": "2030-01-31T12:30:00Z"}  # fmt: skip


def bundle(*grants: Grant, policies: tuple[DatabaseAccessPolicy, ...] = (INCIDENT, STANDING)) -> Bundle:
    key = base64.b64encode(bytes(32)).decode()
    return Bundle.model_validate(
        {"generation": 1, "database": DATABASE, "policies": policies, "maskKey": key, "grants": grants}
    )


def verbs(found: Bundle, who: Identity, now: datetime | None = NOW) -> set[str]:
    enforced = effective(found, who, Circumstances(now)).enforced
    return set() if enforced is None else set(enforced.allow)


def test_without_a_grant_the_policy_is_not_there() -> None:
    assert verbs(bundle(), PERSON) == {"select"}
    assert effective(bundle(policies=(INCIDENT,)), PERSON, Circumstances(NOW)).enforced is None


def test_with_a_grant_it_is_in_effect_until_its_end() -> None:
    found = bundle(given())
    assert verbs(found, PERSON) == {"select", "delete"}
    policy = effective(found, PERSON, Circumstances(NOW))
    assert [one.request for one in policy.access] == ["r-1"]
    last = NOW + timedelta(hours=1, microseconds=-1)
    assert verbs(found, PERSON, last) == {"select", "delete"}
    assert verbs(found, PERSON, NOW + timedelta(hours=1)) == {"select"}
    assert verbs(found, PERSON, None) == {"select"}, "where no time is known, nothing lasts"


def test_what_is_combined_with_it_keeps_to_the_rules_of_combining() -> None:
    enforced = effective(bundle(given()), PERSON, Circumstances(NOW)).enforced
    assert enforced is not None
    assert [rule.columns for rule in enforced.masks] == [("*.*.iban",)], "a mask is lifted where it says so itself"
    assert enforced.sql_text == "hash"


NOT_THEIRS = {
    "another person": Identity(None, Principal("person", "dan", ISSUER, ADA.groups)),
    "the same name of another issuer": Identity(None, Principal("person", "ada", "https://other.example", ADA.groups)),
    "an agent of the same name": Identity(None, Principal("agent", "ada", ISSUER, ADA.groups)),
    "an agent that acts for them": AGENT,
    "the pod": POD,
}


@pytest.mark.parametrize("who", NOT_THEIRS.values(), ids=NOT_THEIRS)
def test_a_grant_is_no_other_s(who: Identity) -> None:
    assert granted(bundle(given()), who, NOW) == ()
    assert "delete" not in verbs(bundle(given()), who)


def test_a_person_has_it_wherever_they_come_from() -> None:
    assert granted(bundle(given()), Identity(WEB, ADA), NOW)
    assert granted(bundle(given(Identity(WEB, ADA))), PERSON, NOW)


def test_an_agent_has_it_for_whom_it_acts_alone() -> None:
    mine = bundle(given(AGENT))
    assert verbs(mine, AGENT) == {"select", "delete"}
    others = (PERSON, Identity(WEB, BOT), Identity(WEB, BOT, (Principal("person", "dan", ISSUER, ADA.groups),)))
    assert not any(granted(mine, who, NOW) for who in others)


def test_a_pod_has_it_with_its_replicas() -> None:
    mine = bundle(given(POD))
    assert granted(mine, Identity(Workload("shop", "web", "web-2", "u-2")), NOW)
    assert granted(mine, Identity(Workload("shop", "other")), NOW) == ()
    assert granted(mine, Identity(Workload("billing", "web")), NOW) == ()
    assert granted(mine, Identity(), NOW) == ()


def test_what_a_pod_was_given_is_not_there_while_it_acts_for_a_person() -> None:
    for_ada = Identity(WEB, None, (ADA,), by_context=True)
    assert verbs(bundle(given(POD)), for_ada) == {"select"}
    assert verbs(bundle(given(PERSON)), for_ada) == {"select"}
    assert verbs(bundle(given(for_ada)), for_ada) == {"select", "delete"}
    for other in (POD, PERSON, Identity(WEB, None, (Principal("person", "ben", ISSUER, ADA.groups),), by_context=True)):
        assert verbs(bundle(given(for_ada)), other) == {"select"}


def test_who_is_no_subject_any_more_has_it_no_more() -> None:
    left = Identity(None, Principal("person", "ada", ISSUER, ("staff",)))
    assert granted(bundle(given()), left, NOW) == ()


WORTHLESS: dict[str, dict[str, Any]] = {
    "of a policy that is not there": {"policy": "gone"},
    "of a policy that is in effect for all": {"policy": "standing", "policyDigest": policy_digest(STANDING)},
    "of a policy that said something else": {"policyDigest": "0" * 64},
    "approved by others than the policy names": {"approvers": ["dba", "staff"]},
    "approved by nobody": {"decidedBy": ""},
    "longer than the policy lets": {"duration": "4h1s"},
    "until too late": {"until": "2030-01-31T16:05:01Z"},
    "an emergency that others review": BROKEN | {"approvers": ["dba"]},
    "an emergency that is too long": BROKEN | {"duration": "31m"},
    "an emergency until too late": BROKEN | {"until": "2030-01-31T12:35:01Z"},
}


@pytest.mark.parametrize("changes", WORTHLESS.values(), ids=WORTHLESS)
def test_whoever_holds_requests_can_give_no_more_than_the_policy_offers(changes: dict[str, Any]) -> None:
    assert granted(bundle(given(**changes)), PERSON, NOW) == ()


def test_a_clock_that_is_a_little_behind_is_borne_with() -> None:
    longest = given(duration="4h", until="2030-01-31T16:00:00Z")
    assert granted(bundle(longest), PERSON, NOW - MOST_SKEW)
    assert not granted(bundle(longest), PERSON, NOW - MOST_SKEW - timedelta(seconds=1))


def test_a_policy_that_changes_ends_what_was_given() -> None:
    said = INCIDENT.spec.model_dump(mode="json", include={"on_request", "break_glass"})
    changed = policy("incident", **said, allow=["select", "update"])
    assert verbs(bundle(given(), policies=(changed, STANDING)), PERSON) == {"select"}
    renamed = policy("incident-2", **said, allow=["select", "delete"])
    assert verbs(bundle(given(policy="incident-2"), policies=(renamed, STANDING)), PERSON) == {"select"}


def test_who_is_revoked_has_nothing() -> None:
    revoked = policy("off", mode="revoke")
    assert verbs(bundle(given(), policies=(INCIDENT, STANDING, revoked)), PERSON) == set()


def test_in_an_emergency_all_is_recorded_in_full() -> None:
    found = effective(bundle(given(**BROKEN)), PERSON, Circumstances(NOW))
    assert (found.sql_text, found.full_record) == ("full", True)
    assert "delete" in verbs(bundle(given(**BROKEN)), PERSON)


@pytest.mark.parametrize(
    "who",
    [AGENT, POD, Identity(None, BOT), Identity(None, Principal("person", "ada", ISSUER, ("support",)))],
    ids=["an agent for a person", "a pod", "an agent", "a person outside of its groups"],
)
def test_nobody_but_a_person_of_its_groups_breaks_the_glass(who: Identity) -> None:
    assert granted(bundle(given(who, **BROKEN)), who, NOW) == ()


def test_what_can_be_asked_for_is_what_was_not_given() -> None:
    glass = policy("glass", breakGlass={"groups": ["on-call"], "reviewers": {"groups": ["security"]}})
    all_ = (INCIDENT, STANDING, glass)
    assert [one.name for one in askable(bundle(policies=all_), PERSON, NOW)] == ["glass", "incident"]
    assert [one.name for one in askable(bundle(given(), policies=all_), PERSON, NOW)] == ["glass"]
    assert [one.name for one in askable(bundle(policies=all_), AGENT, NOW)] == ["incident"]
    assert not list(askable(bundle(policies=all_), Identity(None, Principal("person", "x", ISSUER)), NOW))


def test_grants_are_in_the_line_that_gates_read_where_there_are_any() -> None:
    assert Bundle.from_json(bundle(given()).to_json()) == bundle(given())
    assert '"grants"' not in bundle().to_json()


@pytest.mark.parametrize("grant", [given(), given(**BROKEN)], ids=["approved", "in an emergency"])
def test_no_access_for_a_time_lifts_a_suspension(grant: Grant) -> None:
    given_ = bundle(grant)
    assert effective(given_, PERSON, Circumstances(NOW)).access == (grant,)
    spec = DATABASE.spec.model_copy(update={"suspended": Suspension(reason="a leak")})
    stopped = given_.model_copy(update={"database": DATABASE.model_copy(update={"spec": spec})})
    found = effective(stopped, PERSON, Circumstances(NOW))
    assert (found.enforced, found.observed, found.access) == (None, None, ())
