"""Pods that name several Databases come to admission: what holds for one Database holds for each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.operator.inject.desk import Desk, Json, annotated, pod
from tests.operator.inject.test_admit import env

from penstock_operator.inject.isolation import refuse_debugging


@pytest.fixture
def several(desk: Desk) -> Desk:
    """A shop with three Databases."""
    desk.shop.others = {"billing": "billing-db", "staff": "staff-db"}
    desk.shop.specs = {
        "billing": {"host": "billing-db.shop.svc", "dbname": "ledger", "tls": {"mode": "require"}},
        "staff": {"host": "people.example", "dbname": "staff"},
    }
    return desk


def asking(databases: str = "shop,billing", **spec: Any) -> Json:
    return annotated(pod(**spec), database=databases)


def test_the_first_has_libpqs_variables_and_the_other_its_own(several: Desk) -> None:
    subject = annotated(asking(initContainers=[{"name": "migrate", "image": "web:1"}]), url_variable="DATABASE_URL")
    after = several.admitted(subject)
    for container in (after["spec"]["initContainers"][1], *after["spec"]["containers"]):
        assert env(container) == {
            "PGHOST": "127.0.0.1", "PGPORT": "5432", "PGUSER": "web", "PGDATABASE": "shop", "PGSSLMODE": "disable",
            "DATABASE_URL": "postgresql://web@127.0.0.1:5432/shop?sslmode=disable",
            "BILLING_PGHOST": "127.0.0.1", "BILLING_PGPORT": "5433", "BILLING_PGUSER": "web",
            "BILLING_PGDATABASE": "ledger", "BILLING_PGSSLMODE": "disable",
            "BILLING_DATABASE_URL": "postgresql://web@127.0.0.1:5433/ledger?sslmode=disable",
        }  # fmt: skip


def test_the_sidecar_alone_holds_the_secrets_of_each(several: Desk) -> None:
    after = several.admitted(asking("shop, billing ,staff"))
    first, volumes = after["spec"]["initContainers"][0], {one["name"]: one for one in after["spec"]["volumes"]}
    assert "volumeMounts" not in after["spec"]["containers"][0]
    sources = [one["secret"] for one in volumes["penstock-credentials"]["projected"]["sources"]]
    assert [(one["name"], [item["path"] for item in one["items"]]) for one in sources] == [
        (f"{name}-db", [f"{name}/username", f"{name}/password"]) for name in ("shop", "billing", "staff")
    ]
    authorities = [one["secret"] for one in volumes["penstock-upstream-ca"]["projected"]["sources"]]
    assert authorities == [
        {"name": "shop-db-ca", "items": [{"key": "ca.pem", "path": f"{name}/ca.crt"}]} for name in ("shop", "staff")
    ]
    listed = json.loads(env(first)["PENSTOCK_DATABASES"])
    assert listed[0] == {
        "name": "shop", "listen": "127.0.0.1:5432", "credentialsDir": "/var/run/penstock/credentials/shop",
        "upstreamCaFile": "/var/run/penstock/upstream-ca/shop/ca.crt",
    }  # fmt: skip
    assert [(one["name"], one["listen"], "upstreamCaFile" in one) for one in listed[1:]] == [
        ("billing", "127.0.0.1:5433", False),
        ("staff", "127.0.0.1:5434", True),
    ]
    assert {"PENSTOCK_LISTEN", "PENSTOCK_DATABASE", "PENSTOCK_CREDENTIALS_DIR"}.isdisjoint(env(first))


def test_the_pod_bears_what_it_was_given_and_a_second_look_changes_nothing(several: Desk) -> None:
    after = several.admitted(asking("billing , shop"))
    assert after["metadata"]["annotations"]["penstock.dev/database"] == "billing,shop"
    assert after["metadata"]["annotations"]["penstock.dev/policy-generation"] == "42,42"
    assert several.admitted(after) == after
    after["metadata"]["annotations"]["penstock.dev/database"] = "shop"
    alone = several.admitted(after)
    assert "PENSTOCK_DATABASES" not in env(alone["spec"]["initContainers"][0]), "what it is no more is not kept"


def test_ports_and_names_of_variables_may_be_chosen(several: Desk) -> None:
    web = several.admitted(annotated(asking(), port="6000,7000", variable_prefix="billing=LEDGER"))["spec"][
        "containers"
    ]
    assert env(web[0])["PGPORT"] == "6000"
    assert env(web[0])["LEDGER_PGPORT"] == "7000"


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (asking("shop,bililng"), "there is no Database bililng; Databases in the namespace shop: shop, billing, staff"),
        (asking("shop,finance/ledger"), "takes the name of a Database in the pod's own namespace"),
        (asking("shop,shop"), "names the Database shop twice"),
        (asking(",".join(f"d{n}" for n in range(9))), "there is no Database d0"),
        (
            asking(containers=[{"name": "metrics", "ports": [{"containerPort": 5433}]}]),
            "container metrics has port 5433, which the sidecar would take for the Database billing; "
            "set the annotation penstock.dev/port to free ones, one for each",
        ),
        (annotated(asking(), url_variable="BILLING_PGHOST"), "BILLING_PGHOST would be"),
        (annotated(asking(), url_variable="PGHOST"), "url-variable is PGHOST, which libpq reads for something else"),
        (annotated(asking(), port="9186"), "port 9187 twice, for the Database billing"),
        (
            asking(hostAliases=[{"ip": "10.0.0.9", "hostnames": ["billing-db.shop.svc"]}]),
            "hostAliases send billing-db.shop.svc to 10.0.0.9",
        ),
        (
            asking(containers=[{"name": "web", "envFrom": [{"secretRef": {"name": "billing-db"}}]}]),
            "would hold the credentials of the Database billing",
        ),
    ],
)
def test_what_can_not_be_is_refused_in_words(several: Desk, subject: Json, words: str) -> None:
    assert words in several.refusal(subject)


def test_one_that_is_not_valid_is_named(several: Desk) -> None:
    several.shop.invalid = {"billing"}
    assert "the Database billing is not valid; kubectl describe database billing" in several.refusal(asking())
    several.admitted(asking("shop,staff"))


def test_it_is_warned_of_ways_around_each_and_of_each_without_a_policy(several: Desk) -> None:
    own = [
        {"name": "LEDGER", "value": "postgresql://ledger:x@billing-db/billing"},
        {"name": "BILLING_PGHOSTADDR", "value": "10.0.0.9"},
        {"name": "BILLING_PGPASSWORD", "value": "x"},
        {"name": "BILLING_PGPORT", "value": "1"},
    ]
    subject = asking(containers=[{"name": "web", "env": own, "envFrom": [{"configMapRef": {"name": "colours"}}]}])
    warnings = "\n".join(several.answer(subject)["warnings"])
    assert "LEDGER names billing-db, the host of the Database billing" in warnings
    assert "BILLING_PGHOSTADDR was removed" in warnings
    assert "BILLING_PGPASSWORD was removed" in warnings
    assert "BILLING_PGPORT was replaced" in warnings
    assert "no DatabaseAccessPolicy for the Database billing is for the service account web" in warnings
    found = env(several.admitted(subject)["spec"]["containers"][0])
    assert (found["BILLING_PGHOSTADDR"], found["BILLING_PGPASSWORD"], found["PGPASSWORD"]) == ("", "", "")
    assert found["BILLING_PGPORT"] == "5433"


def test_a_container_added_later_reaches_the_secrets_of_none(several: Desk) -> None:
    after = several.admitted(asking())
    credentials = {"shop-db": "shop", "billing-db": "billing"}
    after["spec"]["ephemeralContainers"] = [
        {"name": "debug", "volumeMounts": [{"name": "penstock-credentials", "mountPath": "/c"}]}
    ]
    with pytest.raises(Exception, match="mounts penstock-credentials, which is the sidecar's alone"):
        refuse_debugging(after, credentials, [])
