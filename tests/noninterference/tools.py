"""Tools that read catalogs, run themselves, direct and through the gate: psql of PostgreSQL 15 and 18, SQLAlchemy's
inspector, Django's inspectdb and asyncpg.

What they print direct they must print through the gate; cells of psql's that are hidden may be empty.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.conformance import clients
from tests.conformance.stage import DEBIAN_15, inherited
from tests.noninterference.twins import DBNAME, LOGIN, PASSWORD, Twin

from penstock_cli.demo import programs

FOLDER = Path(__file__).with_name("usefulness")
PSQLS: dict[int, Callable[[], Path]] = {15: lambda: DEBIAN_15 / "psql", 18: lambda: programs.installed(18) / "psql"}


def commands() -> list[str]:
    """What psql is asked."""
    return (FOLDER / "catalogs" / "psql.txt").read_text(encoding="utf-8").splitlines()


def _all_of_psql(version: int, twin: Twin) -> Iterator[tuple[str, str]]:
    program = PSQLS[version]()
    for command in commands():
        why = _psql(program, command, twin)
        if why is not None:
            yield command, why


def _psql(program: Path, command: str, twin: Twin) -> str | None:
    """What is wrong with that command of psql through the gate; empty if nothing, None where it fails direct: an older
    psql does not know all of a newer server."""
    through = _psql_says(program, command, twin.gate, "reader", twin.token("reader"))
    itself = _psql_says(program, command, twin.server.port, LOGIN, PASSWORD)
    if "ERROR" in itself:
        return None
    if "ERROR" in through or "FATAL" in through:
        lines = [line for line in through.splitlines() if line.startswith(("ERROR", "HINT", "FATAL", "psql:"))]
        return " / ".join(lines)
    for mine, theirs in zip(through.splitlines(), itself.splitlines(), strict=False):
        cells, wanted = mine.split("|"), theirs.split("|")
        if len(cells) != len(wanted) or any(one not in ("", other) for one, other in zip(cells, wanted, strict=True)):
            return f"{mine!r} instead of {theirs!r}"
    if len(through.splitlines()) != len(itself.splitlines()):
        return f"{len(through.splitlines())} lines instead of {len(itself.splitlines())}"
    return ""


def _psql_says(program: Path, command: str, port: int, user: str, password: str) -> str:
    done = subprocess.run(
        [program, "-XAq", "-d", f"postgresql://{user}@127.0.0.1:{port}/{DBNAME}?sslmode=disable", "-c", command],
        env={**os.environ, "PGPASSWORD": password, "PSQLRC": os.devnull, "PAGER": "cat", "PSQL_PAGER": "cat"},
        capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout + done.stderr


def _client(environment: str, script: str, twin: Twin) -> Iterator[tuple[str, str]]:
    """Each question of that script, and what is wrong with its answer through the gate."""
    python = clients.environment(environment)
    through = _answers(python, script, twin.gate, "reader", twin.token("reader"))
    for name, wanted in _answers(python, script, twin.server.port, LOGIN, PASSWORD).items():
        if wanted.startswith("ERROR"):
            continue
        answer = through.get(name, "ERROR nothing was answered")
        yield (
            name,
            ""
            if answer == wanted
            else answer[:300]
            if answer.startswith("ERROR")
            else f"another answer: {answer[:300]}",
        )


def _answers(python: Path, script: str, port: int, user: str, password: str) -> dict[str, str]:
    url = f"postgresql://{user}:{password}@127.0.0.1:{port}/{DBNAME}?sslmode=disable"
    variables = {
        "DATABASE_URL": url, "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": user, "PGPASSWORD": password,
        "PGDATABASE": DBNAME, "PGSSLMODE": "disable",
    }  # fmt: skip
    done = subprocess.run(
        [python, FOLDER / "clients" / f"{script}.py"], env={**inherited(), **variables},
        capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    found = {one["name"]: one["answer"] for one in map(json.loads, done.stdout.splitlines())}
    if done.returncode:
        found["the whole"] = f"ERROR {done.stderr.strip()[-300:]}"
    return found


TOOLS: dict[str, Callable[[Twin], Iterator[tuple[str, str]]]] = {
    "psql 15": partial(_all_of_psql, 15),
    "psql 18": partial(_all_of_psql, 18),
    "SQLAlchemy": partial(_client, "sqlalchemy", "sqlalchemy_inspector"),
    "Django": partial(_client, "django", "django_inspectdb"),
    "asyncpg": partial(_client, "asyncpg", "asyncpg_types"),
}
