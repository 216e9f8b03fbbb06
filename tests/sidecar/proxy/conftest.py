"""A whole proxy in front of a real PostgreSQL, in the test's own event loop, with a decider that the test scripts."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.contexts import Policies, gate, prepare
from tests.sidecar.proxy.raw import Pair
from tests.sidecar.proxy.recorded import told_by
from tests.sidecar.spooled import pending

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.audit.conformity import deviations
from penstock_core.policy.effective import CostLimit, EffectivePolicy, Limit
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action, Decision, Denial
from penstock_sidecar.assembly import Proxy
from penstock_sidecar.main import govern
from penstock_sidecar.settings import ProxySettings, read

PASSWORD = "made-up for the tests"
RESOURCES = """
apiVersion: penstock.dev/v1alpha1
kind: Database
metadata: {{name: shop, namespace: shop}}
spec:
  host: {host}
  port: {port}
  dbname: shop
  tls: {{mode: {tls}}}
  credentialsSecretRef: {{name: shop-db}}
---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {{name: web, namespace: shop}}
spec:
  databaseRef: {{name: shop}}
  subjects:
    - serviceAccount: {{name: web}}
  allow: [{allow}]
  audit: {{onFailure: {on_failure}}}
"""
MASKED = "  masks: [{columns: ['*.*.email'], with: {hash: {}}}]\n"


@dataclass
class Script:
    """Decides as the test says: by marks in the text, or by what was put into `answers`."""

    answers: dict[str, Decision] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    # The most rows of each statement that may return any, and of each that may change any; and what it may cost.
    limit: Limit | None = None
    changes: Limit | None = None
    cost: CostLimit | None = None

    def decide(
        self, text: str, search_path: tuple[str, ...] | None, temporary: frozenset[str], types: tuple[int, ...] = (),
        made: frozenset[tuple[str, str]] = frozenset(),
    ) -> Decision:  # fmt: skip
        self.asked.append(text)
        if text in self.answers:
            return self.answers[text]
        verb = text.split(maxsplit=1)[0].lower().rstrip(";") if text.split() else ""
        if "forbidden" in text:
            return deny(verb)
        writes = verb not in ("select", "begin", "commit", "rollback", "show", "")
        return Decision(
            Action.ALLOW, text, verbs=(verb,) if verb else (), writes=writes, audit_text=text,
            redact_errors="governed" in text, changes_catalog=verb in ("create", "alter", "drop"),
            commits_itself=";" in text,
            row_limit=self.limit if _returns(text, verb) else None,
            change_limit=self.changes if verb in _CHANGING and ";" not in text else None,
            cost_limit=self.cost if verb in _PLANNED and ";" not in text else None,
        )  # fmt: skip

    def names(self, schema: str, table: str, column: str, constraint: str) -> bool:
        return "governed" not in table

    def alike(self, one: Decision, other: Decision) -> bool:
        return "other" not in other.text

    def hears(self, channel: str) -> bool:
        return not channel.startswith("governed")


_PLANNED = ("select", "insert", "update", "delete")
_CHANGING = ("insert", "update", "delete", "copy")


def _returns(text: str, verb: str) -> bool:
    silent = ("begin", "commit", "rollback", "savepoint", "set", "deallocate", "discard", "declare", "copy", "")
    return verb not in silent and ";" not in text


def deny(verb: str = "select") -> Decision:
    denial = Denial("no forbidden things", "ask for something else", "web", "guardrails.test")
    return Decision(Action.DENY, "", verbs=(verb,), denial=denial)


@dataclass
class Running:
    """A running proxy and where its files are."""

    proxy: Proxy
    script: Script
    directory: Path
    settings: ProxySettings

    @property
    def url(self) -> str:
        return f"postgresql://app@127.0.0.1:{self.proxy.port}/shop?sslmode=disable&gssencmode=disable"

    async def psycopg(self, **options: Any) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(self.url, autocommit=True, **options)

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The durable audit events of this proxy's stream; those that tell what events of that kind do.

        Whatever a test is about, all of them are as defined.
        """
        found = list(pending(self.proxy.spool, 0, 10_000))
        assert [said for event in found for said in deviations(event)] == []
        return [event for event in found if not kind or event["kind"] in told_by(kind)]

    async def settled(self, count: int, kind: str = "outcome") -> list[dict[str, Any]]:
        """Wait until that many events of the kind are durable."""
        for _ in range(1500):
            found = self.events(kind)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{len(self.events(kind))} {kind} events where {count} were due")

    def write_resources(self, **changes: Any) -> None:
        write_resources(self.directory, **changes)


def write_resources(
    directory: Path, host: str, port: int, tls: str = "disable", on_failure: str = "block",
    allow: str = "select, insert, update, delete", more: str = "",
) -> None:  # fmt: skip
    """`more`: further lines of the policy's spec."""
    text = RESOURCES.format(host=host, port=port, tls=tls, on_failure=on_failure, allow=allow)
    (directory / "shop.yaml").write_text(text + more)


