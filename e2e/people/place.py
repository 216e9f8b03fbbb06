"""What people and agents have: sessions at the gateway, their kubeconfigs, the trail, and policies that ask for others.

What doesn't belong: what becomes of it (the tests).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from mcp import Client as McpClient
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult

from e2e.collector import penstock as command
from e2e.kubectl import Kubectl
from e2e.people import pods
from e2e.people.gateway import HOST, SPACE, Gateway, policy
from e2e.people.issuer import AGENT, URL
from e2e.test_5_approvals import penstock
from penstock_core.audit.event import BEGINS, ENDS

Json = dict[str, Any]
Session = psycopg.Connection[Any]
KEEPERS = {"identity": {"kind": "person", "groups": ["keepers"], "issuer": URL}}
CLERKS = {"identity": {"kind": "person", "groups": ["clerks"], "issuer": URL}}
DBA = {"groups": ["dba"]}
POLICIES = (
    policy(
        "clerks", "shop", subjects=[{"identity": {"kind": "agent", "subject": AGENT, "issuer": URL}}, CLERKS],
        allow=["select", "insert", "delete"],
        approvals=[
            {"name": "deletes", "when": "statement.verb == 'delete' && identity.kind == 'agent'", "approvers": DBA},
        ],
    ),
    policy(
        "keepers", "shop", subjects=[KEEPERS], allow=["select", "insert", "alter"],
        approvals=[{"name": "schema", "when": "statement.verb == 'alter'", "approvers": DBA, "wait": "2m"}],
    ),
    policy(
        "incident", "shop", subjects=[KEEPERS], allow=["update"],
        onRequest={"approvers": DBA, "maxDuration": "1h"},
        breakGlass={"reviewers": DBA, "maxDuration": "30m"},
    ),
)  # fmt: skip
STOP = policy("stop-mia", "shop", mode="revoke", subjects=[{"identity": {"subject": "mia", "issuer": URL}}])


@dataclass(frozen=True)
class Place:
    """The gateway, people of the cluster, and the trail."""

    gateway: Gateway
    bea: Path
    ada: Path
    viewer: dict[str, str]

    @property
    def kubectl(self) -> Kubectl:
        return self.gateway.kubectl

    def open(self, subject: str, *, replica: str = "") -> Session:
        return self.gateway.connect("shop", self.gateway.issuer.token(subject, "keepers"), replica)

    def request(self, name: str) -> Json:
        return self.kubectl.get("-n", SPACE, "accessrequest", name)

    def approve(self, name: str, *more: str) -> None:
        """By bea, who has no part in anything."""
        done = penstock(self.kubectl, self.bea, "approve", name, *more)
        assert done.returncode == 0, done.stderr

    def recorded(self) -> list[Json]:
        """The trail."""
        exported = command(self.viewer, "audit", "export")
        assert exported.returncode == 0, exported.stderr
        return [json.loads(line) for line in exported.stdout.splitlines()]

    def ends(self, session: str) -> list[Json]:
        """Of that session."""
        return [one for one in self.recorded() if one.get("kind") == "session" and one["session"] == session]

    def intents(self, request: str) -> list[Json]:
        """Of the statements that ran, or waited, by that request, each with its outcome."""
        events = self.recorded()
        outcomes = {(one["session"], one["statement"]): one for one in events if one.get("kind") in ENDS}
        found = []
        for one in events:
            reasons = [*one.get("approvals", ()), *one.get("access", ())]
            if one.get("kind") in BEGINS and request in [each.get("request") for each in reasons]:
                found.append({**one, "outcome": outcomes.get((one["session"], one["statement"]))})
        return found


class Agent:
    """A client that has started the server."""

    def __init__(self, client: McpClient) -> None:
        self._client = client

    async def execute(self, sql: str) -> Json:
        result = await self._client.call_tool("execute", {"sql": sql})
        assert isinstance(result, CallToolResult)
        assert isinstance(result.structured_content, dict)
        return result.structured_content


GATE = (f"{HOST}:5432", "--ca-file", pods.AUTHORITY)
SIDECAR = ("127.0.0.1:5432", "--no-tls")


@asynccontextmanager
async def agent(place: Place, gate: tuple[str, ...], token: str, log: Path) -> AsyncIterator[Agent]:
    """`penstock mcp` in a pod, as whoever may enter the pod starts it."""
    server = ("env", f"PENSTOCK_MCP_TOKEN={token}", "penstock", "mcp", "--database", "shop", "--gate", *gate)
    parameters = StdioServerParameters(
        command="kubectl",
        args=["-n", SPACE, "exec", "-i", "agent", "-c", "app", "--", *server],
        env=place.kubectl.environment(),
    )
    with log.open("a") as errors:
        async with McpClient(stdio_client(parameters, errlog=errors)) as client:
            yield Agent(client)
