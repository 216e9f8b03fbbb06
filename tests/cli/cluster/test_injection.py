"""What admission would say, and the patch, before anything is applied: by files alone, or by what the cluster has."""

from __future__ import annotations

import json
from typing import Any

import jsonpatch
import pytest
import yaml
from tests.cli.cluster.conftest import Desk, demo_resources

from penstock_cli.cluster.injection import _TEMPLATES


def workload(kind: str = "Deployment", database: str = "shop", **spec: Any) -> dict[str, Any]:
    """One that makes pods which want a gate."""
    template = {
        "metadata": {"annotations": {"penstock.dev/inject": "true", "penstock.dev/database": database}},
        "spec": {"serviceAccountName": "support-agent", "containers": [{"name": "app", "image": "app:1"}], **spec},
    }
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, **template, "metadata": {**template["metadata"], "name": "web"}}
    for step in reversed(_TEMPLATES[kind]):
        template = {step: template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, **template}


def judged(desk: Desk, *documents: dict[str, Any], options: tuple[str, ...] = (), code: int = 0) -> list[Any]:
    result = desk.run("inject", "-f", "-", "-o", "json", *options, given=yaml.safe_dump_all(documents))
    assert result.exit_code == code, result.stderr
    found: list[Any] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("kind", ["Pod", *_TEMPLATES])
def test_whatever_makes_pods_gets_the_patch_that_admission_makes(desk: Desk, kind: str) -> None:
    (found,) = judged(desk, workload(kind))
    assert (found["kind"], found["name"], found["admission"], found["message"]) == (kind, "web", "injected", "")
    pod = {"metadata": workload("Pod")["metadata"] | {"labels": {}}, "spec": workload("Pod")["spec"]}
    pod["metadata"].pop("labels")
    made = jsonpatch.apply_patch(pod, found["patch"])
    (gate,) = made["spec"]["initContainers"]
    assert gate["name"] == "penstock-proxy"
    assert {"name": "PGHOST", "value": "127.0.0.1"} in made["spec"]["containers"][0]["env"]


def test_several_databases_of_files_are_judged_as_admission_judges_them(desk: Desk) -> None:
    second = yaml.safe_load(yaml.safe_dump(demo_resources()[0]))
    second["metadata"]["name"] = "billing"
    here = ("-n", "shop")
    both = workload("Pod", database="shop, billing")
    (found,) = judged(desk, *demo_resources(), second, both, options=here)
    made = jsonpatch.apply_patch(both, found["patch"])
    names = {one["name"]: one["value"] for one in made["spec"]["containers"][0]["env"]}
    assert (names["PGPORT"], names["BILLING_PGPORT"]) == ("5432", "5433")
    (twice,) = judged(desk, *demo_resources(), workload("Pod", database="shop,shop"), options=here, code=1)
    assert "names the Database shop twice" in twice["message"]


def test_what_would_be_refused_says_why_and_what_to_do(desk: Desk) -> None:
    (missing,) = judged(desk, workload(database="shpo"), code=1)
    assert (missing["admission"], missing["patch"]) == ("refused", [])
    assert missing["message"] == "penstock: there is no Database shpo; Databases in the namespace shop: shop"
    reaching = {"containers": [{"name": "app", "image": "app:1", "envFrom": [{"secretRef": {"name": "shop-db"}}]}]}
    (stolen,) = judged(desk, workload(**reaching), code=1)
    assert "shop-db" in stolen["message"]


def test_warnings_are_told(desk: Desk) -> None:
    (found,) = judged(desk, workload(serviceAccountName="nobody"))
    assert (
        found["warnings"]
        == [
            # For people and agents there are policies, so that the account alone is no reason to warn.
        ]
    )
    desk.api.objects = {path: one for path, one in desk.api.objects.items() if "databaseaccesspolicies" not in path}
    (found,) = judged(desk, workload(serviceAccountName="nobody"))
    assert "no DatabaseAccessPolicy for the Database shop is for the service account nobody" in found["warnings"][0]


