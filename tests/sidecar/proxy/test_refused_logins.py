"""However many logins are refused: the trail tells of them, none is lost in silence, and statements keep their room."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.access import until
from tests.sidecar.proxy.test_gateway_revoked import WORKLOAD
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_core.audit.chain import canonical
from penstock_core.audit.event import Event
from penstock_sidecar.proxy import refused_logins
from penstock_sidecar.proxy.refused_logins import RefusedLogins

Start = Any


class Kept:
    """What was recorded; whether there is room."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.room = True
        self.logins = RefusedLogins(self.events.extend, lambda: self.room, lambda: datetime.now(UTC))

    def add(self, user: str = "app", port: int = 1, reason: str = "the token has expired", session: str = "s") -> None:
        client = {"addr": f"10.0.0.7:{port}", "application": "", "user": user, "database": "shop"}
        self.logins.add(
            {
                "kind": "login", "session": session, "outcome": "refused", "database": "shop", "client": client,
                "reason": reason, "sqlstate": "28P01",
            }
        )  # fmt: skip

    async def settled(self, count: int) -> list[Event]:
        for _ in range(3000):
            if len(self.events) >= count:
                return self.events
            await asyncio.sleep(0.01)
        raise AssertionError(f"{len(self.events)} events where {count} were due")

    @property
    def counted(self) -> int:
        return sum(event.get("count", 1) for event in self.events)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refused_logins, "SECONDS", 0.05)


async def test_one_alone_is_told_as_it_is() -> None:
    kept = Kept()
    kept.add(port=4711)
    (event,) = await kept.settled(1)
    assert (event["client"]["addr"], event["session"]) == ("10.0.0.7:4711", "s")
    assert "count" not in event


async def test_those_alike_are_one_event_with_a_count_and_others_have_their_own() -> None:
    kept = Kept()
    for port in range(50):
        kept.add(port=port, session=f"s{port}")
        kept.add(user="root", port=port)
    kept.add(reason="the token is not for this gate")
    many, root, other = await kept.settled(3)
    assert (many["count"], many["client"]["user"], many["client"]["addr"]) == (50, "app", "10.0.0.7")
    assert "session" not in many
    assert many["fromTime"] <= many["toTime"]
    assert (root["count"], root["client"]["user"]) == (50, "root")
    assert "count" not in other
    kept.add(reason="one more")
    assert "count" not in (await kept.settled(4))[3]
    assert kept.logins.total == kept.counted == 102


async def test_of_those_that_go_on_fewer_and_fewer_events_tell() -> None:
    kept = Kept()
    sent = 0
    end = asyncio.get_running_loop().time() + 4.5
    while asyncio.get_running_loop().time() < end:
        kept.add(port=sent)
        sent += 1
        await asyncio.sleep(0.01)
    # After 0.05 s, 0.4 s more, 3.2 s more.
    assert 2 <= len(kept.events) <= 4
    kept.logins.tell(last=True)
    assert kept.counted == sent
    assert kept.events[0].get("count", 1) < kept.events[1]["count"]


async def test_what_has_stopped_for_long_is_told_of_at_once_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refused_logins, "_LONGEST_SPAN", 0.1)
    kept = Kept()
    for count in (1, 2):
        kept.add()
        await kept.settled(count)
        assert kept.logins._span(next(iter(kept.logins._going_on))) == pytest.approx(0.1)
        await asyncio.sleep(0.3)
        kept.logins.tell()
        assert kept.logins._going_on == {}


async def test_too_many_kinds_are_summed_up_with_their_number_reasons_and_addresses() -> None:
    kept = Kept()
    for number in range(1000):
        kept.add(user=f"user {number}")
    (total,) = [event for event in await kept.settled(201) if "addresses" in event]
    assert (total["count"], total["outcome"]) == (800, "refused")
    assert total["reason"] == "800 that were too many to tell apart: the token has expired (800)"
    assert total["addresses"] == ["10.0.0.7 (800)"]
    assert kept.counted == 1000


