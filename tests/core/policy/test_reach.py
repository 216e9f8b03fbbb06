"""Whether a database is any business of an identity's, by a table of who the policies are for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.policy.test_combine import ADA, AGENTS, BOT, NOBODY, PEOPLE, SA_WEB, WEB, bundle, policy

from penstock_core.identity import Identity
from penstock_core.policy.combine import effective
from penstock_core.policy.reach import concerns
from penstock_core.resources import Bundle

BOT_FOR_ADA = Identity(BOT.workload, BOT.principal, (ADA.principal,))  # type: ignore[arg-type]  # she is one

# The subjects of policies, an identity, whether the database is any business of it.
TABLE: dict[str, tuple[list[dict[str, Any]], Identity, bool]] = {
    "a person": ([PEOPLE], ADA, True),
    "nobody": ([PEOPLE], NOBODY, False),
    "a pod": ([SA_WEB], WEB, True),
    "no policies": ([], ADA, False),
    "an agent for a person, both with policies": ([AGENTS, PEOPLE], BOT_FOR_ADA, True),
    "an agent for a person, who has none": ([AGENTS], BOT_FOR_ADA, False),
    "an agent without, for a person": ([PEOPLE], BOT_FOR_ADA, False),
}


@pytest.mark.parametrize(("subjects", "identity", "expected"), TABLE.values(), ids=TABLE)
@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_whose_business_it_is(subjects: list[dict[str, Any]], identity: Identity, expected: bool, mode: str) -> None:
    policies = [policy(f"p{number}", one, mode=mode) for number, one in enumerate(subjects)]
    given = bundle(*policies)
    assert concerns(given, identity) is expected
    # Whoever it is not for has no access either.
    decided = effective(given, identity)
    assert expected is (decided.enforced is not None or decided.observed is not None)


def test_who_is_revoked_is_told_so_and_who_is_not_gains_nothing_by_it() -> None:
    stop = policy("stop", {"identity": {"subject": "ada"}}, mode="revoke")
    assert concerns(bundle(stop), ADA)
    assert not concerns(bundle(stop), BOT)
    assert concerns(bundle(policy("p", AGENTS), stop), BOT_FOR_ADA)


def test_a_suspension_tells_strangers_nothing_of_the_database() -> None:
    given = bundle(policy("p", PEOPLE)).model_dump(mode="json", exclude_none=True)
    given["database"]["spec"]["suspended"] = {"reason": "a leak"}
    suspended = Bundle.model_validate(given)
    assert concerns(suspended, ADA)
    assert not concerns(suspended, WEB)
