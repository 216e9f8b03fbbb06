"""What Helm makes of the chart's options: monitoring, the way out, an entrance for the pages, extras of pods."""

from __future__ import annotations

import json

import pytest
import yaml

from e2e.chart.rendering import CHART, GATEWAYS, Json, Render, containers
from e2e.kubectl import CommandError
from penstock_operator.inject.annotations import PREFIX, read
from penstock_operator.inject.sidecar import DatabaseSecrets, Shape, container

MONITORING = ("podMonitors", "prometheusRule", "dashboard")
PROGRAMS = ("operator", "control", "collector")


def test_monitoring_is_there_where_it_is_wanted(rendered: Render) -> None:
    kinds = {"PodMonitor", "PrometheusRule"}
    assert not {kind for kind, _ in rendered()} & kinds
    assert ("ConfigMap", "penstock-dashboard") not in rendered()
    wanted = {f"monitoring__{one}": {"enabled": True, "labels": {"release": "prometheus"}} for one in MONITORING}
    objects = rendered(**wanted, gateways=GATEWAYS)
    for name in ("penstock", "penstock-sidecars"):
        assert objects["PodMonitor", name]["metadata"]["labels"]["release"] == "prometheus"
    assert objects["PrometheusRule", "penstock"]["spec"] == yaml.safe_load(
        (CHART / "files" / "monitoring" / "alerts.yaml").read_text()
    )
    board = objects["ConfigMap", "penstock-dashboard"]
    # Grafana's own label goes by being set to something else alone.
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(board["data"]["penstock.json"])["title"] == "Penstock"


def test_the_monitors_find_each_pods_port(rendered: Render) -> None:
    objects = rendered(monitoring__podMonitors={"enabled": True}, gateways=GATEWAYS)
    programs, sidecars = (objects["PodMonitor", name]["spec"] for name in ("penstock", "penstock-sidecars"))
    assert programs["namespaceSelector"]["matchNames"] == ["penstock-system", "shop"]
    port = programs["podMetricsEndpoints"][0]["port"]
    for (kind, name), document in objects.items():
        if kind in ("Deployment", "StatefulSet"):
            template = document["spec"]["template"]
            assert programs["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items(), name
            assert port in {one["name"] for one in template["spec"]["containers"][0]["ports"]}, name
    wanted = read({f"{PREFIX}database": "shop"})
    shape = Shape("image", "version", "url", "url")
    sidecar = container(shape, wanted, [DatabaseSecrets("shop", "shop-db")], shape.resources)
    assert sidecars["podMetricsEndpoints"][0]["port"] == sidecar["ports"][0]["name"]


def test_the_way_out_is_closed_where_that_is_wanted(rendered: Render) -> None:
    closed = {"enabled": True, "egress": {"enabled": True, "apiServer": [{"ipBlock": {"cidr": "10.0.0.1/32"}}],
                                          "collector": [{"ports": [{"port": 8443}]}]}}  # fmt: skip
    to_database = [{"ports": [{"port": 5432, "protocol": "TCP"}]}]
    gateways = [{**one, "networkPolicyEgress": to_database} for one in GATEWAYS]
    objects = rendered(networkPolicy=closed, gateways=gateways)
    policies = {name: one["spec"] for (kind, name), one in objects.items() if kind == "NetworkPolicy"}
    assert len(policies) == 5
    for name, policy in policies.items():
        assert policy["policyTypes"] == ["Ingress", "Egress"], name
        assert {"port": 53, "protocol": "UDP"} in policy["egress"][0]["ports"]
    assert policies["penstock-operator"]["egress"][1]["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    assert {"ports": [{"port": 8443}]} in policies["penstock-collector"]["egress"]
    assert {"ports": [{"port": 8443}]} not in policies["penstock-control"]["egress"]
    people = policies["penstock-gateway-people"]["egress"]
    assert to_database[0] in people
    for port, component in ((8443, "control"), (8080, "collector")):
        (rule,) = [one for one in people if one["ports"][0]["port"] == port]
        kind = "StatefulSet" if component == "collector" else "Deployment"
        labels = objects[kind, f"penstock-{component}"]["spec"]["template"]["metadata"]["labels"]
        assert rule["to"][0]["podSelector"]["matchLabels"].items() <= labels.items()
    with pytest.raises(CommandError, match="gateways: people would reach no database"):
        rendered(networkPolicy=closed, gateways=GATEWAYS)
    for policy in rendered(networkPolicy={"enabled": True}).values():
        assert (
            policy["spec"].get("policyTypes", ["Ingress"]) == ["Ingress"] if policy["kind"] == "NetworkPolicy" else True
        )


def test_the_pages_have_an_entrance_where_that_is_wanted(rendered: Render) -> None:
    url = "https://audit.example"
    ingress = {"enabled": True, "className": "nginx", "tlsSecret": "audit-tls", "annotations": {"a": "b"}}
    made = rendered(collector__publicUrl=url, collector__ingress=ingress)["Ingress", "penstock-collector"]
    assert made["metadata"]["annotations"] == {"a": "b"}
    assert made["spec"]["tls"] == [{"hosts": ["audit.example"], "secretName": "audit-tls"}]
    (path,) = made["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"] == {"name": "penstock-collector", "port": {"name": "https"}}
    route = {"enabled": True, "parentRefs": [{"name": "front", "namespace": "edge"}]}
    objects = rendered(collector__publicUrl=url, collector__httpRoute=route)
    assert objects["HTTPRoute", "penstock-collector"]["spec"]["hostnames"] == ["audit.example"]
    trusted = objects["BackendTLSPolicy", "penstock-collector"]["spec"]["validation"]
    assert trusted["caCertificateRefs"][0]["name"] == "penstock-ca"
    assert trusted["hostname"] == "penstock-collector.penstock-system.svc"
    for kept in ("", "http://audit.example"):
        with pytest.raises(CommandError, match=r"collector\.publicUrl: .* has to begin with https://"):
            rendered(collector__publicUrl=kept, collector__ingress=ingress)
    with pytest.raises(CommandError, match="parentRefs: name the Gateway"):
        rendered(collector__publicUrl=url, collector__httpRoute={"enabled": True})


def test_the_record_may_be_on_a_claim_of_yours(rendered: Render) -> None:
    spec = rendered(collector__persistence={"existingClaim": "trail"})["StatefulSet", "penstock-collector"]["spec"]
    assert "volumeClaimTemplates" not in spec
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "trail"}} in spec["template"]["spec"]["volumes"]


