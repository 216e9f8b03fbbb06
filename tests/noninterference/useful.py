"""How much of what people do works: applications' statements, which must show what masks written by hand show, and the
catalog queries of tools, which must be answered; what is hidden in a catalog may be NULL.

The lists are in `usefulness/`; the catalog queries of psql are run by psql itself, of PostgreSQL 15 and 18.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.conformance.stage import DEBIAN_15
from tests.noninterference.client import Message
from tests.noninterference.comparing import failed, refused
from tests.noninterference.scenes import Scene, Step, Talk, read
from tests.noninterference.tally import Finding, Tally
from tests.noninterference.twins import DBNAME, HAND, LOGIN, PASSWORD, Twin, Twins
from tests.sidecar.proxy.raw import columns

from penstock_cli.demo.postgres import EmbeddedPostgres

FOLDER = Path(__file__).with_name("usefulness")
PART = "usefulness"
STATEMENTS = "applications' statements"
CATALOGS = "catalog queries"
# The least that has to work, in percent.
GOALS = {STATEMENTS: 97.0, CATALOGS: 95.0}


_PSQLS: tuple[tuple[int, Callable[[], Path]], ...] = ((15, lambda: DEBIAN_15 / "psql"), (18, EmbeddedPostgres.client))


def titles() -> list[str]:
    """The titles of all entries, as findings have them."""
    found = [
        f"{name}, {scene.title}"
        for name, folder in ((STATEMENTS, "statements"), (CATALOGS, "catalogs"))
        for path in sorted((FOLDER / folder).glob("*.sql"))
        for scene in read(path)
    ]
    return found + [f"psql {version}: {command}" for version, _ in _PSQLS for command in _commands()]


def _commands() -> list[str]:
    return (FOLDER / "catalogs" / "psql.txt").read_text(encoding="utf-8").splitlines()


def run(twins: Twins, tally: Tally, say: Callable[[str], None]) -> None:
    """Run all lists, and count what works."""
    shop = next(twin for twin in twins.members if twin.filling is not HAND)
    hand = next(twin for twin in twins.members if twin.filling is HAND)
    for name, folder, other in ((STATEMENTS, "statements", hand), (CATALOGS, "catalogs", shop)):
        for path in sorted((FOLDER / folder).glob("*.sql")):
            say(f"{name}: {path.stem}")
            for scene in read(path):
                _judge(twins, name, scene, _compare(scene, shop, other, hidden=other is shop), tally)
    for version, program in _PSQLS:
        say(f"{CATALOGS}: psql {version}")
        for command in _commands():
            why = _psql(program(), command, shop)
            if why is None:
                continue
            tally.judge(CATALOGS, twins.version, works=not why)
            if why:
                tally.find(Finding("useless", PART, f"psql {version}: {command}", command, why, twins.version))


def _judge(twins: Twins, name: str, scene: Scene, why: tuple[str, str], tally: Tally) -> None:
    tally.judge(name, twins.version, works=not why[1])
    if why[1]:
        tally.find(Finding("useless", PART, f"{name}, {scene.title}", why[0], why[1], twins.version))


def _compare(scene: Scene, shop: Twin, other: Twin, *, hidden: bool) -> tuple[str, str]:
    """The statement that does something else through the gate than direct, and what; two empty texts if none does."""
    through = _play(scene, shop, direct=False)
    for step in through:
        if words := refused(step.answer):
            return step.said, words
    itself = _play(scene, other, direct=True)
    for mine, theirs in zip(through, itself, strict=True):
        if words := failed(theirs.answer):
            return mine.said, f"fails without the gate: {words}"
        if words := failed(mine.answer):
            return mine.said, words
        if words := difference(mine, theirs, hidden=hidden):
            return mine.said, words
    return "", ""


def _play(scene: Scene, twin: Twin, *, direct: bool) -> list[Step]:
    talk = Talk(twin, scene.identity, direct)
    try:
        scene.play(talk, "simple")
    finally:
        talk.close()
    return talk.steps


def difference(mine: Step, theirs: Step, *, hidden: bool) -> str:
    """How two answers differ; `hidden` values may be NULL in the first. Rows count in order where they have one."""
    through, itself = _described(mine.answer), _described(theirs.answer)
    if through != itself:
        return f"another description: {through} instead of {itself}"
    rows, wanted = _rows(mine), _rows(theirs)
    if len(rows) != len(wanted):
        return f"{len(rows)} rows instead of {len(wanted)}"
    for row, other in zip(rows, wanted, strict=True):
        for one, right in zip(row, other, strict=True):
            if one != right and not (hidden and one is None):
                return f"{one!r} instead of {right!r}"
    return ""


def _described(answer: Sequence[Message]) -> list[tuple[bytes, bytes]]:
    """Command tags, and names and types of columns; not which table they are of: a masked column does not tell."""
    return [(kind, _columns(body) if kind == b"T" else body) for kind, body in answer if kind in b"TCn"]


def _columns(body: bytes) -> bytes:
    found, at = b"", 2
    for _ in range(int.from_bytes(body[:2], "big")):
        end = body.index(b"\0", at) + 1
        found += body[at:end] + body[end + 6 : end + 18]
        at = end + 18
    return found


def _rows(step: Step) -> list[list[bytes | None]]:
    rows = [columns(body) for kind, body in step.answer if kind == b"D"]
    if "order by" in step.said.lower():
        return rows
    return sorted(rows, key=lambda row: [(value is None, value or b"") for value in row])


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
