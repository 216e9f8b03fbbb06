"""A gate that takes people's tokens, a policy that is asked for, and the collector that holds what is asked."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import yaml
from tests.collector.conftest import BEA, READER, WRITER, Client, token_line
from tests.sidecar.proxy.recorded import told_by
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_collector.main import RunningCollector, serve
from penstock_collector.settings import CollectorSettings
from penstock_core.resources.grant import policy_digest

WORKLOAD = {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}
ADA, SAM = "token-of-ada", "token-of-sam"
SUBJECTS = [{"identity": {"kind": "person", "groups": ["support"]}}]
STANDING = {
    "subjects": [*SUBJECTS, {"identity": {"kind": "agent", "subject": "bot"}}],
    "allow": ["select"],
    "masks": [
        {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": "'incident' in session.access"},
    ],
}
INCIDENT = {
    "subjects": SUBJECTS,
    "allow": ["select", "insert", "delete", "create"],
    "onRequest": {"approvers": {"groups": ["dba"]}, "maxDuration": "4h"},
    "breakGlass": {"groups": ["support"], "reviewers": {"groups": ["security"]}, "maxDuration": "30m"},
}


@dataclass
class Desk:
    """A gate, its server, the collector, and whoever talks to them."""

    gate: Any
    client: Client
    server: Any
    policies: dict[str, dict[str, Any]]
    directory: Path
    settings: CollectorSettings
    sessions: list[psycopg.AsyncConnection[Any]] = field(default_factory=list)

    async def write(self, **policies: dict[str, Any] | None) -> None:
        """Policies as they are from now on, once the gate has them; None takes one away."""
        before = self.gate.proxy.rules_provider.bundle
        self.policies = {name: spec for name, spec in (self.policies | policies).items() if spec is not None}
        path = self.gate.directory / "shop.yaml"
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one["kind"] == "Database"]
        documents += [
            {
                "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
                "metadata": {"name": name, "namespace": "shop"}, "spec": {"databaseRef": {"name": "shop"}, **spec},
            }
            for name, spec in self.policies.items()
        ]  # fmt: skip
        path.write_text(yaml.safe_dump_all(documents))
        await until(lambda: self.gate.proxy.rules_provider.bundle is not before)

    async def call(self, path: str, body: dict[str, Any], who: str = ADA) -> httpx2.Response:
        return await self.client.http.post(path, json=body, headers={"authorization": f"Bearer {who}"})

    async def ask(self, who: str = ADA, **changes: Any) -> httpx2.Response:
        body = {"policy": "incident", "duration": "1h", "reason": "orders hang", **changes}
        return await self.call("/v1/access", body, who)

    async def asked(self, **changes: Any) -> str:
        """Ask for what is there; the request's name."""
        answer = await self.ask(**changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["name"])

    async def decide(self, name: str, who: str = BEA, **more: Any) -> httpx2.Response:
        return await self.call(f"/v1/requests/{name}/decision", {"decision": "approved", **more}, who)

    async def given(self, **changes: Any) -> str:
        """Access that was asked for and approved."""
        name = await self.asked(**changes)
        answer = await self.decide(name)
        assert answer.status_code == 200, answer.text
        return name

    async def end(self, name: str, who: str = ADA) -> httpx2.Response:
        return await self.call(f"/v1/requests/{name}/end", {}, who)

    async def person(self, **claims: Any) -> psycopg.AsyncConnection[Any]:
        said = {"groups": ["support"], "exp": int(time.time()) + 600, **claims}
        session: psycopg.AsyncConnection[Any] = await self.gate.psycopg(user="token", password=token(**said))
        self.sessions.append(session)
        return session

    async def offered(self, policy: str = "incident") -> None:
        """Wait until the gate has said what can be asked for, as it is now."""

        def known() -> bool:
            bundle = self.gate.proxy.rules_provider.bundle
            said = {one.offer.policy_digest for one in self.client.running.collector.access.offers.all()}
            return any(one.name == policy and policy_digest(one) in said for one in bundle.policies)

        await until(known)

    async def trail(self, kind: str, count: int) -> list[dict[str, Any]]:
        """Events that tell what those of that kind do, once the collector has so many."""
        headers = {"authorization": f"Bearer {READER}"}
        for _ in range(400):
            lines = (await self.client.http.get("/v1/export", headers=headers)).text.splitlines()
            found = [one for line in lines if (one := json.loads(line)).get("kind") in told_by(kind)]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"{len(found)} {kind} events where {count} were due")

    def lasting(self) -> list[str]:
        """The requests that the gate counts with."""
        bundle = self.gate.proxy.rules_provider._in_force
        return [] if bundle is None else [one.request for one in bundle.grants]


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait until it holds; how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it does not come about"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def started(settings: CollectorSettings) -> Client:
    ready: asyncio.Future[RunningCollector] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, ready.set_result))
    await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    http = httpx2.AsyncClient(base_url=ready.result().url, timeout=20, trust_env=False, verify=False)
    return Client(ready.result(), task, http)


@asynccontextmanager
async def desk(start: Any, shop: Any, tmp_path: Path) -> AsyncIterator[Desk]:
    """Everything running, with a table `people` that has an e-mail address in it."""
    shop.psql("SET ROLE penstock; CREATE TABLE IF NOT EXISTS people (id int, email text);"
              "TRUNCATE people; INSERT INTO people VALUES (1, 'eva@shop.example')", "shop")  # fmt: skip
    streams, viewers = tmp_path / "stream-tokens", tmp_path / "viewer-tokens"
    streams.write_text(token_line(WRITER, "u-1"))
    viewers.write_text(
        token_line(READER, "reader")
        + token_line(ADA, "ada groups=support,dba")
        + token_line(BEA, "bea groups=dba")
        + token_line(SAM, "sam groups=security")
    )
    (tmp_path / "gate.token").write_text(WRITER)
    settings = CollectorSettings(
        listen="127.0.0.1:0", database=tmp_path / "audit.db", stream_tokens_file=streams, viewer_tokens_file=viewers
    )
    client = await started(settings)
    settings = settings.model_copy(update={"listen": client.running.url.removeprefix("http://")})
    identity = issuers(tmp_path)
    identity["issuers"][0]["delegation"] = {"agents": ["bot"]}
    gate = await start(
        shop,
        governed=True,
        identity={**identity, "required": False, "workload": WORKLOAD},
        collector={"url": client.running.url, "tokenFile": str(tmp_path / "gate.token")},
    )
    made = Desk(gate, client, shop, {}, tmp_path, settings)
    await made.write(standing=STANDING, incident=INCIDENT)
    await made.offered()
    try:
        yield made
    finally:
        for session in made.sessions:
            await session.close()
        await made.client.http.aclose()
        await made.client.ended()
