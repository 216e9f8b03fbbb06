"""The kill switch, by a table of whom a policy revokes and who has no access then; and that nothing else opens it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.policy.test_combine import (
    ADA,
    AGENTS,
    ALLOW_ALL,
    BOT,
    NOBODY,
    PEOPLE,
    SA_WEB,
    WEB,
    bundle,
    policy,
    sets,
)

from penstock_core.identity import Identity, Principal
from penstock_core.policy.combine import effective
from penstock_core.policy.revocation import by_policy, revocation, revoked, suspension
from penstock_core.resources import Bundle, DatabaseAccessPolicy, ResourceError

HELPER = Principal("agent", "helper", "https://id.example.com")
BOT_FOR_ADA = Identity(BOT.workload, BOT.principal, (HELPER, ADA.principal))  # type: ignore[arg-type]  # she is one
EVERYBODY = (SA_WEB, AGENTS, PEOPLE)

# The subject that is revoked, an identity, whether it is.
TABLE: dict[str, tuple[dict[str, Any], Identity, bool]] = {
    "a person": ({"identity": {"subject": "ada", "issuer": "https://id.example.com"}}, ADA, True),
    "another person": ({"identity": {"subject": "bob"}}, ADA, False),
    "of another issuer": ({"identity": {"subject": "ada", "issuer": "https://other.example"}}, ADA, False),
    "a group": ({"identity": {"groups": ["staff"]}}, ADA, True),
    "a pod": ({"pod": {"name": "web-1"}}, WEB, True),
    "another pod of the service account": ({"pod": {"name": "web-2"}}, WEB, False),
    "a service account": ({"serviceAccount": {"name": "web"}}, WEB, True),
    "somebody within a service account's pod": ({"serviceAccount": {"name": "bots"}}, BOT, True),
    "an agent": ({"identity": {"subject": "bot"}}, BOT_FOR_ADA, True),
    "the pod of an agent": ({"serviceAccount": {"name": "bots"}}, BOT_FOR_ADA, True),
    "whom an agent acts for": ({"identity": {"subject": "ada"}}, BOT_FOR_ADA, True),
    "the group of whom an agent acts for": ({"identity": {"groups": ["dpo"]}}, BOT_FOR_ADA, True),
    "who passed the work on": ({"identity": {"subject": "helper"}}, BOT_FOR_ADA, True),
    "the agent's work for nobody": ({"identity": {"subject": "ada"}}, BOT, False),
    "nobody": (AGENTS, NOBODY, False),
}


@pytest.mark.parametrize(("subject", "who", "revoked"), TABLE.values(), ids=TABLE)
def test_who_is_revoked(subject: dict[str, Any], who: Identity, revoked: bool) -> None:
    given_ = bundle(policy("all", *EVERYBODY, allow=ALLOW_ALL), policy("stop", subject, mode="revoke"))
    assert revocation(given_, who) == (by_policy("stop") if revoked else None)
    if revoked:
        assert (effective(given_, who).enforced, effective(given_, who).observed) == (None, None)


def test_the_first_by_name_is_told() -> None:
    both = bundle(policy("b", PEOPLE, mode="revoke"), policy("a", PEOPLE, mode="revoke"))
    assert revocation(both, ADA) == by_policy("a")


@given(sets(), st.sampled_from([WEB, BOT, ADA, BOT_FOR_ADA]))
def test_no_policy_gives_a_revoked_identity_anything(policies: list[DatabaseAccessPolicy], who: Identity) -> None:
    stop = policy("stop", SA_WEB, AGENTS, PEOPLE, mode="revoke")
    found = effective(bundle(*policies, stop), who)
    assert (found.enforced, found.observed) == (None, None)


@given(sets(), st.sampled_from([WEB, BOT, ADA, BOT_FOR_ADA]))
def test_a_revocation_of_others_changes_nothing(policies: list[DatabaseAccessPolicy], who: Identity) -> None:
    stop = policy("stop", {"identity": {"subject": "somebody else"}}, mode="revoke", allow=ALLOW_ALL)
    assert effective(bundle(*policies, stop), who) == effective(bundle(*policies), who)


def test_it_survives_the_stream() -> None:
    sent = bundle(policy("stop", {"pod": {"name": "web-1"}}, mode="revoke")).to_json()
    assert revocation(Bundle.from_json(sent), WEB) == by_policy("stop")


def test_a_mode_that_is_not_known_is_refused() -> None:
    sent = bundle(policy("stop", mode="revoke")).to_json().replace('"revoke"', '"revoked"')
    with pytest.raises(ResourceError):
        Bundle.from_json(sent)


def suspended(*policies: DatabaseAccessPolicy, **said: str) -> Bundle:
    given_ = bundle(*policies).model_dump(mode="json", exclude_none=True)
    given_["database"]["spec"]["suspended"] = said
    return Bundle.model_validate(given_)


@given(sets(), st.sampled_from([WEB, BOT, ADA, BOT_FOR_ADA, NOBODY]))
def test_nobody_has_access_to_a_database_that_is_suspended(policies: list[DatabaseAccessPolicy], who: Identity) -> None:
    found = effective(suspended(*policies, reason="a leak"), who)
    assert (found.enforced, found.observed) == (None, None)


def test_a_suspension_is_told_with_who_and_since_when() -> None:
    stopped = suspended(policy("web"), reason="INC-77", by="ada@shop.example", since="2030-01-31T12:00:00Z")
    found = revocation(Bundle.from_json(stopped.to_json()), WEB)
    assert found is not None
    assert found.message == "the database shop is suspended: INC-77 (by ada@shop.example, since 2030-01-31T12:00:00Z)"
    assert found.remedy == "it takes sessions again once it is resumed; ask ada@shop.example"
    assert found.recorded == {
        "reason": "the database is suspended: INC-77 (by ada@shop.example, since 2030-01-31T12:00:00Z)",
        "sqlstate": "57P01",
    }


def test_a_suspension_that_says_little_is_told_all_the_same() -> None:
    found = suspension(suspended(policy("web"), reason="a leak"), WEB)
    assert found is not None
    assert (found.message, found.remedy) == (
        "the database shop is suspended: a leak",
        "it takes sessions again once it is resumed; ask who administers it",
    )


def test_the_reason_of_a_policy_is_told() -> None:
    stop = policy("stop", PEOPLE, mode="revoke", revoked={"reason": "left the company", "by": "bea"})
    found = revoked(bundle(stop), ADA)
    assert found is not None
    assert found.message == "access is revoked (policy stop): left the company (by bea)"
    assert found.recorded == {"reason": "the identity is revoked: left the company (by bea)", "policy": "stop"}
    assert revoked(bundle(stop), WEB) is None


def test_only_a_policy_that_revokes_has_a_reason_for_it() -> None:
    with pytest.raises(ValueError, match="only such a policy has it"):
        policy("web", revoked={"reason": "left the company"})


@pytest.mark.parametrize("reason", ["", "two\nlines", "x" * 257])
def test_a_reason_is_one_line(reason: str) -> None:
    with pytest.raises(ValueError, match="reason"):
        suspended(reason=reason)


@pytest.mark.parametrize("who", [ADA, NOBODY, BOT_FOR_ADA])
def test_strangers_are_told_no_reason_of_a_suspension(who: Identity) -> None:
    stopped = suspended(policy("web"), policy("gone", PEOPLE, mode="revoke"), reason="a leak", by="bea")
    found = revocation(stopped, who)
    assert found is not None
    assert found.message == "the database shop is suspended"
    assert "bea" not in found.remedy + found.reason
