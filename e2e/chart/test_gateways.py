"""What Helm makes of gateways: settings, certificates, replicas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.chart.rendering import AUTHORITY, GATEWAYS, Objects, Render
from e2e.kubectl import CommandError
from penstock_operator.inject.sidecar import CONTAINER, VOLUMES
from penstock_operator.settings import OperatorSettings
from penstock_sidecar.settings import read


@pytest.fixture(scope="module")
def gateways(rendered: Render) -> Objects:
    return rendered("--set-json", f"gateways={json.dumps(GATEWAYS)}", "--set", "networkPolicy.enabled=true")


def test_a_gateways_settings_are_what_the_program_reads(
    gateways: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, databases in (("people", ["shop", "staff.eu"]), ("bi", ["shop"])):
        spec = gateways["Deployment", f"penstock-gateway-{name}"]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        # What the pod alone knows.
        for variable in container["env"]:
            monkeypatch.setenv(variable["name"], variable.get("value", "x"))
        (tmp_path / "proxy.yaml").write_text(gateways["ConfigMap", f"penstock-gateway-{name}"]["data"]["proxy.yaml"])
        settings = read(tmp_path)
        assert (settings.identity.required, settings.stream_owner) == (True, "x")
        assert settings.tls is not None
        assert settings.tls.required
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        assert [one.name for one in settings.served] == databases
        files = {
            f"{path}/{item['path']}": (source["secret"]["name"], item["key"])
            for path, name_ in mounts.items()
            for source in volumes[name_].get("projected", {}).get("sources", ())
            for item in source.get("secret", {}).get("items", ())
        }
        for one in settings.served:
            for key in ("username", "password"):
                assert files[f"{one.credentials_dir}/{key}"] == (one.credentials_secret, key)
        assert files[str(settings.tls.key_file)][1] == "tls.key"
        authorities = {one.name: one.upstream_ca_file for one in settings.served if one.upstream_ca_file is not None}
        assert {one: files[str(path)] for one, path in authorities.items()} == (
            {"shop": ("shop-db-ca", "ca.pem")} if name == "people" else {}
        )
        assert {port["containerPort"] for port in container["ports"]} == {settings.listen.port, settings.health.port}
        assert spec["terminationGracePeriodSeconds"] > 5 + 2 * settings.grace_seconds + 20
        assert str(settings.spool.path.parent) in mounts
    assert settings.control is not None
    assert settings.control.max_age_seconds == 600
    assert settings.identity.login == "oauthbearer"
    assert settings.identity.issuers[0].ca == AUTHORITY


def test_a_gateway_passes_the_restricted_profile_and_holds_no_token_of_the_clusters(gateways: Objects) -> None:
    for name in ("people", "bi"):
        spec = gateways["Deployment", f"penstock-gateway-{name}"]["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        context = container["securityContext"]
        assert (context["runAsNonRoot"], context["readOnlyRootFilesystem"]) == (True, True)
        assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        # Whether policies are there, or a database is, says nothing about the process.
        assert (
            container["livenessProbe"]["httpGet"]["path"] == container["startupProbe"]["httpGet"]["path"] == "/healthz"
        )
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        # The name by which the webhooks know what nobody may enter.
        assert container["name"] == CONTAINER
        # And that of the volumes that no debug container may mount.
        assert {volume["name"] for volume in spec["volumes"]} - VOLUMES == {"settings"}


def test_a_gateway_outlives_the_loss_of_a_node_and_its_restart(gateways: Objects) -> None:
    people = gateways["Deployment", "penstock-gateway-people"]["spec"]
    assert people["replicas"] == 2
    spread = people["template"]["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert gateways["PodDisruptionBudget", "penstock-gateway-people"]["spec"]["maxUnavailable"] == 1
    assert ("PodDisruptionBudget", "penstock-gateway-bi") not in gateways
    services = {name: gateways["Service", f"penstock-gateway-{name}"]["spec"] for name in ("people", "bi")}
    assert (services["people"]["type"], services["people"]["sessionAffinity"]) == ("ClusterIP", "ClientIP")
    assert services["bi"]["loadBalancerSourceRanges"] == ["10.0.0.0/8"]
    assert services["bi"]["ports"][0]["port"] == 6432
    for name, service in services.items():
        labels = gateways["Deployment", f"penstock-gateway-{name}"]["spec"]["template"]["metadata"]["labels"]
        assert service["selector"].items() <= labels.items()
        policy = gateways["NetworkPolicy", f"penstock-gateway-{name}"]["spec"]
        assert policy["podSelector"]["matchLabels"] == service["selector"]
    assert services["people"]["selector"] != services["bi"]["selector"]


def test_a_gateways_certificate_is_the_operators_unless_it_is_yours(
    gateways: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    (operator,) = gateways["Deployment", "penstock-operator"]["spec"]["template"]["spec"]["containers"]
    monkeypatch.setenv("PENSTOCK_OPERATOR_NAMESPACE", "penstock-system")
    for variable in operator["env"]:
        if "value" in variable:
            monkeypatch.setenv(variable["name"], variable["value"])
    (known,) = OperatorSettings().gateways
    assert (known.namespace, known.service, known.names) == ("shop", "penstock-gateway-people", ("db.example",))
    role = gateways["Role", f"{known.secret}"]
    assert role["metadata"]["namespace"] == "shop"
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": [known.secret],
            "verbs": ["get", "create", "patch"],
        }
    ]
    bound = gateways["RoleBinding", known.secret]
    assert bound["subjects"] == [
        {"kind": "ServiceAccount", "name": "penstock-operator", "namespace": "penstock-system"}
    ]
    assert not any(kind == "Role" and "gateway-bi" in name for kind, name in gateways)
    mounted = {
        name: source["secret"]["name"]
        for name in ("people", "bi")
        for volume in gateways["Deployment", f"penstock-gateway-{name}"]["spec"]["template"]["spec"]["volumes"]
        if volume["name"] == "penstock-identity"
        for source in volume["projected"]["sources"]
        if "secret" in source
    }
    assert mounted == {"people": known.secret, "bi": "bought"}


def test_two_gateways_of_one_name_are_refused(rendered: Render) -> None:
    assert not any("gateway" in name for _, name in rendered())
    with pytest.raises(CommandError, match="there are two of the name people in the namespace shop"):
        rendered("--set-json", f"gateways={json.dumps([GATEWAYS[0], GATEWAYS[0]])}")
