"""A database that is dumped through a gate with masks, and the empty ones that its dumps go to."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import yaml
from tests.conformance import stage

from penstock_cli.demo.postgres import EmbeddedPostgres

WORLD = Path(__file__).with_name("world.sql")
LOGIN, PASSWORD = "dumped", "made-up-for-dumps"
# What no dump may hold, in whatever form: what the world's masked columns hold, also as bytes are written out.
SECRET = re.compile(
    rb"secret|" + b"secret".hex().encode() + rb"|1983-04-05|04:05:06|73737373|4111400|41114111", re.IGNORECASE
)
MASKS: list[dict[str, object]] = [
    {"columns": [f"shop.{column}" for column in columns.split()], "with": mask}
    for columns, mask in (
        ("*.email badges.number badges.key badges.raw badges.label", {"hash": {}}),
        ("customers.name", {"redact": {}}),
        ("as_null.value as_null.place as_null.sizes", {"null": {}}),
        ("as_redact.value as_redact.born as_redact.facts as_redact.tags", {"redact": {}}),
        ("as_constant.value", {"constant": {"value": "some text"}}),
        ("as_constant.amount", {"constant": {"value": "12.50"}}),
        ("as_partial.value as_partial.card", {"partial": {"keepLast": 2}}),
        ("as_email.value", {"email": {}}),
        ("as_year.value as_year.seen", {"year": {}}),
        ("as_month.value as_month.seen", {"month": {}}),
        ("as_bucket.value as_bucket.amount", {"bucket": {"size": 1000}}),
    )
]
_names = count(1)


@dataclass(frozen=True)
class Stand:
    """One server, the gate in front of its database, and where files go."""

    server: EmbeddedPostgres
    gate: int
    directory: Path

    @property
    def version(self) -> int:
        return self.server.version

    def dump(self, *options: str, port: int | None = None) -> subprocess.CompletedProcess[bytes]:
        """What pg_dump says, through the gate unless another port is given."""
        return self.run("pg_dump", *self.login(port or self.gate), *options)

    def dumped(self, *options: str) -> bytes:
        """A plain dump through the gate, which works."""
        done = self.dump(*options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def login(self, port: int, dbname: str = "shop") -> tuple[str, ...]:
        return "-h", "127.0.0.1", "-p", str(port), "-U", LOGIN, "-d", dbname

    def run(self, program: str, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [self.server.bin / program, *arguments], input=given, capture_output=True, check=False, timeout=110,
            env=stage.inherited() | {"PGPASSWORD": PASSWORD},
        )  # fmt: skip

    def empty(self) -> str:
        """The name of a database that has nothing in it."""
        name = f"copy_{next(_names)}"
        self.server.psql(f"CREATE DATABASE {name} OWNER {LOGIN}")
        return name

    def restored(self, dump: bytes, *, into: str = "") -> str:
        """The database that a plain dump went to, without an error."""
        name = into or self.empty()
        login = self.login(self.server.port, name)
        done = self.run("psql", "-Xq", "-v", "ON_ERROR_STOP=1", *login, "-f", "-", given=dump)
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return name

    def unpacked(self, archive: Path, *options: str) -> str:
        """The database that an archive went to, without an error."""
        name = self.empty()
        done = self.run("pg_restore", "-e", *options, *self.login(self.server.port, name), str(archive))
        assert done.returncode == 0, done.stderr.decode()[-2000:]
        return name

    def schema(self, dbname: str) -> list[str]:
        """What a database is made of, as a direct dump tells."""
        done = self.run("pg_dump", *self.login(self.server.port, dbname), "--schema-only")
        assert done.returncode == 0, done.stderr.decode()
        # Newer ones write a random word into each dump.
        return [line for line in done.stdout.decode().splitlines() if "restrict" not in line]

    def policy(self, masks: list[dict[str, object]], **changes: object) -> None:
        """The gate's policy from now on."""
        write_policy(self.directory / "gate" / "resources.yaml", self.server, masks, **changes)


def write_policy(file: Path, server: EmbeddedPostgres, masks: list[dict[str, object]], **changes: object) -> None:
    fresh = file.with_suffix(".fresh")
    fresh.write_text(
        yaml.safe_dump_all(stage.resources(server, "shop", {"masks": masks, "allow": ["select", "create"], **changes}))
    )
    fresh.rename(file)


@contextlib.contextmanager
def stand(
    server: EmbeddedPostgres, directory: Path, masks: list[dict[str, object]] = MASKS, more: str = "",
    resources: list[object] | None = None, changes: Mapping[str, object] | None = None,
) -> Iterator[Stand]:  # fmt: skip
    """The world, and `more` SQL, in a database of that server, behind a gate with those masks.

    `resources` and `changes` are what the gate has in place of its own resources and settings.
    """
    directory.mkdir(parents=True)
    if not server.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{LOGIN}'").strip():
        server.psql(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{PASSWORD}'")
    with _named_shop(server):
        server.psql(f"SET ROLE {LOGIN}; {WORLD.read_text()} {more}", "shop")
        gate = directory / "gate"
        gate.mkdir()
        own = stage.resources(server, "shop", {"masks": masks, "allow": ["select", "create"]})
        with stage.gate(gate, (LOGIN, PASSWORD), resources or own, changes) as port:
            yield Stand(server, port, directory)


@contextlib.contextmanager
def _named_shop(server: EmbeddedPostgres) -> Iterator[None]:
    """A database of that name, which docs/dumps.md has; one of other tests stands aside as long."""
    others = bool(server.psql("SELECT 1 FROM pg_database WHERE datname = 'shop'").strip())
    if others:
        server.psql("ALTER DATABASE shop RENAME TO shop_aside")
    server.psql(f"CREATE DATABASE shop OWNER {LOGIN}")
    try:
        yield
    finally:
        server.psql("DROP DATABASE shop WITH (FORCE)")
        if others:
            server.psql("ALTER DATABASE shop_aside RENAME TO shop")
