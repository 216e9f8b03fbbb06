"""The gateway of these tests as people on this machine reach it: two databases, tokens of two issuers, two replicas.

Of one issuer it has the keys as a file, those of the other (`issuer.py`) it fetches. What doesn't belong: installing it
(`conftest.py`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric import ec

from e2e.kubectl import Kubectl
from e2e.people.issuer import Issuer
from e2e.shop import manifests

ISSUER = "https://login.example"
KEY = ec.generate_private_key(ec.SECP256R1())
NAME, SPACE = "penstock-gateway-people", manifests.NAMESPACE
HOST = f"{NAME}.{SPACE}.svc"
GATEWAY: dict[str, Any] = {
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


def another_database(name: str, table: str, column: str, value: str) -> str:
    """SQL that makes one on the shop's server, with a table of one row and a login for its gate."""
    return f"""
CREATE ROLE {name}_gate LOGIN PASSWORD '{name}-password';
CREATE DATABASE {name} OWNER {name}_gate;
\\connect {name}
CREATE TABLE {table} (id integer PRIMARY KEY, {column} text);
INSERT INTO {table} VALUES (1, '{value}');
GRANT SELECT ON {table} TO {name}_gate;
"""


STOCK = another_database("stock", "parts", "supplier", "supplier@example.com")
_SUPERUSER = ("exec", "-i", "deploy/shop-db", "--", "env", "PGPASSWORD=superuser-password")


def token(**claims: Any) -> str:
    """Of the issuer whose keys are a file."""
    values = {"iss": ISSUER, "aud": "penstock", "sub": "ada", "exp": int(time.time()) + 600, "groups": ["support"]}
    return jwt.encode(values | claims, KEY, algorithm="ES256", headers={"kid": "one"})


def keys() -> dict[str, Any]:
    """The file."""
    key = jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return {"keys": [{**key, "kid": "one", "use": "sig"}]}


def policy(name: str, database: str, **spec: Any) -> manifests.Object:
    subjects = [{"identity": {"kind": "person", "groups": ["support"]}}]
    return {
        "apiVersion": "penstock.dev/v1alpha1",
        "kind": "DatabaseAccessPolicy",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {"databaseRef": {"name": database}, "subjects": subjects, **spec},
    }


def superuser(kubectl: Kubectl, sql: str, dbname: str = "postgres") -> str:
    """What the server itself does and answers, by no gate."""
    psql = (
        "/usr/lib/postgresql/15/bin/psql",
        "-XqAtv",
        "ON_ERROR_STOP=1",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-d",
        dbname,
    )
    return kubectl("-n", SPACE, *_SUPERUSER, *psql, stdin=sql).strip()


@dataclass(frozen=True)
class Gateway:
    """The Service, and its replicas."""

    kubectl: Kubectl
    address: str
    ca_file: Path
    issuer: Issuer

    def open(self, dbname: str, **claims: Any) -> psycopg.Connection[Any]:
        return self.connect(dbname, token(**claims))

    def connect(self, dbname: str, password: str, address: str = "") -> psycopg.Connection[Any]:
        """A session by that token; at a replica, if its address is given."""
        return psycopg.connect(
            f"host={HOST} hostaddr={address or self.address} dbname={dbname} user=me sslmode=verify-full "
            f"sslrootcert={self.ca_file} connect_timeout=10",
            password=password, autocommit=True,
        )  # fmt: skip

    def replicas(self) -> dict[str, str]:
        """Those that are not on their way out, and their addresses."""
        found = self.kubectl.get("-n", SPACE, "pods", "-l", "penstock.dev/gateway=people")["items"]
        return {
            one["metadata"]["name"]: one["status"]["podIP"]
            for one in found
            if "deletionTimestamp" not in one["metadata"]
        }

    def sessions(self, pod: str) -> int:
        """How many sessions with a database a replica has, as its metrics tell."""
        path = f"/api/v1/namespaces/{SPACE}/pods/{pod}:9187/proxy/metrics"
        lines = self.kubectl("get", "--raw", path).splitlines()
        return sum(int(float(one.split()[1])) for one in lines if one.startswith("penstock_database_sessions{"))


def refusal(client: psycopg.Connection[Any]) -> str:
    """What a session says instead of going on; empty while it goes on."""
    try:
        client.execute("SELECT 1")
    except psycopg.OperationalError as error:
        return str(error)
    return ""
