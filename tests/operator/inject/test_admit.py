"""Pods come to admission: what they get, what they are refused, and that a second look changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.operator.inject.desk import Desk, Json, annotated, pod, review

from penstock_operator.inject.admission_review import BadReview
from penstock_operator.inject.admit import admit
from penstock_operator.inject.sidecar import Shape


def env(container: Json) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in container.get("env", [])}


def test_the_sidecar_comes_first_and_alone_holds_secrets(desk: Desk) -> None:
    after = desk.admitted(pod(initContainers=[{"name": "migrate", "image": "web:1"}]))
    first, migrate = after["spec"]["initContainers"]
    (web,) = after["spec"]["containers"]
    assert first["name"] == "penstock-proxy"
    assert first["restartPolicy"] == "Always"
    assert [mount["name"] for mount in first["volumeMounts"]] == [v["name"] for v in after["spec"]["volumes"]]
    for other in (migrate, web):
        assert "volumeMounts" not in other
        assert env(other) == {
            "PGHOST": "127.0.0.1",
            "PGPORT": "5432",
            "PGUSER": "web",
            "PGDATABASE": "shop",
            "PGSSLMODE": "disable",
        }


def test_the_pod_bears_what_it_was_given(desk: Desk) -> None:
    metadata = desk.admitted(pod())["metadata"]
    assert metadata["annotations"]["penstock.dev/injected-version"] == "1"
    assert metadata["annotations"]["penstock.dev/policy-generation"] == "42"
    assert metadata["labels"] == {"penstock.dev/injected": "true"}


def test_the_sidecar_passes_the_restricted_profile_and_has_requests_and_limits(desk: Desk) -> None:
    first = desk.admitted(pod())["spec"]["initContainers"][0]
    context = first["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["readOnlyRootFilesystem"] is True
    assert set(first["resources"]["requests"]) == set(first["resources"]["limits"]) == {"cpu", "memory"}
    writable = [mount["mountPath"] for mount in first["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["/var/lib/penstock", "/tmp"]


def test_tokens_are_of_their_own_audiences_and_the_secrets_those_of_the_database(desk: Desk) -> None:
    volumes = {volume["name"]: volume for volume in desk.admitted(pod())["spec"]["volumes"]}
    tokens = [s["serviceAccountToken"] for s in volumes["penstock-identity"]["projected"]["sources"][:2]]
    assert [(t["audience"], t["expirationSeconds"]) for t in tokens] == [
        ("penstock-control", 3600),
        ("penstock-collector", 3600),
    ]
    assert volumes["penstock-credentials"]["secret"]["secretName"] == "shop-db"
    assert volumes["penstock-upstream-ca"]["secret"] == {
        "secretName": "shop-db-ca",
        "items": [{"key": "ca.pem", "path": "ca.crt"}],
    }


def test_a_database_that_names_no_authority_needs_no_volume_for_it(desk: Desk) -> None:
    desk.shop.database["spec"]["tls"] = {"mode": "require"}
    after = desk.admitted(pod())
    assert "penstock-upstream-ca" not in [volume["name"] for volume in after["spec"]["volumes"]]
    assert "PENSTOCK_UPSTREAM_CA_FILE" not in env(after["spec"]["initContainers"][0])


def test_the_installation_may_say_how_long_a_policy_counts(desk: Desk) -> None:
    name = "PENSTOCK_CONTROL__MAX_AGE_SECONDS"
    assert name not in env(desk.admitted(pod())["spec"]["initContainers"][0])
    desk.shape = replace(desk.shape, policy_max_age=900)
    assert env(desk.admitted(pod())["spec"]["initContainers"][0])[name] == "900"


def test_the_installation_may_say_whose_tokens_count(desk: Desk) -> None:
    names = {"PENSTOCK_IDENTITY__ISSUERS", "PENSTOCK_IDENTITY__LOGIN"}
    assert names.isdisjoint(env(desk.admitted(pod())["spec"]["initContainers"][0]))
    desk.shape = replace(desk.shape, issuers='[{"issuer": "https://i"}]', login="oauthbearer")
    found = env(desk.admitted(pod())["spec"]["initContainers"][0])
    assert [found[name] for name in sorted(names)] == ['[{"issuer": "https://i"}]', "oauthbearer"]


def test_a_sidecar_asks_control_for_approval_by_the_token_that_it_has_for_it(desk: Desk) -> None:
    first = desk.admitted(pod())["spec"]["initContainers"][0]
    found = env(first)
    assert found["PENSTOCK_APPROVALS__URL"] == found["PENSTOCK_CONTROL__URL"] == desk.shape.control_url
    assert found["PENSTOCK_APPROVALS__TOKEN_FILE"] == "/var/run/penstock/identity/control-token"
    assert found["PENSTOCK_APPROVALS__CA_FILE"] == found["PENSTOCK_CONTROL__CA_FILE"]


def test_annotations_shape_ports_url_and_resources(desk: Desk) -> None:
    after = desk.admitted(
        annotated(pod(), port="6432", health_port="9999", url_variable="DATABASE_URL", resources="cpu=70m")
    )
    first, (web,) = after["spec"]["initContainers"][0], after["spec"]["containers"]
    assert env(web)["PGPORT"] == "6432"
    assert env(web)["DATABASE_URL"] == "postgresql://web@127.0.0.1:6432/shop?sslmode=disable"
    assert env(first)["PENSTOCK_LISTEN"] == "127.0.0.1:6432"
    assert first["startupProbe"]["httpGet"]["port"] == first["ports"][0]["containerPort"] == 9999
    assert first["resources"]["requests"] == {"cpu": "70m", "memory": "128Mi"}
    assert first["resources"]["limits"] == {"cpu": "70m", "memory": "256Mi"}


def test_a_database_name_is_quoted_in_the_url(desk: Desk) -> None:
    desk.shop.database["spec"]["dbname"] = "shop eu/1"
    web = desk.admitted(annotated(pod(), url_variable="URL"))["spec"]["containers"][0]
    assert env(web)["PGDATABASE"] == "shop eu/1"
    assert env(web)["URL"] == "postgresql://web@127.0.0.1:5432/shop%20eu%2F1?sslmode=disable"


def test_our_variables_stand_before_those_that_may_refer_to_them(desk: Desk) -> None:
    own = {"name": "DSN", "value": "host=$(PGHOST)"}
    web = desk.admitted(pod(containers=[{"name": "web", "env": [own]}]))["spec"]["containers"][0]
    assert [entry["name"] for entry in web["env"]] == [
        "PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSSLMODE", "DSN",
    ]  # fmt: skip


def test_variables_that_lead_past_the_sidecar_give_way_with_a_warning(desk: Desk) -> None:
    own = [
        {"name": "PGHOST", "value": "shop-db"},
        {"name": "PGPASSWORD", "value": "x"},
        {"name": "PGSERVICE", "value": "y"},
        {"name": "COLOUR", "value": "blue"},
    ]
    subject = pod(containers=[{"name": "web", "env": own}])
    assert env(desk.admitted(subject)["spec"]["containers"][0]) == {
        "PGHOST": "127.0.0.1", "PGPORT": "5432", "PGUSER": "web", "PGDATABASE": "shop", "PGSSLMODE": "disable",
        "COLOUR": "blue",
    }  # fmt: skip
    assert sorted(desk.answer(subject)["warnings"]) == [
        "penstock: container web: PGHOST was replaced",
        "penstock: container web: PGPASSWORD was removed; the sidecar holds the credentials",
        "penstock: container web: PGSERVICE was removed; the sidecar holds the credentials",
    ]


def test_a_pod_that_does_not_ask_passes_untouched(desk: Desk) -> None:
    assert desk.answer(annotated(pod(), inject="false")) == {"uid": "u-1", "allowed": True}
    assert desk.answer({"kind": "Pod", "metadata": {}, "spec": {}}) == {"uid": "u-1", "allowed": True}


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (annotated(pod(), inject="yes"), 'takes "true" or "false"'),
        (annotated(pod(), database="shpo"), "there is no Database shpo; Databases in the namespace shop: shop"),
        (pod(hostNetwork=True), "hostNetwork shares 127.0.0.1"),
        (pod(shareProcessNamespace=True), "shareProcessNamespace"),
        (pod(hostPID=True), "hostPID"),
        (pod(os={"name": "windows"}), "Linux only"),
        (
            pod(containers=[{"name": "db", "ports": [{"containerPort": 5432}]}]),
            "container db has port 5432, which the sidecar would take; set the annotation penstock.dev/port",
        ),
        (
            pod(containers=[{"name": "m", "ports": [{"containerPort": 9187, "protocol": "TCP"}]}]),
            "container m has port 9187, which the sidecar would take; set the annotation penstock.dev/health-port",
        ),
        (annotated(pod(), port="9187"), "ask for port 9187 twice"),
        (pod(containers=[{"name": "penstock-proxy"}]), "the container name penstock-proxy is reserved"),
        (pod(initContainers=[{"name": "penstock-proxy"}]), "the container name penstock-proxy is reserved"),
        (pod(volumes=[{"name": "penstock-spool", "emptyDir": {}}]), "the volume name penstock-spool is reserved"),
    ],
)
def test_what_can_not_be_is_refused_in_words(desk: Desk, subject: Json, words: str) -> None:
    assert words in desk.refusal(subject)


def test_the_database_must_be_named(desk: Desk) -> None:
    subject = pod()
    del subject["metadata"]["annotations"]["penstock.dev/database"]
    assert desk.refusal(subject) == (
        "penstock: the annotation penstock.dev/database is missing; Databases in the namespace shop: shop"
    )


def test_a_database_of_another_namespace_is_none(desk: Desk) -> None:
    assert "Databases in the namespace other: none" in desk.refusal(pod(), namespace="other")


def test_an_old_cluster_would_drop_what_makes_it_a_sidecar(shop: Any, shape: Shape) -> None:
    old = Shape("i", "1", "https://c", "https://d", native_sidecars=False)
    assert "older than Kubernetes 1.29" in Desk(shop, old).refusal(pod())


def test_udp_ports_do_not_clash(desk: Desk) -> None:
    assert desk.admitted(pod(containers=[{"name": "x", "ports": [{"containerPort": 5432, "protocol": "UDP"}]}]))


def test_a_service_account_without_policy_is_a_warning(desk: Desk) -> None:
    assert desk.answer(pod(serviceAccountName="other"))["warnings"] == [
        "penstock: no DatabaseAccessPolicy for the Database shop is for the service account other; "
        "its sessions will be refused"
    ]
    assert "warnings" not in desk.answer(pod())
    desk.shop.policy["spec"]["subjects"].append({"identity": {"kind": "agent"}})
    assert "warnings" not in desk.answer(pod(serviceAccountName="other")), "agents may come through any pod"


def test_the_mesh_sets_up_the_network_before(desk: Desk) -> None:
    after = desk.admitted(
        pod(initContainers=[{"name": "istio-init"}, {"name": "istio-proxy", "restartPolicy": "Always"}, {"name": "m"}])
    )
    names = [container["name"] for container in after["spec"]["initContainers"]]
    assert names == ["istio-init", "istio-proxy", "penstock-proxy", "m"]


def test_a_container_that_another_webhook_adds_later_is_led_to_the_sidecar_too(desk: Desk) -> None:
    after = desk.admitted(pod())
    after["spec"]["containers"].append({"name": "late"})
    again = desk.admitted(after)
    assert env(again["spec"]["containers"][1])["PGHOST"] == "127.0.0.1"
    assert again["spec"]["initContainers"] == after["spec"]["initContainers"]


def test_a_copied_pod_template_with_stamps_but_no_sidecar_gets_one(desk: Desk) -> None:
    after = desk.admitted(annotated(pod(), injected_version="0", policy_generation="1"))
    assert after["spec"]["initContainers"][0]["name"] == "penstock-proxy"
    assert after["metadata"]["annotations"]["penstock.dev/injected-version"] == "1"


@pytest.mark.parametrize(
    "owners",
    [
        [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": True}],
        [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "gone", "uid": "u"}],
        [{"apiVersion": "no.such.group/v9", "kind": "Anything", "name": "x", "uid": "u"}] * 3,
        [{}],
        None,
    ],
)
def test_whoever_owns_the_pod_and_whether_that_is_known_makes_no_difference(desk: Desk, owners: Any) -> None:
    """Nobody is looked up on the way: an owner of an unknown kind, or one that is gone, can't fail the pod."""
    owned = pod()
    owned["metadata"]["ownerReferences"] = owners
    after = desk.admitted(owned)
    assert after["metadata"].pop("ownerReferences") == owners
    assert after == desk.admitted(pod())


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        [],
        "x",
        {},
        {"request": None},
        {"request": {"uid": 7}},
        review(None),
        review({"kind": "Service"}),
        review({"kind": "Pod", "metadata": {}}),
        review(pod(), namespace=""),
    ],
)
def test_garbage_is_no_review(desk: Desk, garbage: Any) -> None:
    with pytest.raises(BadReview):
        admit(garbage, desk.shop, desk.shape)


