"""What Helm makes of the chart, before anything is installed: containers, rights, webhooks, and names that agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from pydantic import BaseModel

from e2e.environment import ROOT
from e2e.kubectl import CommandError, Kubectl
from penstock_collector.settings import CollectorSettings
from penstock_operator.certificates import reconciler
from penstock_operator.control.app import LABELLED
from penstock_operator.control.requests_guard import GUARD
from penstock_operator.inject.sidecar import CA_CONFIG_MAP, CONTAINER, VOLUMES
from penstock_operator.inject.workloads import LIKE_OURS
from penstock_operator.settings import ControlSettings, OperatorSettings
from penstock_sidecar.settings import read

CHART = ROOT / "charts" / "penstock"

Json = dict[str, Any]
Objects = dict[tuple[str, str], Json]
Render = Callable[..., Objects]


@pytest.fixture(scope="module")
def rendered(helm: Kubectl) -> Render:
    """What would be applied with some options of Helm's, by kind and name."""

    def render(*options: str) -> Objects:
        text = helm.helm("template", "penstock", str(CHART), "--namespace", "penstock-system", *options)
        documents = [document for document in yaml.safe_load_all(text) if document]
        return {(document["kind"], document["metadata"]["name"]): document for document in documents}

    return render


def containers(objects: Objects) -> list[tuple[str, Json, Json]]:
    """Each pod's name, spec and only container."""
    found = []
    for (kind, name), document in objects.items():
        if kind in ("Deployment", "StatefulSet", "Pod"):
            spec = document["spec"] if kind == "Pod" else document["spec"]["template"]["spec"]
            found.append((name, spec, spec["containers"][0]))
    return found


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


