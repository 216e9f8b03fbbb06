"""A gate with three databases on two servers: two of them with the same name there, each with a login of its own."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from tests.sidecar.proxy.recorded import told_by
from tests.sidecar.proxy.test_tokens import issuers, token
from tests.sidecar.spooled import pending

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.assembly import Proxy
from penstock_sidecar.main import govern
from penstock_sidecar.proxy.served_database import ServedDatabase
from penstock_sidecar.settings import read

# Database: (the server's name for it, its login, how e-mail addresses are masked, the group that may use it).
DATABASES = {
    "front": ("quay", "front_gate", "email", "support"),
    "back": ("quay", "back_gate", "redact", "support"),
    "till": ("counter", "till_gate", None, "cashiers"),
}
EVERYBODY = ["support", "cashiers"]


def prepare(server: EmbeddedPostgres, *names: str) -> None:
    """Make databases and logins; each has a table of the same name with other rows."""
    for name in names:
        dbname, login, _, _ = DATABASES[name]
        if server.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{login}'").strip():
            continue
        server.psql(f"CREATE ROLE {login} LOGIN PASSWORD 'made-up {name}'; CREATE DATABASE {dbname} OWNER {login};")
        server.psql(
            f"CREATE TABLE people (id int PRIMARY KEY, email text); ALTER TABLE people OWNER TO {login};"
            f"INSERT INTO people VALUES (1, '{name}@example.com');",
            dbname=dbname,
        )


@dataclass
class Harbour:
    """The gate, and how to change what it is made from."""

    directory: Path
    servers: dict[str, int]
    # What becomes of statements that cannot be recorded, where it is not `block`.
    on_failure: dict[str, str] = field(default_factory=dict)
    proxy: Proxy = field(init=False)

    @classmethod
    def made(cls, directory: Path, servers: dict[str, EmbeddedPostgres]) -> Harbour:
        one = cls(directory, {name: server.port for name, server in servers.items()})
        for name, server in servers.items():
            prepare(server, name)
            (directory / name).mkdir()
            (directory / name / "username").write_text(DATABASES[name][1])
            (directory / name / "password").write_text(f"made-up {name}")
            (directory / f"{name}.key").write_text(base64.b64encode(name.ljust(32).encode()).decode())
        one.write()
        return one

    def write(self, name: str = "", **changes: Any) -> None:
        """All resources, one file a database; with changes to the Database of that name."""
        for one in self.servers:
            self.put(one, *self.documents(one, **(changes if one == name else {})))

    def documents(self, name: str, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A Database, with changes to its spec, and the policy of those who may use it."""
        dbname, _, mask, group = DATABASES[name]
        spec = {
            "host": "127.0.0.1", "port": self.servers[name], "dbname": dbname, "tls": {"mode": "disable"},
            "credentialsSecretRef": {"name": f"{name}-db"},
        }  # fmt: skip
        policy: dict[str, Any] = {
            "databaseRef": {"name": name}, "subjects": [{"identity": {"groups": [group]}}],
            "allow": ["select", "insert", "update", "delete", "create", "drop"],
            "audit": {"onFailure": self.on_failure.get(name, "block")},
        }  # fmt: skip
        if mask:
            policy["masks"] = [{"columns": ["public.people.email"], "with": {mask: {}}}]
        return resource("Database", name, spec | changes), resource("DatabaseAccessPolicy", f"{name}-users", policy)

    def put(self, file: str, *documents: dict[str, Any]) -> None:
        (self.directory / f"{file}.new").write_text(yaml.safe_dump_all(documents))
        (self.directory / f"{file}.new").rename(self.directory / f"{file}.resources")

    async def start(self, **changes: Any) -> Harbour:
        values: dict[str, Any] = {
            "listen": "127.0.0.1:0", "health": "127.0.0.1:0", "namespace": "shop", "name": "harbour",
            "databases": [self.entry(name) for name in self.servers], "resources": ["*.resources"],
            "identity": issuers(self.directory), "spool": {"path": "spool"}, "graceSeconds": 1,
        }  # fmt: skip
        settings = {name: value for name, value in (values | changes).items() if value is not None}
        (self.directory / "proxy.yaml").write_text(yaml.safe_dump(settings))
        self.proxy = Proxy(read(self.directory), govern)
        await self.proxy.start()
        return self

    def entry(self, name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "credentialsDir": name, "maskKeyFile": f"{name}.key", **more}

    def ports(self) -> dict[str, Any]:
        """Settings by which each database has a port of its own, and the pod is who everybody is without a token."""
        everybody = {"workload": {"namespace": "shop", "serviceAccount": "web"}}
        own = [self.entry(name, listen="127.0.0.1:0") for name in self.servers]
        return {"listen": None, "databases": own, "identity": everybody}

    def served(self, name: str) -> ServedDatabase:
        return self.proxy.gateway.databases[name]

    def poll(self) -> None:
        for one in self.proxy.databases:
            one.source.poll()  # type: ignore[attr-defined]  # they are files

    async def open(self, dbname: str = "", **claims: Any) -> psycopg.AsyncConnection[Any]:
        claims.setdefault("groups", EVERYBODY)
        where = f"host=127.0.0.1 port={self.proxy.port} user=me sslmode=disable"
        return await psycopg.AsyncConnection.connect(
            f"{where} dbname={dbname}" if dbname else where, password=token(**claims), autocommit=True
        )

    async def email(self, dbname: str, **claims: Any) -> str:
        async with await self.open(dbname, **claims) as client:
            found = await (await client.execute("SELECT email FROM people")).fetchone()
            assert found is not None
            return str(found[0])

    async def settled(self, kind: str, count: int) -> list[dict[str, Any]]:
        """Wait until that many events of the kind are durable."""
        for _ in range(1500):
            found = [one for one in pending(self.proxy.spool, 0, 10_000) if one["kind"] in told_by(kind)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{len(found)} {kind} events where {count} were due")

    async def get(self, path: str) -> tuple[int, str]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.health_port)
        writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body


def resource(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "penstock.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "shop"}, "spec": spec,
    }  # fmt: skip
