"""The chart: its values, what Helm makes of them, and that it agrees with the rest of the project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from e2e.cluster.layout import Layout, default_directory

from penstock_core.resources.crd import definitions
from penstock_operator.certificates import keeper
from penstock_operator.inject.sidecar import CA_CONFIG_MAP
from penstock_operator.settings import ControlSettings, OperatorSettings

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "penstock"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
# On PATH, or where `python -m e2e.cluster up` puts it.
HELM = shutil.which("helm", path=os.pathsep.join([os.environ.get("PATH", ""), str(Layout(default_directory()).bin)]))

Json = dict[str, Any]
needs_helm = pytest.mark.skipif(HELM is None, reason="helm is not there; the end-to-end tests bring one")


def rendered(*options: str) -> dict[tuple[str, str], Json]:
    """What would be applied, by kind and name."""
    done = subprocess.run(
        [str(HELM), "template", "penstock", str(CHART), "--namespace", "penstock-system", *options],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ValueError(done.stderr)
    documents = [document for document in yaml.safe_load_all(done.stdout) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def containers(objects: dict[tuple[str, str], Json]) -> list[tuple[str, Json, Json]]:
    """Each pod's name, spec and only container."""
    found = []
    for (kind, name), document in objects.items():
        if kind in ("Deployment", "StatefulSet", "Pod"):
            spec = document["spec"] if kind == "Pod" else document["spec"]["template"]["spec"]
            found.append((name, spec, spec["containers"][0]))
    return found


def test_the_values_pass_their_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"imag": {}},
        {"image": {"repository": ""}},
        {"image": {"repository": "x", "digest": "sha256:abc"}},
        {"image": {"repository": "x", "pullPolicy": "Sometimes"}},
        {"control": {"replicas": 0}},
        {"control": {"replica": 2}},
        {"collector": {"persistence": {"size": "ten"}}},
        {"sidecar": {"runAsUser": 0}},
        {"sidecar": {"resources": {"limits": {"cpu": "1", "gpu": "1"}}}},
        {"webhook": {"failurePolicy": "Ignore"}},
        {"logLevel": "chatty"},
    ],
)
def test_a_slip_in_the_values_is_refused(change: Json) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(VALUES | change, SCHEMA)


def test_every_value_is_in_the_schema_and_the_other_way_round() -> None:
    def keys(values: Json, schema: Json, place: str = "") -> None:
        properties = set(schema.get("properties", ())) - {"global"}
        if properties and not schema.get("additionalProperties", True):
            assert set(values) == properties, place or "the top level"
            for name in properties:
                if isinstance(values[name], dict):
                    keys(values[name], schema["properties"][name], f"{place}.{name}")

    keys(VALUES, SCHEMA)


def test_versions_agree() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]


def test_the_definitions_are_those_of_the_models() -> None:
    files = {path.name: path.read_text() for path in (CHART / "files" / "crds").iterdir()}
    assert files == definitions(), "run `make crds`"


@needs_helm
def test_helm_finds_nothing_to_say() -> None:
    done = subprocess.run([str(HELM), "lint", "--strict", str(CHART)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    with pytest.raises(ValueError, match="replicas"):
        rendered("--set", "control.replicas=0")


@needs_helm
def test_every_container_passes_the_restricted_profile() -> None:
    found = containers(rendered())
    assert {name for name, _, _ in found} == {
        "penstock-operator", "penstock-control", "penstock-collector", "penstock-test",
    }  # fmt: skip
    for name, spec, container in found:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
        assert context["runAsNonRoot"] is True, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert context["readOnlyRootFilesystem"] is True, name
        assert set(container["resources"]) == {"requests", "limits"}, name
        # A Service's own variables (PENSTOCK_CONTROL_PORT) would be taken for settings.
        assert spec["enableServiceLinks"] is False, name


@needs_helm
def test_what_the_chart_sets_is_what_the_programs_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, spec, container in containers(rendered("--set", "sidecar.runAsUser=null")):
        monkeypatch.setenv("PENSTOCK_CONTROL_NAMESPACE", "penstock-system")
        monkeypatch.setenv("PENSTOCK_OPERATOR_NAMESPACE", "penstock-system")
        for variable in container.get("env", ()):
            if "value" in variable:
                monkeypatch.setenv(variable["name"], variable["value"])
        ports = {port["containerPort"] for port in container.get("ports", ())}
        if name == "penstock-control":
            control = ControlSettings()
            assert control.sidecar.image == "penstock:0.1.0"
            assert control.sidecar.run_as_user is None
            assert ports == {control.port, control.health_port}
            assert spec["terminationGracePeriodSeconds"] > control.linger + control.drain
        if name == "penstock-operator":
            assert ports == {OperatorSettings().health_port}
        fields = {
            "ControlSettings": (ControlSettings, "PENSTOCK_CONTROL_"),
            "OperatorSettings": (OperatorSettings, "PENSTOCK_OPERATOR_"),
        }
        for model, prefix in fields.values():
            if name == f"penstock-{prefix.split('_')[1].lower()}":
                own = {v["name"] for v in container["env"] if v["name"].startswith(prefix)}
                assert own <= {prefix + field.upper() for field in model.model_fields}


@needs_helm
def test_the_webhooks_depend_on_as_little_as_can_be() -> None:
    objects = rendered("--set", "webhook.excludedNamespaces={monitoring}")
    (inject,) = objects["MutatingWebhookConfiguration", "penstock"]["webhooks"]
    assert "caBundle" not in inject["clientConfig"]
    assert inject["failurePolicy"] == "Fail"
    assert inject["matchConditions"][0]["expression"].endswith("'penstock.dev/inject' in object.metadata.annotations")
    assert inject["namespaceSelector"]["matchExpressions"][0]["values"] == [
        "kube-system",
        "penstock-system",
        "monitoring",
    ]
    assert [rule["operations"] for rule in inject["rules"]] == [["CREATE"]]
    (validate,) = objects["ValidatingWebhookConfiguration", "penstock"]["webhooks"]
    assert "caBundle" not in validate["clientConfig"]
    assert validate["rules"][0]["apiGroups"] == ["penstock.dev"]
    assert not any("/" in resource for resource in validate["rules"][0]["resources"]), "never the status"


@needs_helm
def test_rights_are_by_name_where_they_could_do_harm() -> None:
    objects = rendered()
    wide = []
    for (kind, name), document in objects.items():
        if kind not in ("Role", "ClusterRole") or name in ("penstock-view", "penstock-admin"):
            continue
        for rule in document["rules"]:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]], name
            writing = set(rule["verbs"]) - {"get", "list", "watch"}
            sensitive = {"secrets", "configmaps"} & set(rule["resources"])
            if (writing or sensitive) and "resourceNames" not in rule:
                wide += [f"{name}: {verb} {resource}" for resource in rule["resources"] for verb in sorted(writing)]
            if "secrets" in rule["resources"]:
                assert kind == "Role", "Secrets of the release's own namespace alone"
    assert sorted(wide) == [
        "penstock-collector: create tokenreviews",
        "penstock-control: create tokenreviews",
        "penstock-operator: create events",
        "penstock-operator: patch databaseaccesspolicies/status",
        "penstock-operator: patch databases/status",
    ]