variables = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from(["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSERVICE", "URL", "OTHER"]),
            "value": st.sampled_from(["127.0.0.1", "5432", "web", "x"]),
        }
    ),
    max_size=6,
)
containers = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["a", "b", "istio-proxy"])}, optional={"env": variables}),
    max_size=3,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    apps=containers.filter(bool),
    inits=st.none() | containers,
    volumes=st.none() | st.just([{"name": "data", "emptyDir": {}}]),
    url=st.booleans(),
)
def test_a_second_look_changes_nothing(desk: Desk, apps: Any, inits: Any, volumes: Any, url: bool) -> None:
    subject = pod(containers=apps, initContainers=inits, volumes=volumes)
    if url:
        annotated(subject, url_variable="URL")
    after = desk.admitted(subject)
    assert "patch" not in desk.answer(after)
    assert desk.answer(subject) == desk.answer(subject), "the same pod, the same answer"
    ours = [c for c in after["spec"]["initContainers"] if c["name"] == "penstock-proxy"]
    assert len(ours) == 1
    others = [c["name"] for c in after["spec"]["initContainers"] if c["name"] != "penstock-proxy"]
    assert others == [c["name"] for c in inits or []], "the others stay, in their order"
    for container in after["spec"]["containers"]:
        found = env(container)
        assert (found["PGHOST"], found["PGPORT"], found["PGUSER"]) == ("127.0.0.1", "5432", "web")
        assert not {"PGPASSWORD", "PGSERVICE"} & set(found)


@pytest.mark.parametrize(("spec", "told"), [({}, "30"), ({"terminationGracePeriodSeconds": 120}, "120")])
def test_the_gate_is_told_how_long_the_pod_may_take_to_end(desk: Desk, spec: Json, told: str) -> None:
    gate = desk.admitted(pod(**spec))["spec"]["initContainers"][0]
    assert env(gate)["PENSTOCK_END_SECONDS"] == told
    assert env(gate)["PENSTOCK_SPOOL__LASTS"] == "false"
