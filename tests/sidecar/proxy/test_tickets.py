"""Tickets from end to end: a real gate and its replica, a real collector, a real PostgreSQL and real drivers."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import struct
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
import trustme
from tests.conformance import clients
from tests.sidecar.proxy.conftest import MASKED, Running, Start
from tests.sidecar.proxy.recorded import told_by
from tests.sidecar.proxy.test_tokens import ISSUER, issuers, token
from tests.sidecar.proxy.test_tokens_drivers import JAVA, NODE, installed
from tests.sidecar.proxy.ticketing import Place, Ticket, enter, place, shown, ticket

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_collector.store import tickets as store
from penstock_core.tickets.ticket import Judged, Made
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.scram import ScramClient

BAD = "there is no such ticket at this gate, or its secret is another"
UNKNOWN = Ticket("ticket-aaaqeayeaudaocajbifq", "made-up", "")


@pytest.fixture
async def stand(start: Start, shop: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Place]:
    async for one in place(start, shop, tmp_path):
        yield one


async def refused(gate: Running, one: Ticket, **changes: Any) -> str:
    """What is said to who does not get in."""
    with pytest.raises(psycopg.OperationalError) as caught:
        await enter(gate, one, **changes)
    return str(caught.value)


async def test_a_ticket_opens_one_session_of_whom_the_token_named(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate, token(sub="ada", groups=["dba", "support"]))
    assert re.fullmatch(r"ticket-[a-z2-7]{20}", one.user)
    assert re.fullmatch(r"[a-z2-7]{32}", one.password)
    left = time.mktime(time.strptime(one.expires, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
    assert 50 < left <= 66, "the token counts for a minute, and five seconds that clocks may differ by"
    async with await enter(gate, one) as session:
        assert await (await session.execute("SELECT 7")).fetchone() == (7,)
    assert "the ticket was used before: one is good for one session" in await refused(gate, one)
    events = await stand.events(sessions=2)
    starts = [event for event in events if event.get("outcome") == "accepted"]
    by_token, by_ticket = (event["identity"] for event in starts)
    assert by_ticket == {**by_token, "login": "ticket"}
    assert by_ticket["principal"] == {
        "kind": "person", "subject": "ada", "issuer": ISSUER, "groups": ["dba", "support"], "assurance": "verified",
    }  # fmt: skip
    assert starts[1]["client"]["user"] == one.user
    (made,) = [event for event in events if event.get("ticket")]
    assert made["ticket"] == one.user
    asked = next(one for one in events if one["kind"] in told_by("intent") and one["session"] == made["session"])
    assert (asked["sql"], asked["statement"]) == ("SHOW penstock.ticket", made["statement"])
    while not (refusals := [event for event in events if event.get("outcome") == "refused"]):
        await asyncio.sleep(0.1)
        events = await stand.collector.exported()
    assert [(event["client"]["user"], event["sqlstate"]) for event in refusals] == [(one.user, "28P01")]
    assert "identity" not in refusals[0]
    assert one.password not in repr(events)


async def test_nobody_keeps_the_secret(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    for path in [*stand.directory.glob("audit.db*"), *gate.directory.glob("spool*")]:
        for file in [path] if path.is_file() else path.rglob("*"):
            if file.is_file():
                assert one.password.encode() not in file.read_bytes(), file
    assert "penstock.ticket" not in stand.shop.psql("SELECT query FROM pg_stat_activity", "shop")


async def test_it_is_good_at_every_replica_of_its_gate_and_at_no_other_gate(stand: Place) -> None:
    gate, replica, other = await stand.gate(), await stand.gate(), await stand.gate("other-gate")
    one = await ticket(gate)
    assert BAD in await refused(other, one)
    async with await enter(replica, one) as session:
        await session.execute("SELECT 1")
    assert "used before" in await refused(gate, one)


async def test_of_many_at_once_exactly_one_gets_in(stand: Place) -> None:
    gates = [await stand.gate(), await stand.gate()]
    one = await ticket(gates[0])

    async def attempt(number: int) -> str:
        try:
            async with await enter(gates[number % 2], one) as session:
                await session.execute("SELECT 1")
                return "in"
        except psycopg.OperationalError as error:
            return str(error)

    said = await asyncio.gather(*(attempt(number) for number in range(12)))
    assert said.count("in") == 1
    assert all("the ticket was used before" in one for one in said if one != "in")


async def test_it_ends_after_its_time(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    office = stand.collector.running.collector.tickets
    office.clock = lambda: time.time() + 400
    assert "the ticket has expired" in await refused(gate, one)
    office.clock = time.time
    assert "the ticket has expired" in await refused(gate, one)


async def test_its_session_ends_with_the_token_that_it_was_made_with(stand: Place, monkeypatch: Any) -> None:
    gate = await stand.gate(identity={**issuers(stand.directory), "clockSkewSeconds": 0})
    one = await ticket(gate, token(exp=int(time.time()) + 4))
    session = await enter(gate, one)
    await session.execute("SELECT 1")
    for _ in range(300):
        if not gate.proxy.gateway.connections:
            break
        await asyncio.sleep(0.1)
    with pytest.raises(psycopg.OperationalError, match="the session's token expired"):
        await session.execute("SELECT 1")


async def test_a_token_that_is_about_to_end_gives_no_ticket(stand: Place, monkeypatch: Any) -> None:
    gate = await stand.gate()
    monkeypatch.setattr("penstock_sidecar.proxy.tickets.seconds_left", lambda proof: 0.9)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="about to expire"):
        await ticket(gate)


async def test_a_ticket_whose_token_has_ended_meanwhile_opens_nothing(stand: Place, monkeypatch: Any) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    monkeypatch.setattr("penstock_sidecar.proxy.tickets.seconds_left", lambda proof: 0.0)
    assert "the token that the ticket was made with has expired" in await refused(gate, one)


async def test_wrong_secrets_make_it_void(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    for _ in range(3):
        assert BAD in await refused(gate, one, password=one.password[::-1])
    assert "the ticket is void: a wrong secret was tried with it several times" in await refused(gate, one)


async def test_an_unknown_ticket_has_the_same_exchange_as_a_known_one(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    challenges = {}
    for name in (one.user, UNKNOWN.user):
        challenges[name] = [await challenge(gate, name) for _ in range(2)]
    async with await enter(gate, one):
        pass
    for name in challenges:
        challenges[name] += [await challenge(gate, name)]
    known, unknown = challenges.values()
    # The salt stays what it is, whatever becomes of the ticket; only nonces differ, and are as long.
    for salts in (known, unknown):
        assert len({salt for _, salt, _ in salts}) == 1
    assert len({nonce for nonce, _, _ in known + unknown}) == 6
    assert {(len(nonce), len(salt), count) for nonce, salt, count in known + unknown} == {(30, 24, "4096")}
    said = [await refused(gate, one, password="wrong"), await refused(gate, UNKNOWN)]
    assert len({re.sub("port [0-9]+", "", text) for text in said}) == 1


async def challenge(gate: Running, name: str) -> tuple[str, str, str]:
    """What the gate asks who names that ticket: its nonce, the salt, and the count."""
    client = ScramClient("secret", "client")
    first = client.first()
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.proxy.port)
    writer.write(messages.startup({"user": name, "database": "shop"}))
    initial = b"SCRAM-SHA-256\x00" + struct.pack(">i", len(first)) + first
    writer.write(messages.message(b"p", initial))
    data = b""
    while b"i=" not in data:
        data += await reader.read(1000)
    writer.close()
    found = re.search(rb"r=client([^,]*),s=([^,]*),i=(\d+)", data)
    assert found is not None
    assert len(base64.b64decode(found[2])) == 16
    return found[1].decode() + "client", found[2].decode(), found[3].decode()


async def test_who_only_looks_has_tried_nothing(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    for _ in range(5):
        # As libpq does that has no password yet.
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            await gate.psycopg(user=one.user)
    async with await enter(gate, one) as session:
        await session.execute("SELECT 1")


async def test_a_session_by_ticket_gets_no_tickets(stand: Place) -> None:
    gate = await stand.gate()
    async with await enter(gate, await ticket(gate)) as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only a session that presented a token"):
            await shown(session)
        assert await (await session.execute("SELECT 1")).fetchone() == (1,)


async def test_a_gate_without_a_collector_makes_and_takes_none(
    start: Start, shop: EmbeddedPostgres, tmp_path: Path
) -> None:
    gate = await start(shop, identity=issuers(tmp_path), name="gate")
    async with await gate.psycopg(password=token()) as session:
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="it has no collector to keep them"):
            await shown(session)
        assert await (await session.execute("SELECT 1")).fetchone() == (1,)
    assert "it has no collector to keep them" in await refused(gate, UNKNOWN)


async def test_a_gate_that_wants_no_tickets_has_none(stand: Place) -> None:
    gate = await stand.gate(identity={**issuers(stand.directory), "tickets": False})
    with pytest.raises(psycopg.errors.FeatureNotSupported, match=r"or identity\.tickets is false"):
        await ticket(gate)
    assert "or identity.tickets is false" in await refused(gate, UNKNOWN)


async def test_in_a_pod_who_presents_a_token_gets_one_and_the_pod_itself_does_not(stand: Place) -> None:
    workload = {"namespace": "shop", "serviceAccount": "web", "pod": "web-1", "podUid": "u-1"}
    identity = {**issuers(stand.directory), "required": False, "workload": workload}
    gate = await stand.gate("u-1", identity=identity)
    async with await gate.psycopg() as session:
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only a session that presented a token"):
            await shown(session)
    async with await gate.psycopg(user="token", password=token()) as session:
        one = await shown(session)
    async with await enter(gate, one) as session:
        await session.execute("SELECT 1")
    events = await stand.events(sessions=3)
    identities = [event["identity"] for event in events if event.get("outcome") == "accepted"]
    assert [one["name"] for one in identities] == ["sa:shop/web", "person:ada", "person:ada"]
    assert identities[2] == {**identities[1], "login": "ticket"}
    assert identities[2]["workload"]["pod"] == "web-1"


async def test_revocation_is_for_the_person_whatever_they_log_in_by(stand: Place) -> None:
    gate = await stand.gate(governed=True, more="  # nothing\n")
    allow = f"    - identity: {{subject: ada, issuer: '{ISSUER}'}}\n"
    resources = (gate.directory / "shop.yaml").read_text()
    (gate.directory / "shop.yaml").write_text(resources.replace("  subjects:\n", "  subjects:\n" + allow))
    await until_in(gate)
    before, after = await ticket(gate), await ticket(gate)
    session = await enter(gate, before)
    await session.execute("SELECT 1")
    stop = """---
