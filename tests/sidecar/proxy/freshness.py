"""A gate with the real governor before a database whose catalog changes, an owner and a masked identity."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sidecar.proxy.conftest import Running
from tests.sidecar.proxy.raw import Raw, bind, run
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.sql.governor import Governor
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import SYNC, parse, query

RAW = b"raw@example.com"
RESOURCES = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: shop, namespace: shop}}
spec:
  {{host: 127.0.0.1, port: {port}, dbname: {dbname}, tls: {{mode: disable}}, credentialsSecretRef: {{name: shop-db}}}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: web, namespace: shop}}
spec:
  databaseRef: {{name: shop}}
  subjects: [{{identity: {{groups: [clerks]}}}}]
  allow: [select, insert, update, delete, create, drop]
  masks: [{{columns: ["*.*.email", "*.*.secret"], with: {{redact: {{}}}}}}]
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: owner, namespace: shop}}
spec:
  databaseRef: {{name: shop}}
  subjects: [{{identity: {{groups: [dba]}}}}]
  allow: [select, insert, update, delete, truncate, create, alter, drop]
"""
SCHEMA = """
CREATE SCHEMA early; CREATE SCHEMA other;
ALTER ROLE penstock IN DATABASE {dbname} SET search_path = early, public;
CREATE TABLE people (id int PRIMARY KEY, email text UNIQUE);
INSERT INTO people VALUES (1, 'raw@example.com');
CREATE TABLE plain (id int, txt text, code varchar); INSERT INTO plain VALUES (1, 'plain', 'plain');
"""


@dataclass
class House:
    """The gate, and sessions through it."""

    gate: Running
    server: EmbeddedPostgres
    opened: list[Raw]

    async def _open(self, group: str) -> Raw:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gate.proxy.port)
        raw = Raw(reader, writer)
        self.opened.append(raw)
        writer.write(messages.startup({"user": "app", "database": "shop"}))
        await raw.until(b"R")
        writer.write(messages.message(b"p", token(groups=[group]).encode() + b"\x00"))
        told = await raw.until(b"Z")
        raw.pid = next(int.from_bytes(body[:4], "big") for kind, body in told if kind == b"K")
        return raw

    async def owner(self) -> Raw:
        """A session with every verb and no masks."""
        return await self._open("dba")

    async def clerk(self) -> Raw:
        """A session with masks."""
        return await self._open("clerks")

    def end(self) -> None:
        for raw in self.opened:
            raw.writer.transport.abort()


async def make_house(start: Any, server: EmbeddedPostgres, dbname: str, directory: Path) -> House:
    """The gate before that database; `start` is the fixture of that name."""
    gate = await start(server, identity=issuers(directory), name="gate")
    gate.proxy.rules_provider.deciders.make = Governor
    (gate.directory / "shop.yaml").write_text(RESOURCES.format(port=server.port, dbname=dbname))
    gate.proxy.source.poll()
    await gate.proxy.rules_provider.refresh_catalog()
    return House(gate, server, [])


@asynccontextmanager
async def house_in(
    start: Any, server: EmbeddedPostgres, dbname: str, directory: Path, more: str = ""
) -> AsyncIterator[House]:
    """The gate before a database of that name, which is made for it, with `more` in it, and dropped at the end."""
    server.psql(f"CREATE DATABASE {dbname} OWNER penstock")
    server.psql(f"SET ROLE penstock; {SCHEMA.format(dbname=dbname)}; {more}", dbname=dbname)
    house = await make_house(start, server, dbname, directory)
    yield house
    house.end()
    await house.gate.proxy.stop()
    server.psql(f"DROP DATABASE {dbname} WITH (FORCE)")


async def done(session: Raw, data: bytes, answers: int = 1) -> bytes:
    """Everything that is answered to it, which is that many ReadyForQuery."""
    session.writer.write(data)
    got = b""
    for _ in range(answers):
        for kind, body in await session.until(b"Z"):
            got += kind + body
    return got


def by_simple(statements: Sequence[str]) -> list[bytes]:
    return [query(one) for one in statements]


def by_text(statements: Sequence[str]) -> list[bytes]:
    """In one text."""
    return [query("; ".join(statements))]


def by_extended(statements: Sequence[str]) -> list[bytes]:
    return [run(one) for one in statements]


def in_a_transaction(statements: Sequence[str]) -> list[bytes]:
    return [query(one) for one in ("BEGIN", *statements, "COMMIT")]


def in_one_go(statements: Sequence[str]) -> list[bytes]:
    """A transaction, all of it sent before anything is answered, with one Sync."""
    parts = [parse("", one) + bind() + messages.execute("") for one in ("BEGIN", *statements, "COMMIT")]
    return [b"".join(parts) + SYNC]


def in_an_implicit_transaction(statements: Sequence[str]) -> list[bytes]:
    """What the Sync commits."""
    return [b"".join(parse("", one) + bind() + messages.execute("") for one in statements) + SYNC]


WAYS = (by_simple, by_text, by_extended, in_a_transaction, in_one_go, in_an_implicit_transaction)
