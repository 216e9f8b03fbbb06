"""The twins: servers whose databases differ in masked columns only, and a gate in front of each.

Each twin is a server of its own, so that object ids, transaction ids and page layouts are the same on all of them as
long as they are told the same. What is in the databases is `world/`'s; what is asked of them is not decided here.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psycopg
import psycopg.sql
import yaml
from psycopg import conninfo
from tests.conformance import stage
from tests.noninterference.client import Client
from tests.noninterference.hazards import Hazards

from penstock_cli.demo.postgres import EmbeddedPostgres, PostgresError
from penstock_cli.demo.tokens import AUDIENCE, ISSUER, Actor, DemoIssuer

WORLD = Path(__file__).with_name("world")
VERSIONS = (15, 16, 18)
LOGIN = "app"
PASSWORD = "made-up for the twins"
# Everything that could make two runs differ by itself is off; and rows that are found by an index come in its order.
_SETTINGS = {
    "autovacuum": "off", "random_page_cost": "1.1", "max_parallel_workers_per_gather": "0", "jit": "off",
    "enable_bitmapscan": "off",
    "timezone": "UTC", "statement_timeout": "10s", "max_prepared_transactions": "5",
}  # fmt: skip
# Extensions where the server has them.
_EXTENSIONS = ("citext", "hstore", "pg_trgm", "pgcrypto", "uuid-ossp", "vector")
TEMPLATE = "twin_template"
DBNAME = "twin"
_IDENTITIES = ("reader", "writer", "maker", "dba", "guarded")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Filling:
    """How one twin's masked columns are filled: placeholders in the SQL that fills its tables."""

    name: str
    seed: str
    # How long texts are whose mask hides their length.
    length: int


LEFT = Filling("left", "left", 8)
RIGHT = Filling("right", "rght", 8)
# Of other lengths where the layout of small tables can't show it.
LONG = Filling("long", "long", 20)
# What the masks show, by hand, where applications' statements are compared to that.
HAND = Filling("hand", "hand", 8)


@dataclass(frozen=True, slots=True)
class World:
    """A kind of database: its tables, what fills them on each twin, and who may do what with it."""

    name: str
    schema: Callable[[int], str]
    fill: Callable[[Filling], str]
    policies: Sequence[dict[str, object]]
    twins: tuple[Filling, ...] = (LEFT, RIGHT)
    # Runs once at the end, outside a transaction.
    finish: str = ""


