"""Users of the Kubernetes API as approvers. The API server is asked the same in e2e/approvals."""

from __future__ import annotations

import pytest
from tests.core.approvals.users import CASES, FOLDED, PREFIXES, SPEC, Case

from penstock_core.approvals.four_eyes import has_part, objection
from penstock_core.approvals.kubernetes_user import KubernetesUser, approver
from penstock_core.resources.access_request import AccessRequestSpec

REQUEST = AccessRequestSpec.model_validate(SPEC)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_who_may_decide(case: Case) -> None:
    told = objection(REQUEST, approver(case.user, PREFIXES))
    assert (told == "") if not case.told else (case.told in told)


@pytest.mark.parametrize("case", FOLDED, ids=lambda case: case.id)
def test_letters_that_fold_to_others_are_the_same_name(case: Case) -> None:
    person = {"kind": "person", "subject": "Straße", "issuer": "https://id.example"}
    spec = AccessRequestSpec.model_validate(SPEC | {"requester": {"principal": person}})
    assert case.told_at_use in objection(spec, approver(case.user, PREFIXES))


def test_of_several_prefixes_each_is_taken_away() -> None:
    for name in ("a:ada@shop.example", "b:ada@shop.example"):
        assert has_part(REQUEST, approver(KubernetesUser(name), ("a:", "b:")))
    assert not has_part(REQUEST, approver(KubernetesUser("c:ada@shop.example"), ("a:", "b:")))


def test_a_user_without_a_uid_is_nobody_by_it() -> None:
    assert approver(KubernetesUser("bea"), PREFIXES).also == frozenset()