@needs_helm
def test_names_agree_with_those_in_the_programs() -> None:
    objects = rendered()
    secrets = objects["Role", "penstock-operator"]["rules"][0]["resourceNames"]
    assert set(secrets) == {
        keeper.AUTHORITY_SECRET,
        keeper.CONTROL_TLS_SECRET,
        keeper.COLLECTOR_TLS_SECRET,
        keeper.MASK_KEY_SECRET,
        keeper.VIEWER_SECRET,
    }
    readable = objects["Role", "penstock-control"]["rules"][0]["resourceNames"]
    defaults = {name: field.default for name, field in ControlSettings.model_fields.items()}
    assert readable == [defaults["tls_secret"], defaults["mask_key_secret"]]
    assert readable == [keeper.CONTROL_TLS_SECRET, keeper.MASK_KEY_SECRET]
    volumes = objects["StatefulSet", "penstock-collector"]["spec"]["template"]["spec"]["volumes"]
    named = {volume["name"]: volume.get("secret") for volume in volumes}
    assert named["tls"]["secretName"] == keeper.COLLECTOR_TLS_SECRET
    assert named["viewer"] == {"secretName": keeper.VIEWER_SECRET, "items": [{"key": "tokens", "path": "tokens"}]}
    maps = [rule for rule in objects["ClusterRole", "penstock-operator"]["rules"] if "configmaps" in rule["resources"]]
    assert maps[0]["resourceNames"] == [CA_CONFIG_MAP]
    operator = {name: field.default for name, field in OperatorSettings.model_fields.items()}
    assert ("Service", operator["control_service"]) in objects
    assert ("Service", operator["collector_service"]) in objects
    assert ("MutatingWebhookConfiguration", operator["mutating_webhook"]) in objects
    assert ("ValidatingWebhookConfiguration", operator["validating_webhook"]) in objects


@needs_helm
def test_definitions_stay_when_the_release_goes() -> None:
    keep = "helm.sh/resource-policy"
    definition = ("CustomResourceDefinition", "databases.penstock.dev")
    assert rendered()[definition]["metadata"]["annotations"][keep] == "keep"
    assert keep not in rendered("--set", "crds.keep=false")[definition]["metadata"].get("annotations", {})
    assert definition not in rendered("--set", "crds.install=false")


@needs_helm
def test_the_record_is_kept_unless_said_otherwise() -> None:
    stateful = ("StatefulSet", "penstock-collector")
    claims = rendered()[stateful]["spec"]["volumeClaimTemplates"]
    assert claims[0]["spec"]["resources"]["requests"]["storage"] == "10Gi"
    without = rendered("--set", "collector.persistence.enabled=false")[stateful]["spec"]
    assert "volumeClaimTemplates" not in without
    assert {"name": "data", "emptyDir": {}} in without["template"]["spec"]["volumes"]


@needs_helm
def test_one_replica_can_be_drained() -> None:
    assert ("PodDisruptionBudget", "penstock-control") in rendered()
    assert ("PodDisruptionBudget", "penstock-control") not in rendered("--set", "control.replicas=1")