apiVersion: penstock.dev/v1alpha1
kind: DatabaseAccessPolicy
metadata: {name: stop, namespace: shop}
spec: {databaseRef: {name: shop}, mode: revoke, subjects: [{identity: {subject: ada, issuer: "%s"}}]}
"""
    text = (gate.directory / "shop.yaml").read_text()
    (gate.directory / "shop.yaml").write_text(text + stop % ISSUER)
    for _ in range(600):
        if not gate.proxy.gateway.connections:
            break
        await asyncio.sleep(0.05)
    with pytest.raises(psycopg.OperationalError, match="access is revoked"):
        await session.execute("SELECT 1")
    assert "access is revoked (policy stop)" in await refused(gate, after)


async def until_in(gate: Running) -> None:
    """Until the policy lets ada in."""
    for _ in range(300):
        try:
            async with await gate.psycopg(password=token()) as session:
                await session.execute("SELECT 1")
                return
        except psycopg.Error:
            await asyncio.sleep(0.1)
    raise AssertionError("ada does not get in")


async def test_masks_are_those_of_the_person(stand: Place) -> None:
    stand.shop.psql("SET ROLE penstock; CREATE TABLE IF NOT EXISTS ticketed (email text)", "shop")
    stand.shop.psql("TRUNCATE ticketed; INSERT INTO ticketed VALUES ('eva@shop.example')", "shop")
    gate = await stand.gate(governed=True, more=MASKED)
    one = f"    - identity: {{subject: ada, issuer: '{ISSUER}'}}\n"
    text = (gate.directory / "shop.yaml").read_text()
    (gate.directory / "shop.yaml").write_text(text.replace("  subjects:\n", "  subjects:\n" + one))
    await until_in(gate)
    async with await gate.psycopg(password=token()) as session:
        by_token = await (await session.execute("SELECT email FROM ticketed")).fetchone()
    async with await enter(gate, await ticket(gate)) as session:
        by_ticket = await (await session.execute("SELECT email FROM ticketed")).fetchone()
    assert by_ticket == by_token
    assert by_ticket != ("eva@shop.example",)


async def test_while_the_collector_is_down_nobody_gets_in_by_ticket_and_everybody_by_token(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    await stand.ended()
    said = await refused(gate, one)
    assert "tickets can't be had or checked at the moment: the keeper of tickets http://127.0.0.1" in said
    assert "present the token itself" in said
    async with await gate.psycopg(password=token()) as session:
        with pytest.raises(psycopg.errors.CannotConnectNow, match="can't be had or checked at the moment"):
            await shown(session)
        assert await (await session.execute("SELECT 1")).fetchone() == (1,)


async def test_a_collector_that_does_not_know_the_gate(stand: Place) -> None:
    gate = await stand.gate()
    (stand.directory / "gate.token").write_text("another")
    assert "does not take tickets from this gate" in await refused(gate, UNKNOWN)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bearer": {"groups": ("owners",)}}, "was not made by this gate, or was changed since"),
        ({"bearer": {"subject": "eve"}}, "was not made by this gate, or was changed since"),
        ({"database": "payroll"}, "is for another database of this gate"),
        ({"until_ms": 1 << 52}, "was not made by this gate, or was changed since"),
        ({"seal": ""}, "was not made by this gate, or was changed since"),
    ],
)
async def test_a_collector_that_lies_lets_nobody_in(stand: Place, monkeypatch: Any, change: Any, words: str) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    used = store.use

    def lies(*arguments: Any) -> Any:
        judged = used(*arguments)
        made = judged.made
        if "bearer" in change:
            party = made.bearer.party.model_copy(update=change["bearer"])
            changed = {"bearer": made.bearer.model_copy(update={"party": party})}
        else:
            changed = change
        return judged.model_copy(update={"made": made.model_copy(update=changed)})

    monkeypatch.setattr(store, "use", lies)
    assert words in await refused(gate, one)


async def test_a_collector_that_grants_whatever_is_proved_lets_nobody_in(stand: Place, monkeypatch: Any) -> None:
    gate = await stand.gate()
    one, other = await ticket(gate), await ticket(gate, token(sub="bea"))
    monkeypatch.setattr(store, "use", lambda connection, book, name, proved, now: granted(connection, one.user))
    assert "was not made by this gate, or was changed since" in await refused(gate, one, password="wrong")
    assert "was not made by this gate, or was changed since" in await refused(gate, other)
    async with await enter(gate, one) as session:
        await session.execute("SELECT 1")


def granted(connection: Any, name: str) -> Judged:
    """A ticket, as if its secret had been proved."""
    (document,) = connection.execute("SELECT document FROM tickets WHERE name = ?", (name,)).fetchone()
    return Judged(standing="granted", made=Made.model_validate_json(document))


async def test_a_collector_that_forgets_the_time_lets_nobody_in(stand: Place, monkeypatch: Any) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    stand.collector.running.collector.tickets.clock = lambda: 0.0
    monkeypatch.setattr("penstock_sidecar.proxy.tickets.time.time", lambda: time.monotonic() + 4e9)
    monkeypatch.setattr("penstock_sidecar.proxy.tickets.seconds_left", lambda proof: 60.0)
    assert "the ticket has expired" in await refused(gate, one)


async def test_a_gate_of_the_same_name_with_another_mask_key_is_no_replica(stand: Place) -> None:
    gate = await stand.gate()
    other = await stand.gate()
    provider = other.proxy.rules_provider
    bundle = provider.bundle
    assert bundle is not None
    key = base64.b64encode(b"x" * 32).decode()
    provider.replace_bundle(bundle.model_copy(update={"mask_key": key, "generation": 2**40}))
    assert "see that all replicas of the gate have one mask key" in await refused(other, await ticket(gate))


async def test_too_many_tickets(stand: Place, monkeypatch: Any) -> None:
    monkeypatch.setattr(store, "MOST_OF_A_BEARER", 2)
    gate = await stand.gate()
    async with await gate.psycopg(password=token()) as session:
        for _ in range(2):
            await shown(session)
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded, match="too many tickets are open"):
            await shown(session)
        assert await (await session.execute("SELECT 1")).fetchone() == (1,)
    await ticket(gate, token(sub="bea"))


async def test_asyncpg(stand: Place) -> None:
    gate = await stand.gate()
    one = await ticket(gate)
    session = await asyncpg.connect(
        host="127.0.0.1", port=gate.proxy.port, user=one.user, password=one.password, database="shop", ssl=False
    )
    assert await session.fetchval("SELECT 7") == 7
    await session.close()


async def test_drivers_that_prepare_it_get_one_each_time(stand: Place) -> None:
    gate = await stand.gate()
    got = []
    session = await asyncpg.connect(
        host="127.0.0.1", port=gate.proxy.port, user="me", password=token(), database="shop", ssl=False
    )
    prepared = await session.prepare("SHOW penstock.ticket")
    assert [(one.name, one.type.name) for one in prepared.get_attributes()] == [
        ("user", "text"), ("password", "text"), ("expires", "text"),
    ]  # fmt: skip
    for _ in range(2):
        (row,) = await prepared.fetch()
        got.append(Ticket(*row.values()))
    async with session.transaction():
        got.append(Ticket(*(await session.fetchrow("SHOW penstock.ticket")).values()))
    assert await session.fetchval("SELECT 7") == 7
    await session.close()
    async with await gate.psycopg(password=token()) as other:
        for options in ({"prepare": True}, {"binary": True}):
            cursor = await other.execute("SHOW penstock.ticket", **options)
            row = await cursor.fetchone()
            assert row is not None
            got.append(Ticket(*row))
        async with other.pipeline():
            await other.execute("SELECT 1")
            cursor = await other.execute("SHOW penstock.ticket")
            await other.execute("SELECT 2")
        row = await cursor.fetchone()
        assert row is not None
        got.append(Ticket(*row))
    assert len({one.password for one in got}) == 6
    for one in got:
        async with await enter(gate, one) as entered:
            assert await (await entered.execute("SELECT 7")).fetchone() == (7,)


@pytest.fixture
def files(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    """A certificate for localhost, its key, and who signed it."""
    made = authority.issue_cert("localhost")
    made.private_key_and_cert_chain_pem.write_to_path(tmp_path / "gate.pem")
    authority.cert_pem.write_to_path(tmp_path / "root.pem")
    return {"cert": str(tmp_path / "gate.pem"), "root": str(tmp_path / "root.pem")}


async def run(gate: Running, one: Ticket, directory: Path, *command: str, **more: str) -> str:
    """What a program prints, led to the gate as libpq's relatives are."""
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PG")},
        "PGHOST": "127.0.0.1", "PGPORT": str(gate.proxy.port), "PGUSER": one.user, "PGDATABASE": "shop",
        "PGPASSWORD": one.password, "PGSSLMODE": "disable", **more,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, env=variables, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return said.decode().strip()


