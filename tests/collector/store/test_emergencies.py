"""Emergencies of a cluster, by what gates record: one alarm for each request, when its first statement comes."""

from __future__ import annotations

from typing import Any

from tests.collector.conftest import Sender

GLASS = {"policy": "incident", "request": "r-1", "until": "2030-01-01T00:00:00Z", "breakGlass": True}


async def test_the_first_statement_of_an_emergency_is_an_alarm(client: Any) -> None:
    sender = Sender()
    await client.send(
        sender.statement(1, access=[{**GLASS, "request": "r-0", "breakGlass": False}, {"request": "r-0"}, "x"])
    )
    assert "emergency" not in await client.alarms()
    await client.send(sender.statement(2, access=[GLASS]) + sender.statement(3, access=[GLASS]))
    alarm = (await client.alarms())["emergency"]
    assert (alarm["count"], alarm["detail"]) == (1, "sa:shop/web broke the glass: policy incident, request r-1")
    await client.send(sender.statement(4, access=[{**GLASS, "request": "r-2"}]))
    assert (await client.alarms())["emergency"]["count"] == 2
    (found,) = await client.search("request=r-2")
    assert found["request"] == "r-2"
