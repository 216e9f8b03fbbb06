"""The clients' own test suites: where each comes from, what it needs, and how it is started.

In the order in which they are run: each should be green before one looks at the next. How runs are compared is
`runs.py`'s.
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
_PGX = "github.com/jackc/pgx/v5"


def _extension(name: str) -> str:
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
    dbnames: tuple[str, ...] = ("postgres",)
    settings: Mapping[str, str] = field(default_factory=dict)
    sql: str = ""
    minutes: float = 20
    environment: str = ""
    variables: Callable[[Place], dict[str, str]] = lambda place: {}
    options: Callable[[Place], list[str]] = lambda place: []

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
        tests = only or list(self.part if part else self.arguments)
        command = [
            str(python), "-m", "pytest", "-p", "penstock_outcomes", "-p", "no:cacheprovider", "-q", "--timeout=180",
            f"--rootdir={work}", f"--confcutdir={work}", *self.options(place), *tests,
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
    dbnames: tuple[str, ...] = ("django", "django_other")
    settings: Mapping[str, str] = field(default_factory=dict)
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
    dbnames: tuple[str, ...] = ("pgx_test",)
    settings: Mapping[str, str] = field(default_factory=dict)
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
            setup = setup.replace(f"create extension {name};", _extension(name))
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
            ["go", "list", "-m", "-f", "{{.Dir}}", _PGX], cwd=clients.HERE / "pgx", capture_output=True, text=True,
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


def _sqlalchemy(driver: str, part: tuple[str, ...]) -> Pytest:
    return Pytest(
        name=f"sqlalchemy-{driver}",
        requirement="sqlalchemy==2.1.0",
        sha256="37600e4641c435a7e4549f4e6df79d9dfc096bb9712a10dba8925921bc87bc3c",
        folders=("test", "setup.cfg", "pyproject.toml"),
        arguments=("test/dialect/postgresql", "test/dialect/test_suite.py"),
        part=part,
        environment="sqlalchemy",
        dbnames=("test",),
        settings={"max_prepared_transactions": "10"},
        sql=(
            "CREATE SCHEMA test_schema; CREATE SCHEMA test_schema_2;"
            f"{_extension('hstore')} {_extension('citext')}"
            "ALTER DATABASE test SET default_text_search_config = 'pg_catalog.english';"
        ),
        options=lambda place: ["--dburi", place.url(f"postgresql+{driver}"), "--backend-only"],
    )


SUITES: tuple[Suite, ...] = (
    Pytest(
        name="asyncpg",
        requirement="asyncpg==0.32.0",
        sha256="45e64e56714d888330b884aad1dfb363d0bf43fb343e3d1a8968525f3bade478",
        folders=("tests",),
        # Their linters are of no interest here.
        arguments=("tests", "--ignore=tests/test__sourcecode.py"),
    ),
    Pytest(
        name="psycopg2",
        requirement="psycopg2==2.9.13",
        sha256="d36784fc2dae69523ba4b79c7d1d1b4d6e83e87836874f111262f4db940b16a6",
        folders=("tests",),
        arguments=("tests",),
        part=("tests",),
        dbnames=("psycopg2_test",),
        settings={"max_prepared_transactions": "10"},
        sql=_extension("hstore"),
    ),
    Pytest(
        name="pg8000",
        requirement="pg8000==1.31.6",
        sha256="553b240256d4b2d8f0ad2af28d07df1f9980247f74ac98d2c2b573762ec1ff1b",
        folders=("test",),
        # Their logins by other methods need a server of another set-up; their benchmarks say nothing here.
        arguments=("test", "--ignore-glob=*/auth/*", "--ignore-glob=*/test_benchmarks.py"),
        part=("test/native", "--ignore-glob=*/auth/*", "--ignore-glob=*/test_benchmarks.py"),
        postgres=16,
        settings={"max_prepared_transactions": "10"},
        sql=_extension("hstore"),
    ),
    Pgx(
        name="pgx", packages=(f"{_PGX}/pgconn", _PGX), part="^Test(ConnPipeline|ConnCopy|ConnExec|CancelRequest|Batch)"
    ),
    _sqlalchemy("psycopg", ()),
    _sqlalchemy("asyncpg", ()),
    Django(
        name="django",
        requirement="Django==5.2",
        sha256="1a47f7a7a3d43ce64570d350e008d2949abe8c7e21737b351b6a1611277c6d89",
        labels=("backends", "postgres_tests", "transactions", "schema", "inspectdb", "queries"),
        part=(),
    ),
)