@dataclass(slots=True)
class Twin:
    """One server with a gate before its database."""

    filling: Filling
    server: EmbeddedPostgres
    issuer: DemoIssuer
    gate: int = 0
    gate_directory: Path = Path()
    _opened: list[Client] = field(default_factory=list)

    def connect(self, identity: str, **parameters: str) -> Client:
        """A session through the gate as that identity; `direct`: with the server itself."""
        if identity == "direct":
            client = Client.direct(self.server.port, DBNAME, LOGIN, PASSWORD)
        elif identity == "superuser":
            client = Client.direct(self.server.port, DBNAME, "postgres", self.server.password)
        else:
            client = Client.gated(self.gate, DBNAME, identity, self.token(identity), parameters)
        self._opened.append(client)
        return client

    def recorded(self) -> int:
        """How many intents, and statements whose intent came with their outcome, the gate has on record."""
        counts = stage.recorded(self.gate_directory.parent)
        return counts.get("intent", 0) + counts.get("statement", 0)

    def token(self, identity: str) -> str:
        """What proves to the gate who one is."""
        return self.issuer.token(Actor("person", identity, (identity,)))

    def hang_up(self) -> None:
        """End all sessions."""
        for client in self._opened:
            client.close()
        self._opened.clear()

    def run(self, sql: str, dbname: str = DBNAME) -> None:
        """SQL by the superuser, past the gate. Raises psycopg.Error."""
        with psycopg.connect(self.server.url(dbname), autocommit=True) as connection:
            connection.execute(sql.encode())

    def rebuild(self) -> None:
        """The database as it was at first."""
        self.hang_up()
        with psycopg.connect(self.server.url(DBNAME), autocommit=True) as connection:
            # They hold the database though their sessions are gone.
            for (name,) in connection.execute("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
                connection.execute(psycopg.sql.SQL("ROLLBACK PREPARED {}").format(name))
        self.run(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)", "postgres")
        self.run(f"CREATE DATABASE {DBNAME} TEMPLATE {TEMPLATE} OWNER {LOGIN}", "postgres")


@dataclass(slots=True)
class Twins:
    """All twins of one world on one server version."""

    version: int
    world: World
    members: list[Twin]
    hazards: Hazards
    _workers: ThreadPoolExecutor
    _marks: int = 0

    @property
    def compared(self) -> list[Twin]:
        """Those that must answer alike; not the one whose masks were made by hand."""
        return [twin for twin in self.members if twin.filling is not HAND]

    def each(self, work: Callable[[Twin], _T]) -> list[_T]:
        """Do something with every twin at once."""
        return list(self._workers.map(work, self.members))

    def ask(self, work: Callable[[Twin], _T]) -> list[_T]:
        """What those say that must answer alike, at once."""
        return list(self._workers.map(work, self.compared))

    def extensions(self) -> frozenset[str]:
        """What is installed in the databases, and `libxml` where the server was built with it."""
        with psycopg.connect(self.members[0].server.url(DBNAME), autocommit=True) as connection:
            found = {row[0] for row in connection.execute("SELECT extname FROM pg_extension")}
            with contextlib.suppress(psycopg.errors.FeatureNotSupported):
                connection.execute("SELECT xmlelement(name a)")
                found.add("libxml")
        return frozenset(found)

    def reset(self) -> None:
        """Make the databases new, and let the gates see it."""
        self.each(Twin.rebuild)
        self.refresh()

    def refresh(self) -> None:
        """Wait until the gates know the catalog as it is now: a name that is not known makes them read it."""
        self._marks += 1
        mark = f"mark_{self._marks}"

        def until_known(twin: Twin) -> None:
            twin.run(f"CREATE TABLE public.{mark} (id int); GRANT SELECT ON public.{mark} TO {LOGIN}")
            end = time.monotonic() + 40
            while time.monotonic() < end:
                client = twin.connect("reader")
                answer = client.ask(f"SELECT id FROM public.{mark}")
                client.close()
                if not any(kind == b"E" for kind, _ in answer):
                    return
                time.sleep(0.1)
            raise stage.StageError("the gate does not notice a new table")

        self.each(until_known)


@contextlib.contextmanager
def twins(directory: Path, version: int, world: World) -> Iterator[Twins]:
    """Start the servers and gates of a world. Raises StageError and PostgresError."""
    with contextlib.ExitStack() as running:
        base = directory / "base"
        with stage.server(base, version, _SETTINGS):
            pass
        members = []
        for filling in world.twins:
            own = directory / filling.name
            own.mkdir()
            shutil.copy(base / "password", own)
            _copy(base / "data", own / "data")
            server = running.enter_context(stage.server(own, version, _SETTINGS))
            members.append(Twin(filling, server, DemoIssuer()))
        workers = running.enter_context(ThreadPoolExecutor(len(members)))
        list(workers.map(lambda twin: _build(twin, world, version), members))
        hazards = Hazards(members[0].server.url(DBNAME), _resources(members[0], world))
        both = Twins(version, world, members, hazards, workers)
        for twin in members:
            twin.gate_directory = directory / "gates" / twin.filling.name
            twin.gate_directory.mkdir(parents=True)
            twin.gate = running.enter_context(_gate(twin.gate_directory, twin, world))
        try:
            yield both
        finally:
            both.each(Twin.hang_up)


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        shutil.chown(path, source.owner(), source.group())
    target.chmod(0o700)


def _build(twin: Twin, world: World, version: int) -> None:
    twin.run(f"CREATE ROLE {LOGIN} LOGIN CREATEROLE PASSWORD '{PASSWORD}'", "postgres")
    twin.run(f"CREATE DATABASE {TEMPLATE} OWNER {LOGIN}", "postgres")
    with psycopg.connect(twin.server.url(TEMPLATE), autocommit=True) as connection:
        known = {row[0] for row in connection.execute("SELECT name FROM pg_available_extensions")}
        for name in _EXTENSIONS:
            if name in known:
                connection.execute(f'CREATE EXTENSION "{name}"'.encode())
        connection.execute(f"ALTER SCHEMA public OWNER TO {LOGIN}".encode())
    owner = conninfo.make_conninfo(twin.server.url(TEMPLATE), user=LOGIN, password=PASSWORD)
    with psycopg.connect(owner, autocommit=True) as connection:
        for sql in (world.schema(version), world.fill(twin.filling)):
            try:
                connection.execute(sql.encode())
            except psycopg.Error as error:
                raise PostgresError(f"the world {world.name} can't be made on PostgreSQL {version}: {error}") from None
        for sql in world.finish.split(";"):
            if sql.strip():
                connection.execute(sql.encode())
    twin.run(f"CREATE DATABASE {DBNAME} TEMPLATE {TEMPLATE} OWNER {LOGIN}", "postgres")


def _gate(directory: Path, twin: Twin, world: World) -> contextlib.AbstractContextManager[int]:
    twin.issuer.write_jwks(directory / "jwks.json")
    issuer = {"issuer": ISSUER, "audience": AUDIENCE, "kind": "person", "jwksFile": "jwks.json"}
    changes = {"identity": {"required": True, "issuers": [issuer]}}
    return stage.gate(directory, (LOGIN, PASSWORD), _resources(twin, world), changes)


def _resources(twin: Twin, world: World) -> list[dict[str, object]]:
    database = {
        "host": "127.0.0.1", "port": twin.server.port, "dbname": DBNAME, "tls": {"mode": "disable"},
        "credentialsSecretRef": {"name": "unused"},
    }  # fmt: skip
    resources = [_resource("Database", "tested", database)]
    resources += [_resource("DatabaseAccessPolicy", f"policy-{at}", spec) for at, spec in enumerate(world.policies)]
    return resources


def _resource(kind: str, name: str, spec: object) -> dict[str, object]:
    meta = {"name": name, "namespace": "conformance"}
    return {"apiVersion": "penstock.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def policies(path: Path) -> list[dict[str, object]]:
    """The policies' specs of a file with one YAML document for each; what all of them share is filled in."""
    found: list[dict[str, object]] = []
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        subject = {"identity": {"groups": document.pop("groups")}}
        audit = {"onFailure": "continue"}
        found.append({"databaseRef": {"name": "tested"}, "subjects": [subject], "audit": audit, **document})
    return found
