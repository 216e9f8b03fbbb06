"""Emergencies of a cluster, by what gates record: one alarm for each request, with the first that tells of it."""

from __future__ import annotations

from typing import Any

from tests.collector.conftest import OTHER_WRITER, Sender

GLASS = {"policy": "incident", "request": "r-1", "until": "2030-01-01T00:00:00Z", "breakGlass": True}
HEARD = {
    "kind": "emergency", "identity": {"name": "person:ada"}, "database": "shop", "policy": "incident",
    "until": "2030-01-01T00:00:00Z",
}  # fmt: skip


async def test_the_first_statement_of_an_emergency_is_an_alarm(client: Any) -> None:
    sender = Sender()
    await client.send(
        sender.statement(1, access=[{**GLASS, "request": "r-0", "breakGlass": False}, {"request": "r-0"}, "x"])
    )
    assert "emergency" not in await client.alarms()
    await client.send(sender.statement(2, access=[GLASS]) + sender.statement(3, access=[GLASS]))
    alarm = (await client.alarms())["emergency"]
    assert (alarm["count"], alarm["detail"]) == (1, "sa:shop/web broke the glass: policy incident, request r-1")
    await client.send(sender.whole(4, access=[{**GLASS, "request": "r-2"}]) + sender.whole(5, access=[GLASS]))
    assert (await client.alarms())["emergency"]["count"] == 2
    (found,) = await client.search("request=r-2")
    assert found["request"] == "r-2"


async def test_that_a_gate_has_heard_of_it_is_an_alarm_before_anything_runs(client: Any) -> None:
    sender, other = Sender(), Sender("gw2/boot1")
    await client.send(sender.seal({**HEARD, "request": "r-1"}))
    alarm = (await client.alarms())["emergency"]
    assert (alarm["count"], alarm["detail"]) == (1, "person:ada broke the glass: policy incident, request r-1")
    # Each gate of the Database tells of it, and so do statements.
    await client.send(other.seal({**HEARD, "request": "r-1"}), "gw2/boot1", token=OTHER_WRITER)
    await client.send(sender.statement(1, identity={"name": "person:ada"}, access=[GLASS]))
    told = [one for one in (await client.get("/v1/streams")).json()["alarms"] if one["kind"] == "emergency"]
    assert [(one["stream"], one["count"]) for one in told] == [("gw1/boot1", 1)]
    await client.send(sender.seal({**HEARD, "request": "r-2"}))
    assert (await client.alarms())["emergency"]["count"] == 2


async def test_what_makes_no_sense_is_none(client: Any) -> None:
    sender = Sender()
    await client.send(sender.seal({**HEARD, "request": 7}, {"kind": "emergency"}, {**HEARD, "request": ["r-1"]}))
    await client.send(sender.statement(1, access=[{**GLASS, "request": None}]))
    assert "emergency" not in await client.alarms()
