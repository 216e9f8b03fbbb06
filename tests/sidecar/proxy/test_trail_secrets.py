"""No secret that somebody typed, in a statement or beside it, is in the files of the spool, of the collector, or in a
log.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from tests.collector.conftest import READER, WRITER, token_line
from tests.sidecar.proxy.access import started, until
from tests.sidecar.proxy.conftest import Start
from tests.sidecar.proxy.raw import Pair, Raw, bind, close, describe, run
from tests.sidecar.proxy.secret_places import texts

from penstock_cli.demo.loopback import free_port
from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_collector.settings import CollectorSettings
from penstock_sidecar.wire.messages import SYNC, execute, message, parse, query

SCHEMA = """
DROP SCHEMA IF EXISTS told CASCADE;
CREATE SCHEMA told AUTHORIZATION penstock;
SET ROLE penstock;
CREATE TABLE told.people (id int PRIMARY KEY, email text UNIQUE, n int DEFAULT 0);
INSERT INTO told.people SELECT i, 'x' || i || '@example.com' FROM generate_series(1, 100) i;
"""
EVERYTHING = "select, insert, update, delete, create, drop, alter, truncate"
MASKS = "  masks: [{columns: ['told.people.email'], with: {hash: {}}}]\n"
PLAIN, BINARY = 0, 1
COPYING = query("COPY told.people (id, email) FROM STDIN")
# Messages with the secret in another place than a statement's text, whole or in two parts with the CopyIn between.
MESSAGES: dict[str, Callable[[bytes], bytes]] = {
    "a value": lambda one: run("SELECT $1::text", one),
    "a value in binary": lambda one: bound("SELECT $1::text", one, BINARY),
    "bytes": lambda one: bound("SELECT $1::bytea", one, BINARY),
    "a value of the wrong type": lambda one: run("SELECT $1::int", one),
    "a number in binary that is none": lambda one: bound("SELECT $1::int", one, BINARY),
    "a value that is no UTF-8": lambda one: run("SELECT $1::text", b"\xff" + one),
    "a value with a NUL": lambda one: run("SELECT $1::text", one + b"\0"),
    "a key that is taken": lambda one: run("INSERT INTO told.people (id, email) VALUES (1, $1)", one),
    "a value too many": lambda one: run("SELECT 1", one),
    "a text that is no UTF-8": lambda one: message(b"Q", b"SELECT '\xff" + one + b"'\0"),
    "a text in UTF-16": lambda one: message(b"Q", ("SELECT '" + one.decode() + "'").encode("utf-16-le") + b"\0"),
    "a text with a NUL": lambda one: message(b"Q", b"SELECT 1\0 " + one + b"\0"),
    "a prepared statement": lambda one: named(one.decode(), ""),
    "a portal": lambda one: named("", one.decode()),
    "a prepared statement that there is not": lambda one: bind(statement=one.decode()) + SYNC,
    "a portal that there is not": lambda one: execute(one.decode()) + SYNC,
    "a statement to be described": lambda one: describe("S", one.decode()) + SYNC,
    "a portal to be described": lambda one: describe("P", one.decode()) + SYNC,
    "a statement to be closed": lambda one: close("S", one.decode()) + SYNC,
    "a call without SQL": lambda one: message(b"F", b"\0\0\0\1\0\0\0\1" + len(one).to_bytes(4, "big") + one + b"\0\0"),
    "a row": lambda one: COPYING + message(b"d", b"500\t" + one + b"\n") + message(b"c", b""),
    "a row that is none": lambda one: COPYING + message(b"d", one + b"\t" + one + b"\n") + message(b"c", b""),
    "a row that is there": lambda one: COPYING + message(b"d", b"1\t" + one + b"\n") + message(b"c", b""),
    "why a copy failed": lambda one: COPYING + message(b"f", one + b"\0"),
}  # fmt: skip
# What a client says of its settings before it has a session.
STARTUPS: list[dict[str, str]] = [
    {"options": "-c app.token={}"},
    {"options": "--app.token={}"},
    {"options": "-c app.token={} -c statement_timeout=x"},
    {"options": "-c statement_timeout={}"},
    {"options": "-c client_min_messages={}"},
    {"options": "{}"},
    {"options": "-c {}"},
    {"app.token": "{}"},
    {"statement_timeout": "{}"},
    {"client_encoding": "{}"},
    {"datestyle": "{}"},
    {"TimeZone": "{}"},
    {"replication": "{}"},
    {"_pq_.token": "{}"},
    {"standard_conforming_strings": "{}"},
    {"search_path": "{}"},
    {"role": "{}"},
]


def bound(text: str, value: bytes, form: int) -> bytes:
    return parse("", text) + bind(values=[value], formats=[form]) + execute("") + SYNC


def named(statement: str, portal: str) -> bytes:
    return parse(statement, "SELECT 1") + bind(portal, statement) + execute(portal) + SYNC


def holding(places: dict[str, str], held: bytes) -> dict[str, str]:
    """The places whose secret is in these bytes, in whatever letters."""
    lowered = held.lower()
    return {secret: place for secret, place in places.items() if secret.encode() in lowered}


def files(directory: Path, pattern: str = "**/*") -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(directory.glob(pattern)) if path.is_file())


class Typist:
    """Somebody who says secrets, and begins anew where the session has ended."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.raw: Raw | None = None

    async def says(self, sent: bytes) -> None:
        self.raw = self.raw or await self.pair.gated()
        try:
            self.raw.writer.write(sent)
            while (got := await asyncio.wait_for(self.raw.next(), 20))[0] != b"Z":
                if got[0] == b"G":
                    self.raw.writer.write(message(b"f", b"\0"))
            if got[1] != b"I":
                await self.raw.ask("ROLLBACK")
        except (asyncio.IncompleteReadError, ConnectionError):
            self.raw = None

    async def comes(self, **parameters: str) -> None:
        with contextlib.suppress(AssertionError, asyncio.IncompleteReadError, ConnectionError):
            await self.pair.gated(**parameters)


