"""Agents that act for people, through a gate: what both may, what the trail tells, and what is no delegation."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from tests.sidecar.proxy.test_tokens import ISSUER, jwks, token

Start = Any
BOT = {"sub": "bot", "groups": ["support"]}


def policies(port: int, unless: str = "'dpo' in identity.groups") -> str:
    """One for agents and one for people; each shows and allows what the other does not."""

    def policy(name: str, kind: str, **spec: Any) -> dict[str, Any]:
        subjects = [{"identity": {"kind": kind}}]
        return {
            "apiVersion": "penstock.dev/v1alpha1", "kind": "DatabaseAccessPolicy",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"databaseRef": {"name": "shop"}, "subjects": subjects, **spec},
        }  # fmt: skip

    database = {
        "apiVersion": "penstock.dev/v1alpha1", "kind": "Database", "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {
            "host": "127.0.0.1", "port": port, "dbname": "delegated", "tls": {"mode": "disable"},
            "credentialsSecretRef": {"name": "shop-db"},
        },
    }  # fmt: skip
    documents = [
        database,
        policy("agents", "agent", allow=["select", "delete"], masks=[
            {"columns": ["*.*.phone"], "with": {"redact": {}}},
        ]),
        policy("people", "person", allow=["select", "insert"], masks=[
            {"columns": ["*.*.email"], "with": {"redact": {}}, "unless": unless},
        ]),
    ]  # fmt: skip
    return yaml.safe_dump_all(documents)


@pytest.fixture(scope="module")
def delegated(shop: Any) -> Any:
    shop.psql("CREATE DATABASE delegated OWNER penstock")
    shop.psql(
        "SET ROLE penstock; CREATE TABLE people (id int PRIMARY KEY, email text, phone text);"
        "INSERT INTO people VALUES (1, 'ada@example.com', '0123456')",
        dbname="delegated",
    )
    return shop


@pytest.fixture
async def gate(start: Start, delegated: Any, tmp_path: Path) -> Any:
    path = tmp_path / "jwks.json"
    path.write_text(jwks())
    people = {"issuer": ISSUER, "audience": "penstock", "kind": "person", "jwksFile": str(path)}
    identity = {
        "required": True,
        "issuers": [
            {**people, "delegation": {"agents": ["bot"]}},
            {**people, "audience": "penstock-plain"},
            {**people, "audience": "penstock-agents", "kind": "agent"},
        ],
    }
    running = await start(delegated, identity=identity, name="gate", governed=True)
    (running.directory / "shop.yaml").write_text(policies(delegated.port))
    running.proxy.source.poll()
    await running.proxy.rules_provider.refresh_catalog()
    return running


TEXT = "SELECT email, phone FROM people"
SHOWN: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "a person": ({"groups": []}, ("***", "0123456")),
    "a person who may": ({"groups": ["dpo"]}, ("ada@example.com", "0123456")),
    "an agent": ({"aud": "penstock-agents", "sub": "bot"}, ("ada@example.com", "***")),
    "an agent for a person": ({"groups": [], "act": BOT}, ("***", "***")),
    "an agent for a person who may": ({"groups": ["dpo"], "act": BOT}, ("ada@example.com", "***")),
    "an agent that may, for a person who may not": (
        {"groups": [], "act": {"sub": "bot", "groups": ["dpo"]}}, ("***", "***")
    ),
}  # fmt: skip


@pytest.mark.parametrize(("claims", "seen"), SHOWN.values(), ids=SHOWN)
async def test_what_each_sees(gate: Any, claims: dict[str, Any], seen: tuple[str, str]) -> None:
    async with await gate.psycopg(password=token(**claims)) as session:
        assert await (await session.execute(TEXT)).fetchone() == seen


async def test_what_one_of_them_may_is_not_enough(gate: Any) -> None:
    async with await gate.psycopg(password=token(act=BOT)) as session:
        for text in ("DELETE FROM people", "INSERT INTO people VALUES (2, 'x', 'y')"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await session.execute(text)


async def test_the_trail_tells_the_whole_chain(gate: Any) -> None:
    act = {**BOT, "act": {"sub": "helper", "groups": ["dpo"]}}
    async with await gate.psycopg(password=token(groups=["dpo"], act=act)) as session:
        await session.execute("SELECT 1")
    (intent,) = await gate.settled(1, "intent")
    assert intent["policies"] == ["agents", "people"]
    identity = intent["identity"]
    assert identity["name"] == "agent:bot for person:ada"
    assert identity["principal"] == {
        "kind": "agent", "subject": "bot", "issuer": ISSUER, "groups": ["support"], "assurance": "verified",
    }  # fmt: skip
    assert identity["actsFor"] == [
        {"kind": "agent", "subject": "helper", "issuer": ISSUER, "groups": [], "assurance": "asserted"},
        {"kind": "person", "subject": "ada", "issuer": ISSUER, "groups": ["dpo"], "assurance": "verified"},
    ]


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"aud": "penstock-plain", "act": BOT}, "its issuer may not vouch for that here"),
        ({"act": {"sub": "robot"}}, "the token's issuer may not vouch for this agent here"),
        ({"act": "bot"}, "the token's claim act is not an object"),
    ],
)
async def test_what_is_no_delegation_opens_no_session(gate: Any, claims: dict[str, Any], words: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=words):
        await gate.psycopg(password=token(**claims))


async def test_when_policies_change_both_still_count(gate: Any) -> None:
    async with await gate.psycopg(password=token(groups=[], act=BOT)) as session:
        assert await (await session.execute(TEXT)).fetchone() == ("***", "***")
        path = gate.directory / "shop.yaml"
        documents = [one for one in yaml.safe_load_all(path.read_text()) if one["metadata"]["name"] != "people"]
        path.write_text(yaml.safe_dump_all(documents))
        gate.proxy.source.poll()
        await asyncio.sleep(0)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no DatabaseAccessPolicy gives access"):
            await session.execute(TEXT)


async def test_when_time_ends_what_lifted_the_persons_mask_it_is_there_again(gate: Any, delegated: Any) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=4)).isoformat().replace("+00:00", "Z")
    unless = f"'dpo' in identity.groups && now < timestamp('{until}')"
    (gate.directory / "shop.yaml").write_text(policies(delegated.port, unless))
    gate.proxy.source.poll()
    async with await gate.psycopg(password=token(groups=["dpo"], act=BOT)) as session:
        assert await (await session.execute(TEXT)).fetchone() == ("ada@example.com", "***")
        for _ in range(150):
            shown = await (await session.execute(TEXT)).fetchone()
            if shown == ("***", "***"):
                break
            await asyncio.sleep(0.2)
        assert shown == ("***", "***")


@pytest.mark.parametrize("size", [65_536, 2_000_000])
async def test_a_token_that_is_far_too_long_is_refused_in_words(gate: Any, size: int) -> None:
    with pytest.raises(psycopg.OperationalError, match="the token is longer than 32768 bytes\nHINT:  have the issuer"):
        await gate.psycopg(password="x" * size)
