"""What Helm makes of webhooks and of the policies that guard pods: what they depend on, and what stays."""

from __future__ import annotations

import json

from e2e.chart.rendering import GATEWAYS, Render, containers
from penstock_operator.control.app import LABELLED
from penstock_operator.inject.workloads import LIKE_OURS


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
