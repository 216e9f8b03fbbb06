"""The kinds of suites: how each is fetched, prepared, started and read.

Which suites there are is `suites.py`'s; how their runs are compared `runs.py`'s.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.conformance import clients, outcomes
from tests.conformance.outcomes import Outcome
from tests.conformance.stage import Place, inherited

_PROBES = clients.HERE / "probe"
PGX = "github.com/jackc/pgx/v5"


def extension(name: str) -> str:
    """SQL that makes it where the server has it; elsewhere the tests that need it skip themselves, or fail twice."""
    return f"DO $$ BEGIN CREATE EXTENSION {name}; EXCEPTION WHEN OTHERS THEN NULL; END $$;"


class Suite(Protocol):
    """One suite, ready to be run anywhere."""

    @property
    def name(self) -> str: ...

    @property
    def postgres(self) -> int:
        """The server's version where none is asked for."""
        ...

    @property
    def needs(self) -> str:
        """What only Debian's PostgreSQL 15 has of the servers here, and no test would run without; empty: nothing."""
        ...

    @property
    def dbnames(self) -> tuple[str, ...]: ...

    @property
    def part(self) -> str | tuple[str, ...]:
        """What is run of it for CI; empty: nothing."""
        ...

    @property
    def settings(self) -> Mapping[str, str]:
        """Of the server."""
        ...

    @property
    def minutes(self) -> float:
        """What one run may take."""
        ...

    @property
    def ours(self) -> bool:
        """Whether the tests are written here, so that one that fails direct is a mistake."""
        ...

    def fetch(self) -> None:
        """Bring everything into the cache. Raises FetchError."""
        ...

    def prepare(self, place: Place) -> None:
        """Make what the suite expects in a fresh server; the databases are there already."""
        ...

    def start(self, place: Place, work: Path, *, part: bool, only: list[str] | None) -> subprocess.Popen[bytes]:
        """Begin a run in `work`: all of it, the part that is meant for CI, or those tests alone."""
        ...

    def outcomes(self, work: Path) -> dict[str, Outcome]:
        """What has become of the tests so far."""
        ...


@dataclass(frozen=True)
class Pytest:
    """A suite from a source distribution, run by pytest."""

    name: str
    requirement: str
    sha256: str
    # What of the sources is unpacked, so that the installed client is tested and not the sources.
    folders: tuple[str, ...]
    arguments: tuple[str, ...]
    # Pytest's arguments for the part that is run in CI.
    part: tuple[str, ...] = ()
    postgres: int = 15
    needs: str = ""
    dbnames: tuple[str, ...] = ("postgres",)
    settings: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False
    sql: str = ""
    minutes: float = 20
    environment: str = ""
    variables: Callable[[Place], dict[str, str]] = lambda place: {}
    options: Callable[[Place], list[str]] = lambda place: []
    # From the id that a test reports to the one that it can be asked for by.
    address: Callable[[str], str] = lambda test: test

    def fetch(self) -> None:
        clients.sources(self.requirement, self.sha256)
        clients.environment(self.environment or self.name)

    def prepare(self, place: Place) -> None:
        if self.sql:
            place.server.psql(self.sql, dbname=place.dbname)

    def start(self, place: Place, work: Path, *, part: bool, only: list[str] | None) -> subprocess.Popen[bytes]:
        sources = clients.sources(self.requirement, self.sha256)
        for folder in self.folders:
            link = work / folder
            if not link.exists():
                link.symlink_to(sources / folder)
        if "pyproject.toml" not in self.folders:
            # Else pytest would take Penstock's own settings, which it finds further up.
            (work / "pytest.ini").write_text("[pytest]\n")
        python = clients.environment(self.environment or self.name)
        tests = [self.address(test) for test in only] if only else list(self.part if part else self.arguments)
        # Pytest's own tracebacks parse the sources, by which Python 3.11 fails at times: "AST constructor recursion".
        command = [
            str(python), "-m", "pytest", "-p", "penstock_outcomes", "-p", "no:cacheprovider", "-q", "--timeout=180",
            "--tb=native", f"--rootdir={work}", f"--confcutdir={work}", *self.options(place), *tests,
        ]  # fmt: skip
        variables = inherited() | place.variables | self.variables(place)
        variables |= {
            "PYTHONPATH": f"{_PROBES}:{work}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PENSTOCK_OUTCOMES": str(work / "outcomes.jsonl"),
        }
        return _begin(command, work, variables)

    def outcomes(self, work: Path) -> dict[str, Outcome]:
        return outcomes.read_probe(work / "outcomes.jsonl")