AUTHORITY = trustme.CA().cert_pem.bytes().decode()
GATEWAYS: list[Json] = [
    {
        "name": "people",
        "namespace": "shop",
        "databases": [
            {"name": "shop", "credentialsSecret": "shop-db", "caSecret": {"name": "shop-db-ca", "key": "ca.pem"}},
            {"name": "staff.eu", "credentialsSecret": "staff-db"},
        ],
        "issuers": [
            {"issuer": "https://i", "audience": "penstock", "kind": "person", "jwksFile": "keys.json",
             "keysMaxAgeSeconds": 90000}
        ],
        "issuerFiles": "issuer-keys",
        "tls": {"names": ["db.example"]},
        "drainSeconds": 7,
    },
    {
        "name": "bi",
        "databases": [{"name": "shop", "credentialsSecret": "shop-db"}],
        "issuers": [{"issuer": "https://i", "audience": "bi", "kind": "service", "ca": AUTHORITY}],
        "replicas": 1,
        "login": "oauthbearer",
        "tls": {"secretName": "bought"},
        "service": {"type": "LoadBalancer", "port": 6432, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
        "policyMaxAgeSeconds": 600,
    },
]  # fmt: skip


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


def test_the_webhooks_depend_on_as_little_as_can_be(rendered: Render) -> None:
    options = ("--set", "webhook.excludedNamespaces={monitoring}")
    objects = rendered(*options)
    inject, labelled = objects["MutatingWebhookConfiguration", "penstock"]["webhooks"]
    assert "caBundle" not in inject["clientConfig"]
    assert inject["failurePolicy"] == labelled["failurePolicy"] == "Fail"
    assert inject["matchConditions"][0]["expression"].count("name.startsWith('penstock.dev/')") == 2
    assert "name != 'penstock.dev/gateway'" in inject["matchConditions"][0]["expression"], "gateways don't depend on it"
    looked_at = {
        "key": "kubernetes.io/metadata.name", "operator": "NotIn",
        "values": ["kube-system", "penstock-system", "monitoring"],
    }  # fmt: skip
    # Each pod is one's alone: who asks, and in namespaces with the label all.
    for webhook, operator in ((inject, "DoesNotExist"), (labelled, "Exists")):
        label = {"key": "penstock.dev/inject", "operator": operator}
        assert webhook["namespaceSelector"]["matchExpressions"] == [looked_at, label]
        assert [rule["operations"] for rule in webhook["rules"]] == [["CREATE"]]
    assert labelled["clientConfig"]["service"]["path"] == LABELLED
    validate, leave, advise, labelled_advice, debug, enter = objects["ValidatingWebhookConfiguration", "penstock"][
        "webhooks"
    ]
    for words in (leave, advise, labelled_advice):
        assert (words["failurePolicy"], words["timeoutSeconds"]) == ("Ignore", 1), "what only warns holds nothing up"
    assert LIKE_OURS in advise["matchConditions"][1]["expression"]
    assert "caBundle" not in validate["clientConfig"]
    assert validate["rules"][0]["apiGroups"] == ["penstock.dev"]
    assert not any("/" in resource for resource in validate["rules"][0]["resources"]), "never the status"
    for guard in (debug, enter):
        assert guard["failurePolicy"] == "Fail"
        assert "'penstock-proxy'" in guard["matchConditions"][0]["expression"], (
            "pods without a sidecar never depend on us"
        )
    guardless = rendered(*options, "--set", "webhook.guardSidecars=false")
    off = guardless["ValidatingWebhookConfiguration", "penstock"]["webhooks"]
    assert off == [validate, leave, advise, labelled_advice]


def test_advice_on_a_workload_is_given_once(rendered: Render) -> None:
    webhooks = {one["name"]: one for one in rendered()["ValidatingWebhookConfiguration", "penstock"]["webhooks"]}
    spoken, labelled = webhooks["advise.penstock.dev"], webhooks["advise-labelled.penstock.dev"]
    expression = spoken["matchConditions"][1]["expression"]
    assert "".join(labelled["matchConditions"][1]["expression"].split()) == f"!({''.join(expression.split())})"
    assert spoken["rules"][2:] == labelled["rules"]


def test_gateways_in_a_labelled_namespace_start_as_they_are(rendered: Render) -> None:
    objects = rendered("--set-json", f"gateways={json.dumps(GATEWAYS)}")
    _, labelled = objects["MutatingWebhookConfiguration", "penstock"]["webhooks"]
    kept = objects["ValidatingAdmissionPolicy", "penstock-namespaces"]["spec"]
    assert labelled["matchConditions"] == kept["matchConditions"]
    assert kept["matchConstraints"]["namespaceSelector"] == labelled["namespaceSelector"]
    gateways = [(spec["serviceAccountName"], name) for name, spec, _ in containers(objects) if "gateway" in name]
    assert len(gateways) == len(kept["matchConditions"]) == len(GATEWAYS)
    for account, name in gateways:
        (condition,) = [one for one in kept["matchConditions"] if f"== '{account}'" in one["expression"]]
        space = objects["Deployment", name]["metadata"]["namespace"]
        assert f"request.namespace == '{space}'" in condition["expression"]


def test_guards_of_pods_stay_when_the_release_goes(rendered: Render) -> None:
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    for kept, options in ((True, ()), (False, ("--set", "webhook.keepGuards=false"))):
        objects = rendered("--kube-version", "1.30.0", *options)
        for kind in kinds:
            for name in ("penstock-pods", "penstock-bindings", "penstock-namespaces"):
                reconciled = objects[kind, name]["metadata"].get("annotations", {})
                assert reconciled == ({"helm.sh/resource-policy": "keep"} if kept else {})
            assert "annotations" not in objects[kind, "penstock-tokens"]["metadata"]
            assert (kind, "penstock-credentials") not in objects, (
                "pods without a gate are their authors' until asked for"
            )
    off = rendered("--kube-version", "1.30.0", "--set", "webhook.guardSidecars=false")
    texts = [one["expression"] for one in off["ValidatingAdmissionPolicy", "penstock-pods"]["spec"]["validations"]]
    assert len(texts) == 3, "a pod that asks still gets a gate or is refused"
    assert [kind for kind in kinds if (kind, "penstock-bindings") in off] == []


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


def collector_settings(objects: Objects) -> CollectorSettings:
    """Those of the collector's container."""
    container = objects["StatefulSet", "penstock-collector"]["spec"]["template"]["spec"]["containers"][0]
    own = [one for one in container["env"] if one["name"].startswith("PENSTOCK_COLLECTOR_")]
    given = {one["name"].removeprefix("PENSTOCK_COLLECTOR_").lower(): one["value"] for one in own}
    listed = {name: json.loads(value) for name, value in given.items() if value.startswith(("{", "["))}
    return CollectorSettings(**given | listed)


def test_people_sign_in_where_the_values_say(rendered: Render) -> None:
    container = rendered()["StatefulSet", "penstock-collector"]["spec"]["template"]["spec"]["containers"][0]
    assert not any("SIGN_IN" in one["name"] for one in container["env"])
    objects = rendered(
        "--set-json", 'collector.signIn={"issuer":"https://login.example","clientId":"c","secret":"s","ownCa":true,'
        '"roles":{"viewer":["a, b"],"admin":["x\\"y"]}}', "--set", "collector.publicUrl=https://audit.example",
    )  # fmt: skip
    pod = objects["StatefulSet", "penstock-collector"]["spec"]["template"]["spec"]
    settings = collector_settings(objects)
    assert (settings.sign_in_roles["viewer"], settings.sign_in_roles["admin"]) == (["a, b"], ['x"y'])
    assert str(settings.sign_in_client_secret_file) == "/var/run/penstock/sign-in/client-secret"
    assert {"name": "sign-in", "secret": {"secretName": "s"}} in pod["volumes"]
    mounts = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert mounts["sign-in"] == "/var/run/penstock/sign-in"


def test_people_sign_in_with_kubernetes_tokens_where_the_values_say(rendered: Render) -> None:
    objects = rendered(
        "--set-json", 'collector.kubernetesGroupRoles={"approver":["dba"]}', "--set", "approvals.userNamePrefixes={a:}"
    )
    settings = collector_settings(objects)
    assert settings.kubernetes_group_roles["approver"] == ["dba"]
    # The same as the admission policy has.
    assert settings.kubernetes_user_prefixes == ["a:"]


def test_the_collector_decides_nothing_and_is_nobody_else(rendered: Render) -> None:
    """It sends what people sign in with; by its own account it can ask whose a token is, and no more."""
    objects = rendered()
    account = "penstock-collector"
    bound = {
        (one["roleRef"]["kind"], one["roleRef"]["name"])
        for (kind, _), one in objects.items()
        if kind in ("ClusterRoleBinding", "RoleBinding")
        and any(subject["kind"] != "ServiceAccount" or subject["name"] == account for subject in one["subjects"])
    }
    assert bound == {("ClusterRole", account)}
    assert objects["ClusterRole", account]["rules"] == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    ]


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
