"""What the API server and control make of our own resources, and of workloads, by whatever client they come."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import yaml

from e2e.admission.conftest import Guarded, applied
from e2e.admission.test_attackers import ASKS, DATABASE, POLICIES, POLICY
from e2e.approvals.conftest import told

Json = dict[str, Any]
SERVER_SIDE = "/apis/penstock.dev/v1alpha1/namespaces/shop/databaseaccesspolicies/typo?fieldManager=me&fieldValidation="


@pytest.fixture(scope="module")
def shop(guarded: Guarded) -> Guarded:
    applied(guarded.server, DATABASE)
    return guarded


@pytest.fixture
def admin(shop: Guarded) -> Iterator[httpx2.Client]:
    with shop.server.client("admin") as client:
        yield client


def misspelled(field: str, into: str = "") -> Json:
    """The policy with a field of another name, in the spec or in a part of it."""
    made = copy.deepcopy(POLICY)
    made["metadata"]["name"] = "typo"
    made["spec"]["guardrails"] = {"requireWhere": ["update"], "maxRowsReturned": 10}
    holder = made["spec"][into] if into else made["spec"]
    holder[field[:-1]] = holder.pop(field)
    return made


TYPOS = [("masks", "", "spec.mask"), ("requireWhere", "guardrails", "spec.guardrails.requireWher")]


@pytest.mark.parametrize(("field", "into", "place"), TYPOS)
@pytest.mark.parametrize("validation", ["Ignore", "Warn", "Strict"])
def test_a_typo_is_refused_in_words_by_whatever_way_it_comes(
    shop: Guarded, admin: httpx2.Client, field: str, into: str, place: str, validation: str
) -> None:
    document, words = misspelled(field, into), f"{place}: unknown field; did you mean {field}?"
    assert words in told(admin.post(f"{POLICIES.format('shop')}?fieldValidation={validation}", json=document))
    applying = {"Content-Type": "application/apply-patch+yaml"}
    answer = admin.patch(SERVER_SIDE + validation, content=json.dumps(document), headers=applying)
    assert words in told(answer)
    for way in (["--server-side"], []):
        done = shop.server.run(
            "kubectl", "apply", *way, f"--validate={validation.lower()}", "-f", "-", stdin=json.dumps(document)
        )
        assert words in done.stderr
    assert admin.get(f"{POLICIES.format('shop')}/typo").status_code == 404


def test_or_into_what_is_there_already(admin: httpx2.Client) -> None:
    good = copy.deepcopy(POLICY)
    good["metadata"]["name"] = "grows"
    assert told(admin.post(POLICIES.format("shop"), json=good)) == ""
    where = f"{POLICIES.format('shop')}/grows?fieldValidation=Ignore"
    for kind, body in (
        ("merge-patch+json", {"spec": {"mask": []}}),
        ("json-patch+json", [{"op": "add", "path": "/spec/masks/0/unles", "value": "true"}]),
        ("merge-patch+json", {"masks": []}),
    ):
        answer = admin.patch(where, content=json.dumps(body), headers={"Content-Type": f"application/{kind}"})
        assert "unknown field" in told(answer)
    assert admin.delete(f"{POLICIES.format('shop')}/grows").status_code == 200


def test_helm_is_told_too(shop: Guarded, tmp_path_factory: pytest.TempPathFactory) -> None:
    chart = tmp_path_factory.mktemp("chart")
    (chart / "templates").mkdir()
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: typo, version: 0.1.0}")
    (chart / "templates" / "policy.yaml").write_text(yaml.safe_dump(misspelled("masks")))
    done = shop.server.run("helm", "install", "typo", str(chart), "--namespace", "shop")
    assert "spec.mask: unknown field; did you mean masks?" in done.stderr


def test_what_a_text_must_look_like_is_said_in_words(admin: httpx2.Client) -> None:
    document = copy.deepcopy(DATABASE)
    document["metadata"]["name"] = "elsewhere"
    document["spec"]["host"] = "postgres://elsewhere"
    answer = told(admin.post("/apis/penstock.dev/v1alpha1/namespaces/shop/databases", json=document))
    assert "spec.host: " in answer
    assert "^" not in answer


def test_kubectl_explain_still_knows_the_fields(shop: Guarded) -> None:
    done = shop.server.run("kubectl", "explain", "databaseaccesspolicy.spec.guardrails.requireWhere")
    assert "DESCRIPTION" in done.stdout, done.stderr


def test_who_deletes_a_database_is_warned(admin: httpx2.Client) -> None:
    gone = copy.deepcopy(DATABASE)
    gone["metadata"]["name"] = "gone"
    databases = "/apis/penstock.dev/v1alpha1/namespaces/shop/databases"
    assert told(admin.post(databases, json=gone)) == ""
    answer = admin.delete(f"{databases}/gone")
    assert answer.status_code == 200
    assert "the gates of the Database gone let nobody in from now on" in answer.headers["warning"]


def workload(annotations: Json, template: Json) -> Json:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "words", "namespace": "shop", "annotations": annotations},
        "spec": {
            "selector": {"matchLabels": {"app": "words"}},
            "template": {
                "metadata": {"labels": {"app": "words"}, "annotations": template},
                "spec": {"containers": [{"name": "app", "image": "x"}]},
            },
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("annotations", "template", "words"),
    [
        (ASKS, {}, "on a Deployment has no effect; set it on the pod template"),
        ({}, {"penstock.dev/injct": "true"}, "did you mean penstock.dev/inject?"),
        ({}, {"penstok.dev/inject": "true"}, "penstok.dev/inject on the pod template has no effect; did you mean"),
        ({}, {**ASKS, "penstock.dev/database": "shpo"}, "its pods will be refused: there is no Database shpo"),
        ({}, {}, ""),
    ],
)
def test_authors_of_workloads_are_told_at_once(shop: Guarded, annotations: Json, template: Json, words: str) -> None:
    document = json.dumps(workload(annotations, template))
    done = shop.server.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=document)
    assert done.returncode == 0, done.stderr
    assert words in done.stderr if words else not done.stderr
    job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "words", "namespace": "shop"}, "spec": {
        "schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": {
            "metadata": {"annotations": template}, "spec": {"restartPolicy": "Never", "containers": [
                {"name": "app", "image": "x"}]}}}}}}  # fmt: skip
    if template:
        done = shop.server.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(job))
        assert words in done.stderr


def test_so_are_those_of_pods_and_namespaces(shop: Guarded) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new", "annotations": ASKS}}
    done = shop.server.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(space))
    assert "penstock.dev/inject on a Namespace is a label; as an annotation it has no effect" in done.stderr
    bare = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "bare", "namespace": "shop", "annotations": {"penstok.dev/inject": "true"}},
        "spec": {"containers": [{"name": "app", "image": "x"}]},
    }  # fmt: skip
    done = shop.server.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(bare))
    assert "did you mean penstock.dev/inject?" in done.stderr
    assert done.returncode == 0
