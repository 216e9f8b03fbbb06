"""A gate before a real server, with rows to delete and a holder of requests that keeps to the rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.sidecar.holder import Holder
from tests.sidecar.proxy.conftest import Running, Start
from tests.sidecar.proxy.raw import Pair, Raw, run

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_sidecar.wire.messages import query, read_error

SCHEMA = """
CREATE TABLE held (id int PRIMARY KEY, note text);
CREATE FUNCTION purge() RETURNS void LANGUAGE sql AS $$ DELETE FROM public.held $$;
CREATE SCHEMA app; CREATE TABLE app.held (id int, note text);
"""
FILL = "TRUNCATE held, app.held; INSERT INTO held SELECT i, 'n' FROM generate_series(1, 5) AS i"
APPROVALS = """  approvals:
    - name: changes
      when: "statement.verb in ['delete', 'truncate', 'drop'] || 'public.secrets' in statement.tables"
      approvers: {{groups: [dba]}}
      wait: {wait}
"""
ALLOW = "select, insert, update, delete, truncate, create, alter, drop"
Begin = Callable[..., Any]
Sent = Callable[[str], bytes]
EITHER: list[Sent] = [query, run]


@dataclass
class Place:
    """A gate, the server behind it, and who approves."""

    pair: Pair
    running: Running
    holder: Holder
    server: EmbeddedPostgres

    @property
    def left(self) -> int:
        """How many rows are left."""
        return int(self.server.psql("SELECT count(*) FROM held", "shop").strip())

    def fill(self) -> None:
        self.server.psql(f"SET ROLE penstock; {FILL}", "shop")

    async def client(self) -> Raw:
        return await self.pair.gated()

    def end(self) -> None:
        self.pair.end()
        self.holder.stop()


async def begin_at(
    start: Start, server: EmbeddedPostgres, wait: str = "0s", more: str = "", approvals: str = APPROVALS, **options: Any
) -> Place:
    """A new place, with five rows in it; `more` stands behind the approvals in the policy."""
    if "held" not in server.psql("SELECT relname FROM pg_class WHERE relname = 'held'", "shop"):
        server.psql(f"SET ROLE penstock; {SCHEMA}", "shop")
    holder = Holder()
    url = await holder.listen()
    policy = approvals.format(wait=wait) + more
    running = await start(server, governed=True, allow=ALLOW, more=policy, approvals={"url": url}, **options)
    place = Place(Pair(running, server), running, holder, server)
    place.fill()
    return place


@asynccontextmanager
async def places(start: Start, server: EmbeddedPostgres, wait: str = "0s") -> AsyncIterator[Begin]:
    """What begins new places, which end together."""
    begun: list[Place] = []

    async def begin(wait: str = wait, **options: Any) -> Place:
        begun.append(await begin_at(start, server, wait, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


def told(got: list[tuple[bytes, bytes]], kind: bytes = b"E") -> Any:
    """The one error, or notice."""
    (fields,) = [read_error(body) for one, body in got if one == kind]
    return fields
