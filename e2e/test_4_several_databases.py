"""A pod that names two Databases: each through a port of its own, with its own login, masks and trail."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from e2e.conftest import SHOP_IMAGE, Workload
from e2e.kubectl import CommandError, Kubectl, eventually
from e2e.people.gateway import SPACE, another_database, superuser
from e2e.shop import manifests

BOTH = {**manifests.INJECT, "penstock.dev/database": "shop,billing"}
# What an application does that has two databases: it reads the variables of the second by their prefix.
SECOND = 'export PGHOST="$BILLING_PGHOST" PGPORT="$BILLING_PGPORT" PGDATABASE="$BILLING_PGDATABASE"; exec "$@"'
WHO = "SELECT session_user, current_database()"


@pytest.fixture(scope="module")
def both(shop: Kubectl) -> Iterator[Workload]:
    """A workload with a gate to the shop's database and to another one on the same server."""
    superuser(shop, another_database("billing", "invoices", "payer", "payer@example.com"))
    login = {"username": b"billing_gate", "password": b"billing-password"}
    database = manifests.database(dbname="billing", credentialsSecretRef={"name": "billing-db"}, classification=[])
    database["metadata"]["name"] = "billing"
    masked = [{"columns": ["public.invoices.payer"], "with": {"redact": {}}}]
    shop.apply(
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "billing-db", "namespace": SPACE},
            "data": {name: base64.b64encode(text).decode() for name, text in login.items()},
        },
        database,
        manifests.policy("billing-web", databaseRef={"name": "billing"}, masks=masked, allow=["select"]),
    )  # fmt: skip
    shop.wait("-n", SPACE, "--for=condition=Accepted", "database/billing", seconds=60)
    eventually(lambda: refused(shop), lambda words: not words, 30, "control knows the Database")
    shop.apply(manifests.deployment(SHOP_IMAGE, "both", BOTH))
    shop.rollout(SPACE, "deploy/both")
    yield Workload(shop, "both")
    shop("-n", SPACE, "delete", "deploy/both", "--cascade=foreground", "--wait=true")
    shop(
        "-n",
        SPACE,
        "delete",
        "--wait=false",
        "databaseaccesspolicy/billing-web",
        "database/billing",
        "secret/billing-db",
    )


def refused(shop: Kubectl) -> str:
    try:
        shop.apply(manifests.pod(SHOP_IMAGE, "probe-both", BOTH))
    except CommandError as refusal:
        return str(refusal)
    shop("-n", SPACE, "delete", "pod", "probe-both", "--grace-period=0", "--force")
    return ""


def second(both: Workload, sql: str) -> str:
    return both.exec("sh", "-c", SECOND, "sh", "python3", "/shop/client.py", "run", "psycopg-extended", sql)


def test_each_has_its_own_login_and_masks(both: Workload) -> None:
    assert both.run("psycopg-extended", WHO)["rows"] == [["gate", "shop"]]
    assert '"rows": [["billing_gate", "billing"]]' in second(both, WHO)
    shown = both.run("asyncpg", "SELECT email FROM customers LIMIT 1")["rows"][0][0]
    assert "*" in shown
    assert "payer@example.com" not in second(both, "SELECT payer FROM invoices")
    assert '"sqlstate": "42501"' in second(both, "DELETE FROM invoices WHERE id = 1")


def governed(kubectl: Kubectl, database: str) -> list[str]:
    """The pods that the status of a Database names."""
    status = kubectl.get("-n", SPACE, "database", database).get("status") or {}
    return list(status.get("pods", {}).get("governed", {}).get("names", []))


@pytest.mark.parametrize("database", ["shop", "billing"])
def test_each_status_counts_the_pod(both: Workload, database: str) -> None:
    name = both.pod()["metadata"]["name"]
    eventually(lambda: governed(both.kubectl, database), lambda pods: name in pods, 60, f"{database} names the pod")


def test_a_suspended_one_leaves_the_other(both: Workload) -> None:
    suspended = json.dumps({"spec": {"suspended": {"reason": "INC-77"}}})
    patch = ("-n", SPACE, "patch", "database/billing", "--type=merge", "-p")
    both.kubectl(*patch, suspended)
    eventually(lambda: second(both, WHO), lambda said: "suspended" in said, 30, "the second is suspended")
    assert both.run("psycopg-simple", WHO)["rows"] == [["gate", "shop"]]
    both.kubectl(*patch, '{"spec": {"suspended": null}}')
    eventually(lambda: second(both, WHO), lambda said: "billing_gate" in said, 30, "the second is resumed")
