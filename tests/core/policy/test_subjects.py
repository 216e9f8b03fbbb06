"""Whom a policy is for, by a table of subjects and identities."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.policy.test_combine import ADA, AGENTS, BOT, NOBODY, SA_WEB, WEB, bundle, policy

from penstock_core.identity import Identity, Principal, Workload
from penstock_core.policy.combine import effective
from penstock_core.policy.subjects import is_for

SUBJECTS = [
    (SA_WEB, WEB, True),
    (SA_WEB, Identity(workload=Workload("billing", "web")), False),
    (SA_WEB, Identity(workload=Workload("shop", "webby")), False),
    (SA_WEB, Identity(principal=Principal("service", "web", "https://id.example.com")), False),
    (SA_WEB, NOBODY, False),
    ({"pod": {"name": "web-1"}}, WEB, True),
    ({"pod": {"name": "web-2"}}, WEB, False),
    ({"pod": {"name": "web-1"}}, Identity(workload=Workload("billing", "web", "web-1")), False),
    ({"pod": {"name": "ada"}}, ADA, False),
    ({"serviceAccount": {"name": "bots"}}, BOT, True),
    (AGENTS, BOT, True),
    (AGENTS, ADA, False),
    (AGENTS, WEB, False),
    (AGENTS, NOBODY, False),
    ({"identity": {"groups": ["dpo"]}}, ADA, True),
    ({"identity": {"groups": ["auditors", "staff"]}}, ADA, True),
    ({"identity": {"groups": ["auditors"]}}, ADA, False),
    ({"identity": {"kind": "agent", "groups": ["support"]}}, BOT, True),
    ({"identity": {"kind": "person", "groups": ["support"]}}, BOT, False),
    ({"identity": {"subject": "ada"}}, ADA, True),
    ({"identity": {"subject": "Ada"}}, ADA, False),
    ({"identity": {"subject": "ada", "issuer": "https://id.example.com"}}, ADA, True),
    ({"identity": {"subject": "ada", "issuer": "https://evil.example.com"}}, ADA, False),
    ({"identity": {"issuer": "https://id.example.com"}}, BOT, True),
]


@pytest.mark.parametrize(("subject", "identity", "meant"), SUBJECTS)
def test_whom_a_policy_is_for(subject: dict[str, Any], identity: Identity, meant: bool) -> None:
    assert is_for(policy("p", subject), identity) is meant
    found = effective(bundle(policy("p", subject)), identity)
    assert (found.enforced is not None) is meant


def test_any_one_subject_is_enough() -> None:
    both = policy("p", {"serviceAccount": {"name": "other"}}, AGENTS)
    assert is_for(both, BOT)
    assert not is_for(both, WEB)
