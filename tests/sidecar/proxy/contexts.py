"""A gate with an issuer of contexts, its policies and database, and the contexts that tests present."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.sidecar.proxy.test_tokens import ISSUER, jwks, token

from penstock_cli.demo.postgres import EmbeddedPostgres

AUDIENCE = "penstock-context"
DBNAME = "contextual"
# Of the application alone; of the people that it is for; of somebody who may see addresses.
TEXT = "SELECT email, phone FROM people WHERE id = 1"
ALONE, STAFF, OFFICER = ("ada@example.com", "***"), ("***", "***"), ("ada@example.com", "***")


def context(algorithm: str = "RS256", **changes: Any) -> str:
    """One that is good, but for the changes."""
    return token(algorithm, **{"aud": AUDIENCE, "iat": int(time.time()), "groups": [], **changes})


def set_local(**claims: Any) -> str:
    return f"SET LOCAL penstock.context = '{context(**claims)}'"


@dataclass
class Policies:
    """The policies of the application and of people, with what a test changes of them."""

    port: int
    application: dict[str, Any] = field(default_factory=dict)
    people: dict[str, Any] = field(default_factory=dict)
    more: list[dict[str, Any]] = field(default_factory=list)

    def policy(self, name: str, subject: dict[str, Any], **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"databaseRef": {"name": "shop"}, **spec, "subjects": [subject]},
        }  # fmt: skip

    def write(self, path: Path) -> None:
        database = {
            "apiVersion": "penstock.dev/v1alpha1", "kind": "Database",
            "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {
                "host": "127.0.0.1", "port": self.port, "dbname": DBNAME, "tls": {"mode": "disable"},
                "credentialsSecretRef": {"name": "shop-db"},
            },
        }  # fmt: skip
        every = ["select", "insert", "update", "delete", "create", "drop"]
        masks = [{"columns": ["*.*.phone"], "with": {"redact": {}}}]
        web = self.policy(
            "web", {"serviceAccount": {"name": "web"}}, **{"allow": every, "masks": masks, **self.application}
        )
        subjects = self.people.get("subjects", [{"identity": {"kind": "person"}}])
        lifted = {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": "'dpo' in identity.groups"}
        people = {"allow": ["select", "insert", "create"], "masks": [lifted], **self.people}
        documents = [database, web, self.policy("people", subjects[0], **people), *self.more]
        path.write_text(yaml.safe_dump_all(documents))


def prepare(server: EmbeddedPostgres) -> None:
    """The database, as each module finds it."""
    server.psql(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
    server.psql(f"CREATE DATABASE {DBNAME} OWNER penstock")
    server.psql(
        "SET ROLE penstock; CREATE TABLE people (id int PRIMARY KEY, email text, phone text, region text);"
        "INSERT INTO people VALUES (1, 'ada@example.com', '0123456', 'eu'), (2, 'bob@example.com', '0654321', 'us');"
        "CREATE FUNCTION remember(kept text) RETURNS text LANGUAGE sql AS"
        " 'SELECT set_config(''app.kept'', kept, false)';"
        "CREATE FUNCTION remembers(kept text) RETURNS text LANGUAGE plpgsql AS"
        " 'BEGIN RETURN remember(kept); END';"
        "CREATE FUNCTION tell(kept text) RETURNS text LANGUAGE sql AS"
        " 'SELECT set_config(''app.kept'', kept, true)'",
        dbname=DBNAME,
    )


async def gate(start: Any, server: EmbeddedPostgres, policies: Policies, directory: Path, **settings: Any) -> Any:
    """A running gate; `settings` are those of the issuer's contexts, `identity` of who clients are."""
    path = directory / "jwks.json"
    path.write_text(jwks())
    issuer = {"issuer": ISSUER, "audience": AUDIENCE, "kind": "person", "jwksFile": str(path)}
    identity = {
        "workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"},
        "issuers": [
            {**issuer, "audience": "penstock"},
            {**issuer, **settings.pop("issuer", {}), "context": settings.pop("context", {})},
        ],
        **settings.pop("identity", {}),
    }  # fmt: skip
    running = await start(server, identity=identity, governed=True, **settings)
    await apply(running, policies)
    return running


async def apply(running: Any, policies: Policies) -> None:
    policies.write(running.directory / "shop.yaml")
    running.proxy.source.poll()
    await running.proxy.rules_provider.refresh_catalog()


async def seen(session: Any) -> Any:
    """What a session is shown by `TEXT`."""
    return await (await session.execute(TEXT)).fetchone()
