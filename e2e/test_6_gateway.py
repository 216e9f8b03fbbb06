"""A gateway of two replicas for people: tokens, two databases by dbname, a replica that goes while sessions run."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.conftest import SYSTEM
from e2e.environment import ROOT
from e2e.kubectl import CommandError, Kubectl, eventually
from e2e.shop import manifests
from e2e.test_3_audit import collector, search, viewer

__all__ = ["collector", "viewer"]

ISSUER = "https://login.example"
KEY = ec.generate_private_key(ec.SECP256R1())
NAME, SPACE = "penstock-gateway-people", manifests.NAMESPACE
GATEWAY = {
    "name": "people",
    "namespace": SPACE,
    "databases": [
        {"name": "shop", "credentialsSecret": "shop-db", "caSecret": {"name": "shop-db-ca", "key": "ca.crt"}},
        {"name": "stock", "credentialsSecret": "stock-db", "caSecret": {"name": "shop-db-ca", "key": "ca.crt"}},
    ],
    "issuers": [{"issuer": ISSUER, "audience": "penstock", "kind": "person", "jwksFile": "keys.json"}],
    "issuerFiles": "issuer-keys",
    # All clients of these tests are one machine, and both replicas are to have sessions.
    "service": {"sessionAffinity": "None"},
}
STOCK = """
CREATE ROLE stock_gate LOGIN PASSWORD 'stock-password';
CREATE DATABASE stock OWNER stock_gate;
\\connect stock
CREATE TABLE parts (id integer PRIMARY KEY, supplier text);
INSERT INTO parts VALUES (1, 'supplier@example.com');
GRANT SELECT ON parts TO stock_gate;
"""


def token(**claims: Any) -> str:
    values = {"iss": ISSUER, "aud": "penstock", "sub": "ada", "exp": int(time.time()) + 600, "groups": ["support"]}
    return jwt.encode(values | claims, KEY, algorithm="ES256", headers={"kid": "one"})


def policy(name: str, database: str, **spec: Any) -> manifests.Object:
    subjects = [{"identity": {"kind": "person", "groups": ["support"]}}]
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "DatabaseAccessPolicy",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"databaseRef": {"name": database}, "subjects": subjects, **spec},
    }


@dataclass(frozen=True)
class Gateway:
    """The Service, as a person on this machine reaches it."""

    kubectl: Kubectl
    address: str
    ca_file: Path

    def open(self, dbname: str, **claims: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(
            f"host={NAME}.{SPACE}.svc hostaddr={self.address} dbname={dbname} user=me sslmode=verify-full "
            f"sslrootcert={self.ca_file} connect_timeout=10",
            password=token(**claims), autocommit=True,
        )  # fmt: skip

    def pods(self) -> list[str]:
        """Those that are not on their way out."""
        found = self.kubectl.get("-n", SPACE, "pods", "-l", "penstock.dev/gateway=people")["items"]
        return [one["metadata"]["name"] for one in found if "deletionTimestamp" not in one["metadata"]]

    def sessions(self, pod: str) -> int:
        """How many sessions with a database a replica has, as its metrics tell."""
        path = f"/api/v1/namespaces/{SPACE}/pods/{pod}:9187/proxy/metrics"
        lines = self.kubectl("get", "--raw", path).splitlines()
        return sum(int(float(one.split()[1])) for one in lines if one.startswith("penstock_database_sessions{"))


@pytest.fixture(scope="module")
def gateway(shop: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server = ("-n", SPACE, "exec", "-i", "deploy/shop-db", "--", "env", "PGPASSWORD=superuser-password")
    shop(*server, "/usr/lib/postgresql/15/bin/psql", "-qh", "127.0.0.1", "-U", "postgres", stdin=STOCK)
    credentials = {"username": b"stock_gate", "password": b"stock-password"}
    key = {**jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True), "kid": "one", "use": "sig"}
    database = manifests.database(dbname="stock", credentialsSecretRef={"name": "stock-db"}, classification=[])
    database["metadata"]["name"] = "stock"
    shop.apply(
        {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "stock-db", "namespace": SPACE},
            "data": {name: base64.b64encode(value).decode() for name, value in credentials.items()},
        },
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "issuer-keys", "namespace": SPACE},
            "data": {"keys.json": json.dumps({"keys": [key]})},
        },
        database,
        policy("people-shop", "shop", masks=[{"tags": ["pii.email"], "with": {"email": {}}}]),
        policy("people-stock", "stock"),
    )  # fmt: skip
    upgrade(shop, [GATEWAY])
    shop.rollout(SPACE, f"deploy/{NAME}")
    ca_file = tmp_path_factory.mktemp("gateway") / "ca.crt"
    ca_file.write_text(shop("-n", SPACE, "get", "cm", "penstock-ca", "-o", 'go-template={{index .data "ca.crt"}}'))
    yield Gateway(shop, str(shop.get("-n", SPACE, "service", NAME)["spec"]["clusterIP"]), ca_file)
    upgrade(shop, [])
    shop(
        "-n", SPACE, "delete", "database/stock", "databaseaccesspolicy/people-shop", "databaseaccesspolicy/people-stock"
    )


def refusal(client: psycopg.Connection[Any]) -> str:
    """What a session says instead of going on; empty while it goes on."""
    try:
        client.execute("SELECT 1")
    except psycopg.OperationalError as error:
        return str(error)
    return ""


def upgrade(kubectl: Kubectl, gateways: list[dict[str, Any]]) -> None:
    kubectl.helm(
        "upgrade", "penstock", str(ROOT / "charts" / "penstock"), "--namespace", SYSTEM, "--reuse-values",
        "--set-json", f"gateways={json.dumps(gateways)}", "--wait", "--timeout", "4m",
    )  # fmt: skip


def test_each_database_has_its_own_masks_and_login(gateway: Gateway) -> None:
    with gateway.open("shop") as client:
        rows = client.execute("SELECT session_user, email FROM customers ORDER BY id").fetchall()
    assert rows == [("gate", "a***@example.com"), ("gate", "b***@example.org")]
    with gateway.open("stock") as client:
        rows = client.execute("SELECT session_user, supplier FROM parts").fetchall()
    assert rows == [("stock_gate", "supplier@example.com")]


def test_who_has_no_policy_or_no_token_gets_nowhere(gateway: Gateway) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"any policy opens to you\s+HINT:  ask who"):
        gateway.open("shop", groups=["visitors"])
    with pytest.raises(psycopg.OperationalError, match="set dbname to one of shop, stock"):
        gateway.open("postgres")
    with pytest.raises(psycopg.OperationalError, match="expired"):
        gateway.open("shop", exp=int(time.time()) - 100)
    with pytest.raises(psycopg.OperationalError, match="requires an encrypted connection"):
        psycopg.connect(host=gateway.address, dbname="shop", user="me", password=token(), sslmode="disable")


def test_nobody_enters_a_gateway(gateway: Gateway) -> None:
    with pytest.raises(CommandError, match="nobody may enter it"):
        gateway.kubectl(
            "-n", SPACE, "exec", f"deploy/{NAME}", "--", "cat", "/var/run/penstock/credentials/shop/password"
        )


def test_a_revocation_ends_sessions_with_its_database_alone(gateway: Gateway) -> None:
    with gateway.open("shop", sub="eve") as shop, gateway.open("stock", sub="eve") as stock:
        stop = policy("people-stop", "shop", mode="revoke", subjects=[{"identity": {"subject": "eve"}}])
        gateway.kubectl.apply(stop)
        try:
            words = eventually(lambda: refusal(shop), bool, what="the end of the session")
            assert "access is revoked (policy people-stop)" in words
            assert stock.execute("SELECT 1").fetchone() == (1,)
            with pytest.raises(psycopg.OperationalError, match="access is revoked"):
                gateway.open("shop", sub="eve")
        finally:
            gateway.kubectl("-n", SPACE, "delete", "databaseaccesspolicy", "people-stop")


def test_a_replica_goes_while_statements_run_and_nobody_loses_one(gateway: Gateway) -> None:
    sessions = [gateway.open("shop" if number % 2 else "stock") for number in range(12)]
    victim, other = sorted(gateway.pods(), key=gateway.sessions, reverse=True)
    # Twelve of one and none of the other happen once in two thousand runs.
    assert gateway.sessions(other) > 0
    with ThreadPoolExecutor(len(sessions)) as threads:
        running = [threads.submit(lambda one: one.execute("SELECT pg_sleep(8), 1").fetchone(), one) for one in sessions]
        time.sleep(1)
        gateway.kubectl("-n", SPACE, "delete", "pod", victim, "--wait=false")
        # What runs is finished; new sessions begin all the while.
        for _ in range(10):
            with gateway.open("shop") as client:
                assert client.execute("SELECT count(*) FROM orders").fetchone() is not None
            time.sleep(0.5)
        assert [one.result()[1] for one in running] == [1] * len(sessions)  # type: ignore[index]
    eventually(lambda: victim not in _all_pods(gateway), bool, seconds=90, what="the end of the replica")
    # Those of the other replica never noticed. How a driver words the end of the others, over TLS, is its own matter.
    assert 0 < sum(bool(refusal(one)) for one in sessions) < len(sessions)
    for one in sessions:
        one.close()
    gateway.kubectl.rollout(SPACE, f"deploy/{NAME}")
    with gateway.open("stock") as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_the_trail_has_the_person_and_the_database(gateway: Gateway, viewer: dict[str, str]) -> None:
    with gateway.open("stock") as client:
        client.execute("SELECT supplier AS a_part_of_the_trail FROM parts")
    found = eventually(lambda: search(viewer, "a_part_of_the_trail"), bool, what="the statement")
    assert "person:ada" in found[0]["identity"]
    assert (found[0]["database"], found[0]["decision"]) == ("stock", "allow")


def _all_pods(gateway: Gateway) -> list[str]:
    found = gateway.kubectl.get("-n", SPACE, "pods", "-l", "penstock.dev/gateway=people")["items"]
    return [one["metadata"]["name"] for one in found]