def test_a_pod_that_asks_for_no_gate_is_told_apart(desk: Desk) -> None:
    (found,) = judged(desk, bare())
    assert (found["admission"], found["patch"]) == ("as it is", [])
    assert found["message"].endswith("its statements pass none")


def bare() -> dict[str, Any]:
    """A workload whose pods say nothing of a gate."""
    made = workload()
    made["spec"]["template"]["metadata"] = {}
    return made


NAMESPACE = {
    "apiVersion": "v1", "kind": "Namespace",
    "metadata": {
        "name": "shop", "labels": {"penstock.dev/inject": "required"}, "annotations": {"penstock.dev/database": "shop"},
    },
}  # fmt: skip


def test_what_the_namespace_has_for_all_counts(desk: Desk) -> None:
    desk.api.objects["/api/v1/namespaces/shop"] = NAMESPACE
    (found,) = judged(desk, bare())
    assert found["admission"] == "injected"
    (refused,) = judged(desk, without_a_gate(), code=1)
    assert "the namespace shop lets no pod go without a gate" in refused["message"]


def test_so_does_that_of_the_files(desk: Desk) -> None:
    desk.api.forbidden = ("/",)
    (found,) = judged(desk, NAMESPACE, bare(), *demo_resources())
    assert found["admission"] == "injected"
    (alone,) = judged(desk, bare(), *demo_resources())
    assert alone["admission"] == "as it is"


def test_who_may_not_read_the_namespace_is_told_what_is_not_known(desk: Desk) -> None:
    desk.api.forbidden = ("/api/v1/namespaces/shop",)
    result = desk.run("inject", "-f", "-", "-o", "json", given=yaml.safe_dump(bare()))
    assert result.exit_code == 0
    assert "warning: whether pods of shop get a gate by its label is not known: " in result.stderr
    assert json.loads(result.stdout)[0]["admission"] == "as it is"


def without_a_gate() -> dict[str, Any]:
    made = bare()
    made["spec"]["template"]["metadata"] = {"annotations": {"penstock.dev/inject": "false"}}
    return made


def test_with_resources_in_the_files_no_cluster_is_asked(desk: Desk) -> None:
    everything = {"apiVersion": "v1", "kind": "List", "items": [workload(), *demo_resources()]}
    desk.api.forbidden = ("/",)
    (found,) = judged(desk, everything)
    assert found["admission"] == "injected"
    (desk.directory / "rules.yaml").write_text(yaml.safe_dump_all(demo_resources()))
    (found,) = judged(desk, workload(), options=("--policies", "rules.yaml", "--image", "registry.example/gate:2"))
    assert any("registry.example/gate:2" in json.dumps(one) for one in found["patch"])


def test_people_read_a_table_and_the_patch_in_yaml(desk: Desk) -> None:
    result = desk.run("inject", "-f", "-", given=yaml.safe_dump(workload()))
    table, _, patch = result.stdout.partition("\n# the patch of Deployment web\n")
    heading, row = table.splitlines()
    assert heading.split() == ["NAMESPACE", "KIND", "NAME", "ADMISSION", "WHY"]
    assert row.split() == ["shop", "Deployment", "web", "injected"]
    assert yaml.safe_load(patch) == judged(desk, workload())[0]["patch"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "is not YAML"),
        ("- 1\n- 2\n", "holds something that is no Kubernetes object"),
        ("kind: Service\napiVersion: v1\nmetadata: {name: web}\n", "no pod there, nor anything that makes pods"),
        ("kind: Deployment\nmetadata: {name: web}\nspec: {}\n", "Deployment web: has no template of a pod"),
        ("kind: Pod\nmetadata: {name: web}\n", "Pod web: is no object of its kind"),
        ("kind: Database\napiVersion: penstock.dev/v1alpha1\nmetadata: {name: x}\nspec: {}\n", "spec.host: is missing"),
    ],
)
def test_a_file_that_can_not_be_read_is_one_line(desk: Desk, text: str, words: str) -> None:
    (desk.directory / "web.yaml").write_text(text)
    assert words in desk.run("inject", "-f", "web.yaml").stderr
    assert desk.run("inject", "-f", "web.yaml").exit_code == 2