async def everything_is_said(typist: Typist) -> dict[str, str]:
    """Say a secret of its own in each place; which was said where."""
    places: dict[str, str] = {}

    def secret(place: str) -> str:
        places[made := f"hunter{len(places):03d}x"] = place
        return made

    for text in texts():
        for make in (query, run):
            await typist.says(make(text.replace("{}", secret(text))))
    for place, made in MESSAGES.items():
        await typist.says(made(secret(place).encode()))
    for parameters in STARTUPS:
        own = secret(str(parameters))
        await typist.comes(**{name: value.replace("{}", own) for name, value in parameters.items()})
    return places


@pytest.mark.parametrize("more", ["", MASKS], ids=["unmasked", "masked"])
async def test_no_secret_is_in_a_file(start: Start, shop: EmbeddedPostgres, more: str, tmp_path: Path) -> None:
    shop.psql(SCHEMA, dbname="shop")
    listen = f"127.0.0.1:{free_port()}"
    (tmp_path / "gate.token").write_text(WRITER)
    collector = {"url": f"http://{listen}", "tokenFile": str(tmp_path / "gate.token")}
    gate = await start(shop, governed=True, allow=EVERYTHING, on_failure="continue", more=more, collector=collector)
    pair = Pair(gate, shop)
    with structlog.testing.capture_logs() as said:
        places = await everything_is_said(Typist(pair))
        pair.end()
        await gate.settled(600)
    assert holding(places, files(gate.directory / "spool")) == {}
    assert [one for one in said if holding(places, str(one).encode())] == []

    streams, viewers = tmp_path / "streams", tmp_path / "viewers"
    streams.write_text(token_line(WRITER, "u-1"))
    viewers.write_text(token_line(READER, "reader"))
    settings = CollectorSettings(
        listen=listen, database=tmp_path / "audit.db", stream_tokens_file=streams, viewer_tokens_file=viewers
    )
    with structlog.testing.capture_logs() as said:
        client = await started(settings)
        await until(lambda: gate.proxy.spool.depth == 0, 60)
        exported = b"\n".join(await client.export_lines())
        await client.http.aclose()
        await client.ended()
    assert exported.count(b'"sqlHmac"') > 600
    # What is packed in the store is not read as it stands, but as it comes out.
    assert holding(places, files(tmp_path, "audit.db*") + exported) == {}
    assert [one for one in said if holding(places, str(one).encode())] == []