async def test_psql(stand: Place, tmp_path: Path) -> None:
    gate = await stand.gate()
    for folder in (Path("/usr/lib/postgresql/15/bin"), stand.shop.bin):
        assert await run(gate, await ticket(gate), tmp_path, str(folder / "psql"), "-XAtc", "SELECT 7") == "7"


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
async def test_libpq_with_and_without_channel_binding(
    stand: Place, files: dict[str, str], tmp_path: Path, binding: str
) -> None:
    gate = await stand.gate(client_tls={"certFile": files["cert"], "keyFile": files["cert"], "required": False})
    more = {
        "PGSSLMODE": "verify-full", "PGSSLROOTCERT": files["root"], "PGHOST": "localhost", "PGCHANNELBINDING": binding,
    }  # fmt: skip
    psql = "/usr/lib/postgresql/15/bin/psql"
    assert await run(gate, await ticket(gate), tmp_path, psql, "-XAtc", "SELECT 7", **more) == "7"
    options = {"sslmode": "verify-full", "sslrootcert": files["root"], "host": "localhost", "channel_binding": binding}
    async with await enter(gate, await ticket(gate), **options) as session:
        assert await (await session.execute("SELECT 7")).fetchone() == (7,)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_node_postgres(stand: Place) -> None:
    gate = await stand.gate()
    home = await asyncio.to_thread(clients.program, clients.HERE / "node", installed("node-postgres"))
    one = await ticket(gate)
    assert await run(gate, one, home, "node", "--input-type=module", "--eval", NODE) == "7"


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_pgjdbc(stand: Place, tmp_path: Path) -> None:
    gate = await stand.gate()
    home = await asyncio.to_thread(clients.program, clients.HERE / "java", installed("pgjdbc"))
    (tmp_path / "Once.java").write_text(JAVA)
    one = await ticket(gate)
    assert await run(gate, one, home, "java", "-cp", "jars/*", str(tmp_path / "Once.java")) == "7"
