"""Bad tokens at a running gate, by psycopg and by libpq's OAUTHBEARER: none opens a session, each is told one line, and
so it is where the issuer's keys can't be had.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.sidecar.proxy.libpq import Libpq
from tests.sidecar.proxy.oidc_provider import DISCOVERY, JWKS, Answer, Provider, running
from tests.sidecar.proxy.test_claims import chain
from tests.sidecar.proxy.test_tokens import BAD, ISSUER, issuers, token

from penstock_sidecar.proxy import signing_keys

Start = Any
BOT = {"sub": "bot", "groups": ["support"]}
# Without a password libpq asks nobody.
PRESENTED = {name: case for name, case in BAD.items() if name != "empty"}
FORGED: dict[str, tuple[Callable[[], str], str]] = {
    "for an agent that is not listed": (
        lambda: token(act={"sub": "robot"}), "the token's issuer may not vouch for this agent here (claim act)"
    ),
    "for an agent of another issuer": (
        lambda: token(act={"sub": "bot", "iss": "https://evil.example"}),
        "the token's issuer names an agent of another issuer (claim act.iss)",
    ),
    "for an agent that had it from one that is listed": (
        lambda: token(act={"sub": "robot", "act": BOT}),
        "the token's issuer may not vouch for this agent here (claim act)",
    ),
    "with an actor by name": (lambda: token(act="bot"), "the token's claim act is not an object"),
    "with no actor": (lambda: token(act=None), "the token's claim act is not an object"),
    "for whoever acts for themselves": (
        lambda: token(sub="bot", act=BOT), "the token says that somebody acts for themselves"
    ),
    "for a chain of nine": (lambda: token(act=chain(9)), "the token's claim act is a chain of more than 8"),
}  # fmt: skip


@pytest.fixture
def libpq() -> Iterator[Libpq]:
    found = Libpq()
    yield found
    found.end()


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with running(tmp_path) as found:
        yield found


def of_two_audiences(directory: Path) -> dict[str, Any]:
    """As the table of bad tokens has it: one issuer for people, and for agents by another audience."""
    identity = issuers(directory)
    (people,) = identity["issuers"]
    return {**identity, "issuers": [people, {**people, "audience": "penstock-agents", "kind": "agent"}]}


def one_line(said: str, words: str) -> bool:
    """Whether a client reads these words as its one error, with a hint at most."""
    told = said.strip().partition("FATAL:  ")[2].split("\n")
    return told[0] == f"penstock: {words}" and all(line.startswith("HINT:  ") for line in told[1:]) and len(told) < 3


async def refused(gate: Any, password: str) -> str:
    with pytest.raises(psycopg.OperationalError) as caught:
        await gate.psycopg(password=password)
    return str(caught.value)


async def opens_for_a_good_one(gate: Any, password: str) -> None:
    async with await gate.psycopg(password=password) as session:
        assert await (await session.execute("SELECT 7")).fetchone() == (7,)


async def test_each_is_one_line_to_who_presents_it_as_a_password(start: Start, shop: Any, tmp_path: Path) -> None:
    gate = await start(shop, identity=of_two_audiences(tmp_path), name="gate")
    said = {name: (await refused(gate, made()), words) for name, (made, words) in PRESENTED.items()}
    assert {name: told for name, (told, words) in said.items() if not one_line(told, words)} == {}
    await opens_for_a_good_one(gate, token())


async def test_each_is_one_line_to_libpq_by_oauthbearer(start: Start, shop: Any, tmp_path: Path, libpq: Libpq) -> None:
    gate = await start(shop, identity={**of_two_audiences(tmp_path), "login": "oauthbearer"}, name="gate")
    where = (
        f"host=127.0.0.1 port={gate.proxy.port} user=ada dbname=shop sslmode=disable gssencmode=disable"
        f" oauth_issuer={ISSUER}{DISCOVERY} oauth_client_id=cli"
    )

    async def ask(made: Callable[[], str]) -> tuple[str, str]:
        libpq.token = made
        return await asyncio.to_thread(libpq.ask, where, "SELECT 7")

    # What is no bearer token by its letters does not come so far.
    by_bearer = {name: case for name, case in PRESENTED.items() if name != "no token"}
    said = {name: (await ask(made), words) for name, (made, words) in by_bearer.items()}
    said["of 64 KB"] = (await ask(lambda: "x" * 65_536), "the token is longer than 32768 bytes")
    assert {name: told for name, (told, words) in said.items() if told[0] or not one_line(told[1], words)} == {}
    assert await ask(token) == ("7", "")


async def test_a_forged_chain_is_one_line(start: Start, shop: Any, tmp_path: Path) -> None:
    identity = issuers(tmp_path)
    identity["issuers"][0]["delegation"] = {"agents": ["bot"]}
    gate = await start(shop, identity=identity, name="gate")
    said = {name: (await refused(gate, made()), words) for name, (made, words) in FORGED.items()}
    assert {name: told for name, (told, words) in said.items() if not one_line(told, words)} == {}
    for act in (BOT, chain(8)):
        await opens_for_a_good_one(gate, token(act=act))


@pytest.fixture
async def behind(start: Start, shop: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A gate whose issuer runs, and which asks it again soon."""
    monkeypatch.setattr(signing_keys, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(signing_keys, "FETCH_SECONDS", 0.5)
    issuer = {"issuer": provider.issuer, "audience": "penstock", "kind": "person", "caFile": str(provider.ca_file)}
    return await start(shop, identity={"required": True, "issuers": [issuer]}, name="gate")


async def test_keys_that_can_not_be_had_are_told_until_they_can(behind: Any, provider: Provider) -> None:
    words = f"cannot fetch the signing keys of {provider.issuer}"
    provider.instead[JWKS] = Answer(provider.keys(), seconds=30)
    slow = await refused(behind, provider.token())
    assert (one_line(slow, words), "HINT:  the issuer did not answer within" in slow) == (True, True), slow
    provider.instead[JWKS] = Answer(b"<html>")
    await asyncio.sleep(0.1)
    nonsense = await refused(behind, provider.token())
    assert (one_line(nonsense, words), "is not a JSON object" in nonsense) == (True, True), nonsense
    await provider.stop()
    await asyncio.sleep(0.1)
    down = await refused(behind, provider.token())
    assert (one_line(down, words), "HINT:  the issuer can't be reached" in down) == (True, True), down
    provider.instead.clear()
    await provider.start()
    await asyncio.sleep(0.1)
    await opens_for_a_good_one(behind, provider.token())


async def test_keys_that_change_let_nobody_in_by_the_old_ones(behind: Any, provider: Provider) -> None:
    old = provider.token()
    await opens_for_a_good_one(behind, old)
    provider.rotate("second")
    await asyncio.sleep(0.1)
    said = await refused(behind, old)
    assert one_line(said, f"the token is signed with a key that {provider.issuer} does not have"), said
    await opens_for_a_good_one(behind, provider.token())


async def test_a_flood_of_unknown_keys_asks_the_issuer_once_and_keeps_nobody_out(
    behind: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing_keys, "FRESH_SECONDS", 300.0)
    monkeypatch.setattr(signing_keys, "PAUSE_SECONDS", 30.0)
    said = await asyncio.gather(*(refused(behind, provider.token(kid=f"unknown-{number}")) for number in range(50)))
    words = f"the token is signed with a key that {provider.issuer} does not have"
    assert [told for told in said if not one_line(told, words)] == []
    assert provider.asked[JWKS] == 1
    await opens_for_a_good_one(behind, provider.token())
