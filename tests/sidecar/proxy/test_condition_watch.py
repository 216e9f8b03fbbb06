"""`unless` through a whole gate before a real server: at once, in one process, with the same texts, as time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from structlog.testing import capture_logs
from tests.sidecar.proxy.conftest import Running
from tests.sidecar.proxy.test_tokens import issuers, token

from penstock_sidecar.proxy.condition_watch import TIME_SECONDS

Start = Any
RAW, MASKED = ("ada@example.com",), ("a***@example.com",)
TEXT = "SELECT email FROM people"
# What a change of the time may take to be noticed, on a busy machine.
NOTICED = TIME_SECONDS + 8.0


class Gate:
    """The gate, its policies, and sessions of people in groups."""

    def __init__(self, running: Running, port: int) -> None:
        self.running = running
        self._port = port

    def govern(self, *masks: dict[str, Any], others: Iterable[dict[str, Any]] = (), **spec: Any) -> None:
        """The policy `people` with these masks; `others`: specs of further ones."""
        documents: list[dict[str, Any]] = [
            {
                "apiVersion": "penstock.dev/v1alpha1", "kind": "Database",
                "metadata": {"name": "shop", "namespace": "shop"},
                "spec": {
                    "host": "127.0.0.1", "port": self._port, "dbname": "lifting", "tls": {"mode": "disable"},
                    "credentialsSecretRef": {"name": "shop-db"},
                },
            }
        ]  # fmt: skip
        subjects = [{"identity": {"kind": "person"}}]
        specs = {"people": {"masks": list(masks), **spec}} | {f"other-{n}": one for n, one in enumerate(others)}
        for name, one in specs.items():
            documents.append(
                {
                    "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
                    "metadata": {"name": name, "namespace": "shop"},
                    "spec": {"databaseRef": {"name": "shop"}, "subjects": subjects, **one},
                }
            )  # fmt: skip
        (self.running.directory / "shop.yaml").write_text(yaml.safe_dump_all(documents))
        self.running.proxy.source.poll()
        assert self.running.proxy.source.trouble == ""

    async def person(self, *groups: str, **options: Any) -> psycopg.AsyncConnection[Any]:
        return await self.running.psycopg(password=token(groups=list(groups)), **options)


@pytest.fixture(scope="module")
def people(shop: Any) -> Any:
    shop.psql("CREATE DATABASE lifting OWNER penstock")
    shop.psql(
        "SET ROLE penstock; CREATE TABLE people (id int PRIMARY KEY, email text, phone text);"
        "INSERT INTO people VALUES (1, 'ada@example.com', '0123456');"
        "CREATE VIEW mails AS SELECT email FROM people",
        dbname="lifting",
    )
    return shop


@pytest.fixture
async def gate(start: Start, people: Any, tmp_path: Path) -> Gate:
    running = await start(people, identity=issuers(tmp_path), name="gate", governed=True)
    found = Gate(running, people.port)
    # It moves to the database of these tests.
    found.govern()
    await running.proxy.rules_provider.refresh_catalog()
    return found


def email(unless: str | None = None, **with_: Any) -> dict[str, Any]:
    mask: dict[str, Any] = {"columns": ["public.people.email"], "with": with_ or {"email": {}}}
    return mask | ({} if unless is None else {"unless": unless})


async def one(session: psycopg.AsyncConnection[Any], text: str = TEXT) -> Any:
    return await (await session.execute(text)).fetchone()


def in_seconds(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


async def test_the_same_text_shows_each_what_is_theirs_at_once(gate: Gate) -> None:
    gate.govern(email("'dpo' in identity.groups"))
    # Server-side prepared from the first on, by names that the drivers choose alike.
    sessions = [
        await gate.person(*groups, prepare_threshold=0) for groups in (["dpo"], ["sales"], ["dpo", "sales"], [])
    ]
    seen = [RAW, MASKED, RAW, MASKED]
    try:
        for text in (TEXT, "SELECT email FROM mails", "SELECT email FROM people WHERE id = 1", TEXT):
            for _ in range(3):
                assert await asyncio.gather(*(one(session, text) for session in sessions)) == seen
        # Decisions differ; so do the texts on the server, which must not be one session's for another.
        copied = [await copy(session) for session in sessions]
        assert copied == [b"ada@example.com\n", b"a***@example.com\n"] * 2
    finally:
        for session in sessions:
            await session.close()


async def copy(session: psycopg.AsyncConnection[Any]) -> bytes:
    async with session.cursor() as cursor, cursor.copy(f"COPY ({TEXT}) TO STDOUT") as rows:
        return b"".join([bytes(part) async for part in rows])


async def test_the_trail_tells_which_condition_lifted_what(gate: Gate) -> None:
    gate.govern(email("'dpo' in identity.groups"), {"columns": ["*.*.phone"], "with": {"redact": {}}})
    async with await gate.person("dpo") as officer, await gate.person("sales") as clerk:
        assert await one(officer, "SELECT email, phone FROM people") == ("ada@example.com", "***")
        assert (await one(clerk, "SELECT email, phone FROM people"))[0] == "a***@example.com"
        await one(officer, "SELECT 1")
    lifted, masked, other = await gate.running.settled(3, "intent")
    assert lifted["masked"] == ["public.people.phone"]
    assert lifted["unless"] == [
        {
            "policy": "people", "rule": "masks[0].unless", "condition": "'dpo' in identity.groups", "result": "lifted",
            "columns": ["public.people.email"],
        }
    ]  # fmt: skip
    assert masked["masked"] == ["public.people.email", "public.people.phone"]
    assert "unless" not in masked
    assert "unless" not in other


async def test_what_one_policy_lifts_another_still_masks(gate: Gate) -> None:
    gate.govern(email("'dpo' in identity.groups", redact={}), others=[{"masks": [email(partial={"keepFirst": 2})]}])
    async with await gate.person("dpo") as officer, await gate.person("sales") as clerk:
        assert await one(officer) == ("ad*************",)
        assert await one(clerk) == ("***",)
    for event in await gate.running.settled(2, "intent"):
        assert event["masked"] == ["public.people.email"]
        # It shows as the other policy says, so nothing was lifted.
        assert "unless" not in event


async def test_observing_tells_what_would_be_lifted(gate: Gate) -> None:
    gate.govern(email("'dpo' in identity.groups"), mode="observe")
    async with await gate.person("dpo") as officer, await gate.person("sales") as clerk:
        assert await one(officer) == RAW
        assert await one(clerk) == RAW
    officers, clerks = await gate.running.settled(2, "intent")
    assert (officers["observed"], officers["masked"]) == ("allow", [])
    assert [each["result"] for each in officers["unless"]] == ["lifted"]
    assert (clerks["observed"], clerks["masked"]) == ("rewrite", ["public.people.email"])
    assert "unless" not in clerks


async def test_what_cannot_be_evaluated_leaves_the_mask_and_is_said_once(gate: Gate) -> None:
    gate.govern(email("identity.groups[3] == 'dpo' || identity.groups[4] == 'dpo'"))
    with capture_logs() as logs:
        async with await gate.person("dpo") as first, await gate.person("sales") as second:
            assert await one(first) == MASKED
            assert await one(second) == MASKED
    told = [each for each in logs if each["event"].startswith("a condition could not be evaluated")]
    assert [(each["policy"], each["rule"], each["identity"]) for each in told] == [
        ("people", "masks[0].unless", "person:ada")
    ]
    assert "index" in told[0]["why"].lower()
    for event in await gate.running.settled(2, "intent"):
        assert [(each["result"], each["columns"]) for each in event["unless"]] == [("failed", ["public.people.email"])]


async def test_the_time_ends_what_it_lifted_while_sessions_are_open(gate: Gate) -> None:
    border = in_seconds(3)
    gate.govern(email(f"'dpo' in identity.groups && now < timestamp('{border}')"))
    async with (
        await gate.person("dpo", prepare_threshold=0) as officer, await gate.person("sales") as clerk,
        await gate.person("dpo") as holder,
    ):  # fmt: skip
        assert [await one(officer), await one(clerk)] == [RAW, MASKED]
        await holder.execute("BEGIN")
        await holder.execute(f"DECLARE raw CURSOR FOR {TEXT} UNION ALL {TEXT}")
        assert await one(holder, "FETCH raw") == RAW
        await until(officer, MASKED)
        assert datetime.now(UTC).isoformat() > border
        assert await one(clerk) == MASKED
        # What was made before shows nothing more.
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="changed since this cursor"):
            await holder.execute("FETCH raw")


async def test_the_time_lifts_a_mask_while_sessions_are_open(gate: Gate) -> None:
    border = in_seconds(3)
    gate.govern(email(f"now >= timestamp('{border}')"))
    async with await gate.person("sales", prepare_threshold=0) as clerk:
        assert await one(clerk) == MASKED
        await until(clerk, RAW)
        assert datetime.now(UTC).isoformat() > border


async def until(session: psycopg.AsyncConnection[Any], wanted: Any) -> None:
    """Ask until the answer is another than it was; never anything else."""
    before = await one(session)
    async with asyncio.timeout(3 + NOTICED):
        while (found := await one(session)) != wanted:
            assert found == before
            await asyncio.sleep(0.1)


async def test_a_session_that_was_set_up_without_masks_ends_when_there_are_some(gate: Gate) -> None:
    border = in_seconds(4)
    # What DO does is looked at in no way where all is allowed.
    gate.govern(email(f"now < timestamp('{border}')"), allow=[*VERBS])
    plain = await gate.person()
    setup = [await gate.person() for _ in range(3)] + [await gate.person(options="-c enable_sort=off")]
    assert len(setup) == len(SETUP)
    for session, text in zip(setup, SETUP, strict=True):
        await session.execute(text)
        assert await one(session) == RAW
    await until(plain, MASKED)
    await asyncio.sleep(TIME_SECONDS)
    for session in setup:
        with pytest.raises(psycopg.errors.AdminShutdown, match="columns are masked now"):
            await session.execute("SELECT 1")
        await session.close()
    # It changed nothing that matters.
    assert await one(plain) == MASKED
    await plain.close()


async def test_a_session_for_which_conditions_fail_does_not_go_on_by_what_held(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.govern(email(f"now < timestamp('{in_seconds(3)}') || !('dpo' in identity.groups)"))
    provider = gate.running.proxy.rules_provider

    def fail(*_: Any) -> Any:
        raise ArithmeticError("made up")

    async with await gate.person("sales") as clerk:
        officer = await gate.person("dpo")
        assert [await one(clerk), await one(officer)] == [RAW, RAW]
        monkeypatch.setattr(provider, "rules_now", fail)
        with pytest.raises(psycopg.errors.AdminShutdown, match="could not be evaluated"):
            await until(officer, MASKED)
        # What came to the same as before needs no new rules.
        assert await one(clerk) == RAW
        await officer.close()


VERBS = ("select", "insert", "update", "delete", "truncate", "create", "alter", "drop")
SETUP = (
    "SET enable_seqscan = off",
    "SELECT set_config('enable_hashagg', 'off', false)",
    "DO $$BEGIN END$$",
    "SELECT 1",
)


async def test_where_the_connection_comes_from(gate: Gate) -> None:
    gate.govern(email("session.clientAddress == '127.0.0.1' && session.database == 'shop'"))
    async with await gate.person() as near:
        assert await one(near) == RAW
    gate.govern(email("session.clientAddress != '127.0.0.1'"))
    async with await gate.person() as near:
        assert await one(near) == MASKED
