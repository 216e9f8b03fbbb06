"""What Helm makes of the chart, before anything is installed: containers, rights, and names that agree."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from e2e.chart.rendering import AUTHORITY, CHART, Render, containers
from e2e.kubectl import CommandError, Kubectl
from penstock_operator.certificates import reconciler
from penstock_operator.control.requests_guard import GUARD
from penstock_operator.inject.sidecar import CA_CONFIG_MAP
from penstock_operator.settings import ControlSettings, OperatorSettings


def test_helm_finds_nothing_to_say(helm: Kubectl, rendered: Render) -> None:
    assert "0 chart(s) failed" in helm.helm("lint", "--strict", str(CHART))
    with pytest.raises(CommandError, match="replicas"):
        rendered("--set", "control.replicas=0")


def test_every_container_passes_the_restricted_profile(rendered: Render) -> None:
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


def test_what_the_chart_sets_is_what_the_programs_read(rendered: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = {"issuer": "https://i", "audience": "penstock", "kind": "person", "ca": AUTHORITY}
    issuers = ("--set-json", f"sidecar.issuers={json.dumps([issuer])}")
    given = ("--set", "sidecar.runAsUser=null,operator.quietMinutes=45", *issuers)
    for name, spec, container in containers(rendered(*given)):
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
            assert json.loads(control.sidecar.issuers_json) == [issuer]
            assert ports == {control.port, control.health_port}
            assert spec["terminationGracePeriodSeconds"] > control.linger + control.drain
        if name == "penstock-operator":
            operator = OperatorSettings()
            assert ports == {operator.health_port}
            assert operator.quiet_minutes == 45
        models: dict[str, type[BaseModel]] = {"control": ControlSettings, "operator": OperatorSettings}
        for part, model in models.items():
            if name == f"penstock-{part}":
                prefix = f"PENSTOCK_{part.upper()}_"
                own = {variable["name"] for variable in container["env"] if variable["name"].startswith(prefix)}
                assert own <= {prefix + field.upper() for field in model.model_fields}


def test_rights_are_by_name_where_they_could_do_harm(rendered: Render) -> None:
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
        "penstock-approver: patch accessrequests/status",
        "penstock-collector: create tokenreviews",
        "penstock-control: create accessrequests",
        "penstock-control: create events",
        "penstock-control: create tokenreviews",
        "penstock-control: delete accessrequests",
        "penstock-control: patch accessrequests/status",
        "penstock-operator: create events",
        "penstock-operator: patch databaseaccesspolicies/status",
        "penstock-operator: patch databases/status",
        "penstock-requester: create accessrequests",
        "penstock-requester: patch accessrequests/status",
    ]


def test_approvers_read_what_they_write_and_requesters_read_no_request(rendered: Render) -> None:
    objects = rendered()
    read = {
        name: {
            resource
            for rule in objects["ClusterRole", f"penstock-{name}"]["rules"]
            if "get" in rule["verbs"]
            for resource in rule["resources"]
        }
        for name in ("approver", "requester")
    }
    # kubectl patch --subresource=status reads the status first.
    assert read == {"approver": {"accessrequests", "accessrequests/status"}, "requester": {"databaseaccesspolicies"}}


def test_names_agree_with_those_in_the_programs(rendered: Render) -> None:
    objects = rendered()
    secrets = objects["Role", "penstock-operator"]["rules"][0]["resourceNames"]
    assert set(secrets) == {
        reconciler.AUTHORITY_SECRET,
        reconciler.CONTROL_TLS_SECRET,
        reconciler.COLLECTOR_TLS_SECRET,
        reconciler.MASK_KEY_SECRET,
        reconciler.VIEWER_SECRET,
    }
    readable = objects["Role", "penstock-control"]["rules"][0]["resourceNames"]
    defaults = {name: field.default for name, field in ControlSettings.model_fields.items()}
    assert readable == [defaults["tls_secret"], defaults["mask_key_secret"]]
    assert readable == [reconciler.CONTROL_TLS_SECRET, reconciler.MASK_KEY_SECRET]
    volumes = objects["StatefulSet", "penstock-collector"]["spec"]["template"]["spec"]["volumes"]
    named = {volume["name"]: volume.get("secret") for volume in volumes}
    assert named["tls"]["secretName"] == reconciler.COLLECTOR_TLS_SECRET
    assert named["viewer"] == {"secretName": reconciler.VIEWER_SECRET, "items": [{"key": "tokens", "path": "tokens"}]}
    maps = [rule for rule in objects["ClusterRole", "penstock-operator"]["rules"] if "configmaps" in rule["resources"]]
    assert maps[0]["resourceNames"] == [CA_CONFIG_MAP]
    operator = {name: field.default for name, field in OperatorSettings.model_fields.items()}
    assert ("Service", operator["control_service"]) in objects
    assert ("Service", operator["collector_service"]) in objects
    assert ("MutatingWebhookConfiguration", operator["mutating_webhook"]) in objects
    assert ("ValidatingWebhookConfiguration", operator["validating_webhook"]) in objects


def test_who_decides_is_left_to_the_api_server_where_it_can_be(rendered: Render) -> None:
    objects = rendered("--kube-version", "1.30.0", "--set", "approvals.userNamePrefixes={oidc:,a:}")
    policy = objects["ValidatingAdmissionPolicy", GUARD]["spec"]
    assert policy["failurePolicy"] == "Fail"
    assert "matchConditions" not in policy
    assert objects["ValidatingAdmissionPolicyBinding", GUARD]["spec"] == {
        "policyName": GUARD,
        "validationActions": ["Deny"],
    }
    assert '["oidc:","a:"]' in next(one for one in policy["variables"] if one["name"] == "names")["expression"]
    older = rendered("--kube-version", "1.29.9")
    assert ("ValidatingAdmissionPolicy", GUARD) not in older, "control refuses to hold anything there"


def test_definitions_stay_when_the_release_goes(rendered: Render) -> None:
    reconcile = "helm.sh/resource-policy"
    definition = ("CustomResourceDefinition", "databases.penstock.dev")
    assert rendered()[definition]["metadata"]["annotations"][reconcile] == "keep"
    assert reconcile not in rendered("--set", "crds.keep=false")[definition]["metadata"].get("annotations", {})
    assert definition not in rendered("--set", "crds.install=false")


def test_the_record_is_kept_unless_said_otherwise(rendered: Render) -> None:
    stateful = ("StatefulSet", "penstock-collector")
    claims = rendered()[stateful]["spec"]["volumeClaimTemplates"]
    assert claims[0]["spec"]["resources"]["requests"]["storage"] == "10Gi"
    without = rendered("--set", "collector.persistence.enabled=false")[stateful]["spec"]
    assert "volumeClaimTemplates" not in without
    assert {"name": "data", "emptyDir": {}} in without["template"]["spec"]["volumes"]


def test_one_replica_can_be_drained(rendered: Render) -> None:
    assert ("PodDisruptionBudget", "penstock-control") in rendered()
    assert ("PodDisruptionBudget", "penstock-control") not in rendered("--set", "control.replicas=1")
