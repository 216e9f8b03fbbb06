"""A holder of requests over an API server's double, and what gates ask it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.operator.control.requests import (
    POD,
    Clock,
    RequestServer,
    asking,
    policies_of,
)

from penstock_core.approvals.asking import Answered
from penstock_core.token_review import Pod
from penstock_operator.control.policies import Policies
from penstock_operator.control.requests_holder import RequestsHolder


@pytest.fixture
def server() -> RequestServer:
    return RequestServer()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policies(shop: Any) -> Policies:
    return policies_of(shop)


@pytest.fixture
def holder(server: RequestServer, policies: Policies, clock: Clock) -> RequestsHolder:
    return server.holder(policies, clock)


async def waiting(holder: RequestsHolder, pod: Pod = POD, **changes: Any) -> str:
    answered = await holder.ask(pod, asking(pod, **changes))
    assert answered.standing == "waiting", answered
    return answered.request


async def look(holder: RequestsHolder, name: str, seconds: float = 0, pod: Pod = POD) -> Answered | None:
    return await holder.look(pod, name, seconds, asyncio.Event())
