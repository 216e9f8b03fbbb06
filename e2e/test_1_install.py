"""`helm install`, and what it leaves: ready programs, trusted webhooks, resources that explain themselves."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography import x509

from e2e.collector import SYSTEM
from e2e.kubectl import CommandError, Kubectl
from e2e.shop import manifests


def test_every_program_is_ready(release: Kubectl) -> None:
    pods = release.get("-n", SYSTEM, "pods")["items"]
    ready = [
        all(container["ready"] for container in pod["status"]["containerStatuses"])
        for pod in pods
        if pod["status"]["phase"] == "Running"
    ]
    assert len(ready) >= 4, "two of control, the operator, the collector"
    assert all(ready)


def test_the_release_passes_its_own_test(release: Kubectl) -> None:
    assert "Phase:          Succeeded" in release.helm("test", "penstock", "--namespace", SYSTEM)


def test_the_webhooks_trust_the_certificate_that_the_operator_made(release: Kubectl) -> None:
    configurations = release.get("mutatingwebhookconfigurations", "-l", "app.kubernetes.io/name=penstock")["items"]
    bundles = [hook["clientConfig"]["caBundle"] for item in configurations for hook in item["webhooks"]]
    assert bundles
    for bundle in bundles:
        authorities = x509.load_pem_x509_certificates(base64.b64decode(bundle))
        assert all(authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
                   for authority in authorities)  # fmt: skip


def test_kubectl_explain_is_documentation(release: Kubectl) -> None:
    explained = release("explain", "databaseaccesspolicy.spec.guardrails")
    for field in ("requireWhere", "denyFunctions"):
        assert field in explained


def test_an_approval_without_approvers_is_refused_by_name(shop: Kubectl) -> None:
    with pytest.raises(CommandError, match="approvers"):
        shop.apply(manifests.policy("later", approvals=[{"name": "a", "when": "true"}]))


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("'dba' in user.groups", r"spec\.approvals\[0\]\.when: column 14: user\.groups is not known"),
        ("identity.name = 'ada'", r"spec\.approvals\[0\]\.when: column 15: can't be read as CEL"),
        ("identity.groups.exists(a, identity.groups.exists(b, a == b))", "exists, all and their like can't be nested"),
        ("identity.groups[3] == 'dba'", r"(?i)warning: penstock: .*can't be evaluated where lists are empty"),
    ],
)
def test_a_condition_that_is_none_is_refused_and_one_that_fails_is_warned_of(
    shop: Kubectl, when: str, words: str
) -> None:
    approvals = [{"name": "a", "when": when, "approvers": {"groups": ["dba"]}}]
    document = json.dumps(manifests.policy("later", approvals=approvals))
    with pytest.raises(CommandError, match=words):
        shop("apply", "--dry-run=server", "--warnings-as-errors", "-f", "-", stdin=document)


@pytest.mark.parametrize("options", [[], ["--validate=false"], ["--server-side", "--validate=false"]])
def test_a_typo_is_refused_by_name(shop: Kubectl, options: list[str]) -> None:
    document = json.dumps(manifests.policy("typo", guardrails={"requireWher": ["update"]}))
    with pytest.raises(CommandError, match=r"requireWher: unknown field; did you mean requireWhere\?"):
        shop("apply", *options, "-f", "-", stdin=document)


def test_a_policy_for_a_database_that_is_not_there_says_so(shop: Kubectl) -> None:
    shop.apply(manifests.policy("lost", databaseRef={"name": "shpo"}))
    shop.wait("-n", manifests.NAMESPACE, "--for=condition=Ready=False", "databaseaccesspolicy/lost", seconds=30)
    status = shop.get("-n", manifests.NAMESPACE, "databaseaccesspolicy", "lost")["status"]
    message = next(condition["message"] for condition in status["conditions"] if condition["type"] == "Ready")
    assert "shpo" in message
    shop("-n", manifests.NAMESPACE, "delete", "databaseaccesspolicy", "lost")
