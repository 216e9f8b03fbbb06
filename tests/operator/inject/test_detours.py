"""Ways around the gate that can only be suspected when a pod is made."""

from __future__ import annotations

import pytest
from tests.operator.inject.desk import Desk, Json, pod


def told(desk: Desk, **container: object) -> list[str]:
    found: list[str] = desk.answer(pod(containers=[{"name": "web", **container}])).get("warnings", [])
    return found


def literal(value: str, name: str = "DATABASE_URL") -> Json:
    return {"env": [{"name": name, "value": value}]}


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("postgresql://shop:secret@shop-db.shop.svc:5432/shop", "shop-db.shop.svc"),
        ("postgres://shop-db/shop", "shop-db"),
        ("postgresql://a:b@shop-db.shop/shop?x=y", "shop-db.shop"),
        ("jdbc:postgresql://SHOP-DB.shop.svc.cluster.local/shop", "shop-db.shop"),
        ("host=shop-db port=5432", "shop-db"),
        ("hostaddr='shop-db.shop.svc' dbname=x", "shop-db.shop.svc"),
        ("shop-db.shop.svc", "shop-db.shop.svc"),
        ("other.example,shop-db.shop.svc", "shop-db.shop.svc"),
    ],
)
def test_an_address_of_the_database_is_warned_of(desk: Desk, value: str, host: str) -> None:
    (warning,) = told(desk, **literal(value))
    assert warning.startswith(f"penstock: container web: DATABASE_URL names {host}")
    assert "the host of the Database shop; what connects there goes around the gate" in warning
    assert "secret" not in warning
    (warning,) = told(desk, command=["serve"], args=["--dsn", value])
    assert warning.startswith(f"penstock: container web: its command names {host}")


@pytest.mark.parametrize(
    "value",
    [
        "postgresql://127.0.0.1/shop",
        "my-shop-db",
        "shop-db-replica.shop.svc",
        "http://x.example/shop-db",
        "",
        "localhost",
    ],
)
def test_another_address_is_not(desk: Desk, value: str) -> None:
    assert told(desk, **literal(value)) == []


def test_what_injection_puts_right_is_no_way_around(desk: Desk) -> None:
    subject = pod(containers=[{"name": "web", **literal("postgresql://shop-db/shop", "URL")}])
    subject["metadata"]["annotations"]["penstock.dev/url-variable"] = "URL"
    assert desk.answer(subject)["warnings"] == ["penstock: container web: URL was replaced"]


@pytest.mark.parametrize("source", ["secretKeyRef", "configMapKeyRef"])
@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "DB_PASSWORD", "POSTGRES_PASSWORD", "SHOP_DATABASE_DSN", "SQLALCHEMY_DATABASE_URI", "PG_DSN"],
)
def test_a_secret_that_gives_the_way_is_warned_of_by_its_name(desk: Desk, name: str, source: str) -> None:
    given = {"name": name, "valueFrom": {source: {"name": "legacy", "key": "url"}}}
    assert told(desk, env=[given]) == [
        f"penstock: container web: {name} comes from legacy, which is not read here; if it leads to a Database's "
        "server, what connects there goes around the gate"
    ]
    assert told(desk, env=[given | {"name": "MAIL_PASSWORD"}]) == []


@pytest.mark.parametrize("source", ["secretRef", "configMapRef"])
@pytest.mark.parametrize("name", ["shop-db-legacy", "postgres", "app-database", "db"])
def test_so_is_one_that_is_taken_whole(desk: Desk, name: str, source: str) -> None:
    (warning,) = told(desk, envFrom=[{source: {"name": name}}])
    assert warning.startswith(f"penstock: container web: envFrom takes all of {name}, which is not read here")
    assert told(desk, envFrom=[{source: {"name": "mail"}}]) == []


def test_where_there_is_envfrom_what_leads_elsewhere_is_set_empty(desk: Desk) -> None:
    subject = pod(containers=[{"name": "web", "envFrom": [{"secretRef": {"name": "mail"}}]}])
    after = desk.admitted(subject)
    found = {entry["name"]: entry["value"] for entry in after["spec"]["containers"][0]["env"]}
    emptied = ["PGHOSTADDR", "PGPASSFILE", "PGPASSWORD", "PGSERVICEFILE"]
    assert sorted(name for name, value in found.items() if value == "") == emptied
    # As the API server stores it.
    for entry in after["spec"]["containers"][0]["env"]:
        if not entry["value"]:
            del entry["value"]
    assert desk.admitted(after)["spec"] == after["spec"]
    assert "warnings" not in desk.answer(after)


def test_a_server_in_the_pod_itself_has_no_address_that_tells(desk: Desk) -> None:
    desk.shop.database["spec"] |= {"host": "127.0.0.1", "tls": {"mode": "require"}}
    assert told(desk, **literal("postgresql://127.0.0.1/shop")) == []