async def test_whatever_comes_they_take_a_bounded_part_of_the_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept()
    monkeypatch.setattr(refused_logins, "_MOST_BYTES", 4096)
    kept.logins._left = 4096.0
    sent = 0
    for second in range(20):
        for number in range(200):
            kept.add(user=f"{second} {number}", reason=f"reason {second} {number}")
            sent += 1
        kept.logins.tell()
    size = sum(len(canonical(event)) for event in kept.events)
    assert size < 3 * 4096
    kept.logins.tell(last=True)
    assert kept.counted == sent
    assert max(len(canonical(event)) for event in kept.events) < 2048


async def test_while_statements_need_the_room_they_are_counted_and_told_of_later() -> None:
    kept = Kept()
    kept.room = False
    for _ in range(30):
        kept.add()
    await asyncio.sleep(0.2)
    assert kept.events == []
    kept.room = True
    (total,) = await kept.settled(1)
    assert (total["count"], total["reason"]) == (30, "30 that were too many to tell apart: the token has expired (30)")


async def test_at_the_end_all_is_told_without_waiting() -> None:
    kept = Kept()
    kept.room = False
    kept.add()
    kept.logins.tell()
    kept.add(user="root")
    kept.logins.tell(last=True)
    assert kept.counted == 2


async def begun(start: Start, shop: Any, tmp_path: Path) -> Any:
    return await start(shop, identity={**issuers(tmp_path), "required": True, "workload": WORKLOAD})


async def test_a_refused_token_is_in_the_trail_with_what_it_claims(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await begun(start, shop, tmp_path)
    for claims in ({"exp": 1}, {"aud": "another"}, {"iss": "https://evil.example"}):
        with pytest.raises(psycopg.OperationalError):
            await gate.psycopg(password=token(sub="mallory", **claims), application_name="probe")
    with pytest.raises(psycopg.OperationalError):
        await gate.psycopg(password="hunter2hunter2")
    with pytest.raises(psycopg.OperationalError):
        await gate.psycopg(password=token(), dbname="other")
    events = {event["reason"]: event for event in await gate.settled(5, "login")}
    assert set(events) == {
        "the token has expired",
        "the token is not for this gate (its audience is not penstock)",
        "the token's issuer is not one that is accepted here",
        "the password is not an OIDC token (JWT)",
        'this gate serves database "shop", not "other"',
    }
    expired = events["the token has expired"]
    assert expired["asserted"] == {
        "application": "probe", "issuer": "https://issuer.example", "subject": "mallory", "audience": "penstock",
    }  # fmt: skip
    assert events["the token's issuer is not one that is accepted here"]["asserted"]["issuer"] == "https://evil.example"
    assert [event for event in events.values() if "identity" in event] == []
    assert "hunter2" not in str(events)
    assert all(event["client"]["addr"].startswith("127.0.0.1:") for event in events.values())


async def test_a_flood_of_refused_logins_leaves_statements_their_room_and_all_are_counted(
    start: Start, shop: Any, tmp_path: Path
) -> None:
    gate = await begun(start, shop, tmp_path)
    async with await gate.psycopg(password=token()) as client:
        before = gate.proxy.spool.bytes

        def flood(user: int) -> None:
            from penstock_sidecar.wire import messages  # only here

            with socket.create_connection(("127.0.0.1", gate.proxy.port), 10) as one:
                one.sendall(messages.startup({"user": f"u{user}", "database": "nothing"}))
                while one.recv(4096):
                    pass

        for portion in range(4):
            await asyncio.gather(*(asyncio.to_thread(flood, portion * 100 + number) for number in range(100)))
            await client.execute("SELECT 1")
        gate.proxy.trail.refused_logins.tell(last=True)
        gate.proxy.trail.flush()
        await gate.settled(4)

        def counted() -> int:
            return sum(one.get("count", 1) for one in gate.events("login") if one["outcome"] == "refused")

        await until(lambda: counted() == 400)
        assert gate.proxy.spool.bytes - before < 600 * 1024
        assert [event["result"] for event in gate.events("outcome")] == ["ok"] * 4