# Once each, though conftests elsewhere have these fixtures, too.
_SHOPS: dict[Path, EmbeddedPostgres] = {}


@pytest.fixture(scope="session")
def shop(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The server with a database and a login for the proxy."""
    return _kept(postgres)


@pytest.fixture(scope="session")
def shop16(postgres16: EmbeddedPostgres) -> EmbeddedPostgres:
    return _kept(postgres16)


@pytest.fixture(scope="session")
def shop15(postgres15: EmbeddedPostgres) -> EmbeddedPostgres:
    return _kept(postgres15)


@pytest.fixture(params=["shop", "shop16", "shop15"])
def each_shop(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    """Each server in turn."""
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["shop15", "shop"])
def old_or_new_shop(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    """The oldest server and the newest."""
    server: EmbeddedPostgres = request.getfixturevalue(request.param)
    return server


@pytest.fixture(scope="module", autouse=True)
def shops_as_they_were() -> Iterator[None]:
    """What a module leaves in the database would decide what the next one's statements are."""
    yield
    for server in _SHOPS.values():
        server.psql("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        _create_shop(server)


def _kept(server: EmbeddedPostgres) -> EmbeddedPostgres:
    _SHOPS[server.directory] = server
    return _with_shop(server)


def _with_shop(server: EmbeddedPostgres) -> EmbeddedPostgres:
    if server.psql("SELECT 1 FROM pg_roles WHERE rolname = 'penstock'").strip():
        # Tests elsewhere that have this fixture, too, were first.
        return server
    server.psql(f"CREATE ROLE penstock LOGIN PASSWORD '{PASSWORD}'")
    return _create_shop(server)


def _create_shop(server: EmbeddedPostgres) -> EmbeddedPostgres:
    server.psql("CREATE DATABASE shop OWNER penstock")
    server.psql(
        "CREATE TABLE things (id int PRIMARY KEY, name text); ALTER TABLE things OWNER TO penstock;", dbname="shop"
    )
    return server


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start proxies; they are stopped at the test's end."""
    running: list[Running] = []

    async def begin(server: EmbeddedPostgres | None = None, **options: Any) -> Running:
        host, port = "127.0.0.1", options.pop("port", server.port if server is not None else 1)
        on_failure, tls = options.pop("on_failure", "block"), options.pop("tls", "disable")
        directory = tmp_path / f"proxy{len(running)}"
        credentials = directory / "credentials"
        credentials.mkdir(parents=True)
        (credentials / "username").write_text("penstock\n")
        (credentials / "password").write_text(options.pop("password", PASSWORD))
        (directory / "mask.key").write_text(base64.b64encode(bytes(32)).decode())
        policy = {name: options.pop(name) for name in ("allow", "more") if name in options}
        write_resources(directory, host, port, tls, on_failure, **policy)
        governed = options.pop("governed", False)
        values: dict[str, Any] = {
            "listen": "127.0.0.1:0", "health": "127.0.0.1:0", "database": "shop", "namespace": "shop",
            "resources": ["*.yaml"], "maskKeyFile": "mask.key", "credentialsDir": "credentials",
            "identity": {"workload": {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}},
            "spool": {"path": "spool"}, "graceSeconds": 1,
        }  # fmt: skip
        if "client_tls" in options:
            values["tls"] = options.pop("client_tls")
        values |= options
        (directory / "proxy.yaml.json").write_text(json.dumps(values))
        (directory / "proxy.yaml.json").rename(directory / "proxy.yaml")
        settings = read(directory).model_copy(update={"resources": ("shop.yaml",)})
        script = Script()
        made: list[EffectivePolicy] = []

        def decider(policy: EffectivePolicy, catalog: Catalog, key: bytes) -> Script:
            made.append(policy)
            return script

        # By the policy itself, where the test does not say what is decided.
        proxy = Proxy(settings, govern if governed else decider)
        await proxy.start()
        running.append(Running(proxy, script, directory, settings))
        return running[-1]

    yield begin
    for one in running:
        await one.proxy.stop()


@pytest.fixture
async def pair(start: Start, shop: EmbeddedPostgres) -> AsyncIterator[Pair]:
    """The server itself and a gate before it, to be compared."""
    both = Pair(await start(shop), shop)
    yield both
    both.end()


@pytest.fixture(scope="module")
def contextual(shop: EmbeddedPostgres) -> EmbeddedPostgres:
    """The server with what people are shown by contexts."""
    prepare(shop)
    return shop


@pytest.fixture
async def running(start: Start, contextual: EmbeddedPostgres, tmp_path: Path) -> Any:
    """A gate that accepts contexts, by the policies of `contexts.py`."""
    return await gate(start, contextual, Policies(contextual.port), tmp_path)


__all__ = ["Running", "Script", "Start", "deny"]
