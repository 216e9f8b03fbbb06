"""What Helm makes of the collector's sign-in, and what its account may do."""

from __future__ import annotations

import json

from e2e.chart.rendering import Objects, Render
from penstock_collector.settings import CollectorSettings


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
