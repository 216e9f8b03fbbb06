"""A collector beside an API server, and people at the page of a cluster's request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme
from tests.collector.conftest import Client
from tests.collector.web.api_server import NAME, FakeApi, serving

from penstock_collector.settings import CollectorSettings

PAGE = f"/requests/on-cluster/shop/{NAME}"
COMMAND = f"kubectl penstock show -n shop {NAME}"
SQL = "DELETE FROM orders"
# Kubernetes tokens of people, as long as such are.
BEAS, EVES, ADAS, BOTS, MACHINES = (f"k8s-{name}-{'x' * 40}" for name in ("bea", "eve", "ada", "bot", "machine"))


@pytest.fixture
async def api(authority: trustme.CA, tmp_path: Path) -> AsyncIterator[tuple[FakeApi, dict[str, Any]]]:
    fake = FakeApi()
    fake.knows(BEAS, "bea", "dba")
    fake.knows(EVES, "eve", "staff")
    fake.knows(ADAS, "ada@shop.example", "dba")
    fake.knows(BOTS, "oidc:bot", "dba")
    fake.knows(MACHINES, "system:serviceaccount:shop:web", "dba", "system:serviceaccounts")
    async with serving(fake, authority, tmp_path) as (url, ca_file):
        yield fake, {"api_server_url": url, "api_server_ca_file": ca_file}


@pytest.fixture
def cluster(api: tuple[FakeApi, dict[str, Any]]) -> FakeApi:
    return api[0]


@pytest.fixture
def by_token(settings: CollectorSettings, api: tuple[FakeApi, dict[str, Any]]) -> CollectorSettings:
    roles = {"viewer": ["staff"], "approver": ["dba", "staff"], "admin": ["system:serviceaccounts"]}
    return settings.model_copy(update={**api[1], "kubernetes_group_roles": roles, "secure_cookies": False})


@pytest.fixture
async def client(start: Any, by_token: CollectorSettings) -> Client:
    started: Client = await start(by_token)
    return started


class Browser:
    """Somebody's, at the page."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=False)

    async def sign_in(self, token: str) -> httpx2.Response:
        fields = {"token": token, "next": PAGE}
        return await self.http.post("/login", data=fields, headers={"sec-fetch-site": "same-origin"})

    async def get(self, path: str = PAGE) -> httpx2.Response:
        return await self.http.get(path)

    async def decide(self, decision: str = "approved", comment: str = "", **more: str) -> httpx2.Response:
        fields = {"decision": decision, "comment": comment, "uid": "uid-1"} | more
        return await self.http.post(PAGE, data=fields, headers={"sec-fetch-site": "same-origin"})


@pytest.fixture
async def browse(client: Client) -> AsyncIterator[Callable[[], Browser]]:
    made: list[Browser] = []

    def browser() -> Browser:
        made.append(Browser(client.running.url))
        return made[-1]

    yield browser
    for one in made:
        await one.http.aclose()


@pytest.fixture
async def bea(browse: Callable[[], Browser]) -> Browser:
    browser = browse()
    assert (await browser.sign_in(BEAS)).status_code == 303
    return browser


async def decisions(client: Client) -> list[tuple[str, str, str]]:
    found = [one for one in await client.readings() if one["action"] in ("deciding", "decided")]
    assert all(one["what"] == f"shop/{NAME}" for one in found)
    return [(one["action"], one["result"], one.get("reason", "")) for one in found]