@dataclass(frozen=True)
class Django:
    """Labels of Django's own suite, by its own runner, on two databases that exist already."""

    name: str
    requirement: str
    sha256: str
    labels: tuple[str, ...]
    part: tuple[str, ...]
    postgres: int = 15
    needs: str = ""
    dbnames: tuple[str, ...] = ("django", "django_other")
    settings: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False
    minutes: float = 25

    def fetch(self) -> None:
        clients.sources(self.requirement, self.sha256)
        clients.environment("django")

    def prepare(self, place: Place) -> None:
        """Nothing: migrations make all of it."""

    def start(self, place: Place, work: Path, *, part: bool, only: list[str] | None) -> subprocess.Popen[bytes]:
        sources = clients.sources(self.requirement, self.sha256)
        tests = work / "tests"
        if not tests.exists():
            tests.symlink_to(sources / "tests")
        labels = only or list(self.part if part else self.labels)
        command = [
            str(clients.environment("django")), "tests/runtests.py", "--settings=penstock_django", "--keepdb",
            "--noinput", "--parallel=1", "-v0", *labels,
        ]  # fmt: skip
        default, other = place.ports.items()
        variables = inherited() | {
            "PYTHONPATH": str(_PROBES),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PENSTOCK_OUTCOMES": str(work / "outcomes.jsonl"),
            "DJANGO_DATABASES": " ".join(f"{name}:{port}" for name, port in (default, other)),
            "DJANGO_USER": place.user,
            "DJANGO_PASSWORD": place.password,
        }
        return _begin(command, work, variables)

    def outcomes(self, work: Path) -> dict[str, Outcome]:
        return outcomes.read_probe(work / "outcomes.jsonl")


@dataclass(frozen=True)
class Pgx:
    """Packages of pgx, by `go test` in a module of our own that requires it."""

    name: str
    packages: tuple[str, ...]
    # A regular expression of the tests that are run in CI.
    part: str
    postgres: int = 18
    needs: str = ""
    dbnames: tuple[str, ...] = ("pgx_test",)
    settings: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False
    minutes: float = 20

    def fetch(self) -> None:
        command = ["go", "test", "-run", "^$", *self.packages]
        try:
            done = subprocess.run(
                command, cwd=clients.HERE / "pgx", capture_output=True, text=True, check=False, env=_go_variables()
            )
        except FileNotFoundError:
            raise clients.FetchError("go is missing: it builds and runs pgx's tests") from None
        if done.returncode:
            raise clients.FetchError(f"pgx's tests can't be built: {' | '.join(done.stderr.strip().splitlines()[-3:])}")

    def prepare(self, place: Place) -> None:
        setup = (self._sources() / "testsetup" / "postgresql_setup.sql").read_text()
        for name in ("hstore", "ltree"):
            setup = setup.replace(f"create extension {name};", extension(name))
        place.server.psql(setup, dbname=place.dbname)

    def start(self, place: Place, work: Path, *, part: bool, only: list[str] | None) -> subprocess.Popen[bytes]:
        chosen = "|".join(re.escape(name.rpartition(".")[2]) for name in only) if only else ""
        pattern = f"^({chosen})$" if chosen else self.part if part else "."
        command = ["go", "test", "-json", "-count=1", "-p=1", "-timeout=15m", "-run", pattern, *self.packages]
        address = (
            f"host=127.0.0.1 port={place.port} user={place.user} password={place.password} dbname={place.dbname}"
        )  # fmt: skip
        variables = _go_variables() | place.variables
        variables |= {"PGX_TEST_DATABASE": address, "PGX_TEST_TCP_CONN_STRING": address}
        return _begin(command, work, variables, cwd=clients.HERE / "pgx")

    def outcomes(self, work: Path) -> dict[str, Outcome]:
        return outcomes.read_go(work / "output.log")

    def _sources(self) -> Path:
        done = subprocess.run(
            ["go", "list", "-m", "-f", "{{.Dir}}", PGX], cwd=clients.HERE / "pgx", capture_output=True, text=True,
            check=True, env=_go_variables(),
        )  # fmt: skip
        return Path(done.stdout.strip())


def _go_variables() -> dict[str, str]:
    # What is pinned is what runs: no newer toolchain, no other versions.
    return inherited() | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly"}


def _begin(
    command: list[str], work: Path, variables: dict[str, str], cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    with (work / "output.log").open("ab") as output:
        return subprocess.Popen(
            command, cwd=cwd or work, env=variables, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


@dataclass(frozen=True)
class Scenarios:
    """A program of ours that plays scenarios with clients whose packages hold no tests."""

    name: str
    # The folder beside this file, copied to the cache, where the client is installed.
    folder: str
    install: tuple[str, ...]
    command: tuple[str, ...]
    part: str = "all"
    postgres: int = 18
    needs: str = ""
    dbnames: tuple[str, ...] = ("postgres",)
    settings: Mapping[str, str] = field(default_factory=dict)
    ours: bool = True
    minutes: float = 5

    def fetch(self) -> None:
        clients.program(clients.HERE / self.folder, self.install)

    def prepare(self, place: Place) -> None:
        """Nothing: the scenarios make what they need."""

    def start(self, place: Place, work: Path, *, part: bool, only: list[str] | None) -> subprocess.Popen[bytes]:
        home = clients.program(clients.HERE / self.folder, self.install)
        variables = inherited() | place.variables | {"SERVER_BIN": str(place.server.bin)}
        return _begin([*self.command, *(only or ())], work, variables, cwd=home)

    def outcomes(self, work: Path) -> dict[str, Outcome]:
        return outcomes.read_probe(work / "output.log")