def test_pods_get_what_is_added_and_keep_what_is_theirs(rendered: Render) -> None:
    extras: Json = {
        "podLabels": {"team": "data"},
        "extraEnv": [
            {"name": "HTTPS_PROXY", "value": "http://proxy"},
            {"name": "PENSTOCK_LOG_FORMAT", "value": "text"},
        ],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
    }
    alone = {**extras, "extraEnv": extras["extraEnv"][:1]}
    objects = rendered(
        **dict.fromkeys(PROGRAMS, extras), gateways=[{**GATEWAYS[0], **alone}], commonLabels={"owner": "platform"}
    )
    pods = [one for one in containers(objects) if one[0] != "penstock-test"]
    assert len(pods) == 4
    for name, spec, program in pods:
        assert spec["topologySpreadConstraints"] == extras["topologySpreadConstraints"], name
        assert extras["extraVolumes"][0] in spec["volumes"]
        assert extras["extraVolumeMounts"][0] in program["volumeMounts"]
        environment = {one["name"]: one.get("value") for one in program["env"]}
        assert environment["HTTPS_PROXY"] == "http://proxy"
        assert environment["PENSTOCK_LOG_FORMAT"] == "json", "the last one counts"
    for (kind, name), document in objects.items():
        assert document["metadata"]["labels"]["owner"] == "platform", (kind, name)
        if kind in ("Deployment", "StatefulSet"):
            labels = document["spec"]["template"]["metadata"]["labels"]
            assert labels["team"] == "data"
            assert document["spec"]["selector"]["matchLabels"].items() <= labels.items()
            assert "team" not in document["spec"]["selector"]["matchLabels"]


@pytest.mark.parametrize(
    "values",
    [
        {"collector__podLabels": {"app.kubernetes.io/component": "control"}},
        {"commonLabels": {"app.kubernetes.io/name": "other"}},
        {"gateways": [{**GATEWAYS[0], "extraEnv": [{"name": "PENSTOCK_IDENTITY__REQUIRED", "value": "false"}]}]},
        {"collector__persistance": {"size": "1Gi"}},
    ],
)
def test_what_would_undo_something_is_refused(rendered: Render, values: Json) -> None:
    with pytest.raises(CommandError, match="values don't meet the specifications of the schema"):
        rendered(**values)
