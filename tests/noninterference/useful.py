"""How much of what people do works: applications' statements, which must show what masks written by hand show, and the
catalog queries of tools, which must be answered; what is hidden in a catalog may be NULL, or what stands for
"not known" there.

The lists are in `usefulness/`; the tools that are run themselves are `tools.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.noninterference import tools
from tests.noninterference.client import Message
from tests.noninterference.comparing import failed, refused
from tests.noninterference.scenes import Scene, Step, Talk, read
from tests.noninterference.tally import Finding, Tally
from tests.noninterference.twins import HAND, Twin, Twins
from tests.sidecar.proxy.raw import columns

FOLDER = Path(__file__).with_name("usefulness")
PART = "usefulness"
STATEMENTS = "applications' statements"
CATALOGS = "catalog queries"
# The least that has to work, in percent.
GOALS = {STATEMENTS: 97.0, CATALOGS: 95.0}


def titles() -> list[str]:
    """The titles of all entries, as findings have them."""
    found = [
        f"{name}, {scene.title}"
        for name, folder in ((STATEMENTS, "statements"), (CATALOGS, "catalogs"))
        for path in sorted((FOLDER / folder).glob("*.sql"))
        for scene in read(path)
    ]
    return found + [f"psql {version}: {command}" for version in tools.PSQLS for command in tools.commands()]


def run(twins: Twins, tally: Tally, say: Callable[[str], None]) -> None:
    """Run all lists, and count what works."""
    shop = next(twin for twin in twins.members if twin.filling is not HAND)
    hand = next(twin for twin in twins.members if twin.filling is HAND)
    for name, folder, other in ((STATEMENTS, "statements", hand), (CATALOGS, "catalogs", shop)):
        for path in sorted((FOLDER / folder).glob("*.sql")):
            say(f"{name}: {path.stem}")
            for scene in read(path):
                _judge(twins, name, scene, _compare(scene, shop, other, hidden=other is shop), tally)
    for tool, ask in tools.TOOLS.items():
        say(f"{CATALOGS}: {tool}")
        for question, why in ask(shop):
            tally.judge(CATALOGS, twins.version, works=not why)
            if why:
                tally.find(Finding("useless", PART, f"{tool}: {question}", question, why, twins.version))


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


# NULL, and the count of rows of a table that was never looked at.
_NOT_TOLD = (None, b"-1")


def difference(mine: Step, theirs: Step, *, hidden: bool) -> str:
    """How two answers differ; `hidden` values may not be told in the first. Rows count in order where they have one."""
    through, itself = _described(mine.answer), _described(theirs.answer)
    if through != itself:
        return f"another description: {through} instead of {itself}"
    rows, wanted = _rows(mine), _rows(theirs)
    if len(rows) != len(wanted):
        return f"{len(rows)} rows instead of {len(wanted)}"
    for row, other in zip(rows, wanted, strict=True):
        for one, right in zip(row, other, strict=True):
            if one != right and not (hidden and one in _NOT_TOLD):
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
