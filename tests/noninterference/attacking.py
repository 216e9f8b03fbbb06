"""Part (a): the project's own attacks, scene by scene, on the twins of the world that is made for them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.noninterference.client import Message
from tests.noninterference.comparing import Verdict, failed, judge, played, refused
from tests.noninterference.scenes import Mode, Scene, Step, load
from tests.noninterference.tally import Finding, Tally
from tests.noninterference.twins import Twin, Twins
from tests.sidecar.proxy.raw import columns

FOLDER = Path(__file__).with_name("attacks")
PART = "attacks"
HARMLESS = "harmless statements"
# The kind whose scenes are made by combining ways to see an order with relations.
COMBINED = "order"
# The kind that must not change anything without a record.
RECORD = "unrecorded"
_RECORDED_SECONDS = 2.0
# So often a scene is played whose answers differ from themselves: on a busy machine something took too long.
_TRIES = 3
# What would stay, past the gate, for every later session.
_SHARED = re.compile(r"ALTER (ROLE|DATABASE|SYSTEM)")
# The kind whose answers are compared to the server's own, too.
WIRE = "wire"


def scenes(only: Sequence[str] = ()) -> list[Scene]:
    """All of them, or those whose titles contain one of the words."""
    return [one for one in load(FOLDER) if not only or any(word in one.title for word in only)]


def run(twins: Twins, chosen: Sequence[Scene], modes: Sequence[Mode], tally: Tally, say: Callable[[str], None]) -> None:
    """Play them all, and count."""
    extensions = twins.extensions()
    said = time.monotonic()
    for at, scene in enumerate(chosen):
        if not scene.fits(twins.version, extensions):
            continue
        for mode in modes:
            if mode in scene.modes:
                _one(twins, scene, mode, tally)
        if time.monotonic() - said > 20:
            said = time.monotonic()
            say(f"attacks: {at + 1} of {len(chosen)} scenes")


def _recorded(twins: Twins, scene: Scene) -> tuple[Verdict, str]:
    """Play a scene, and what it changed that the gates have no record of; empty if nothing."""
    twin = twins.members[0]
    rows, recorded = _rows(twin), twin.recorded()
    verdict = judge(twins, scene, "simple")
    lost = rows - _rows(twin)
    # What ran, and the question at the scene's end, on each twin.
    due = 2 * len(twins.compared)
    end = time.monotonic() + _RECORDED_SECONDS
    while (noted := twin.recorded() - recorded) < due and lost and time.monotonic() < end:
        time.sleep(0.05)
    return (
        verdict,
        f"{lost} rows are gone, {noted} statements on record where {due} ran" if lost and noted < due else "",
    )


def _rows(twin: Twin) -> int:
    client = twin.connect("superuser")
    answer = client.ask("SELECT count(*) FROM plain")
    client.close()
    return int(columns(answer[1][1])[0] or 0)


def _one(twins: Twins, scene: Scene, mode: Mode, tally: Tally) -> None:
    unrecorded = ""
    for _ in range(_TRIES):
        if scene.kind == RECORD:
            verdict, unrecorded = _recorded(twins, scene)
        else:
            verdict = judge(twins, scene, mode)
        if scene.changes and not (verdict.outcome == "refused" and len(scene.statements) == 1):
            twins.reset()
        if verdict.outcome != "unstable" or scene.varies or unrecorded:
            break
    if unrecorded:
        tally.find(Finding("leaked", PART, scene.title, scene.text, unrecorded, twins.version, mode))
    tally.count(PART, twins.version, "leaked" if unrecorded else verdict.outcome)
    if verdict.outcome == "leaked" or (verdict.outcome == "unstable" and not scene.varies):
        # The attacks themselves leave nothing to chance, unless they say so.
        tally.find(Finding("leaked", PART, scene.title, verdict.said, verdict.why, twins.version, mode))
    if scene.kind == WIRE and (unlike := _unlike_the_server(twins, scene, verdict.steps)):
        tally.find(Finding("useless", PART, scene.title, *unlike, twins.version, mode))
    if scene.allowed:
        said, why = _fails(verdict)
        tally.judge(HARMLESS, twins.version, works=verdict.outcome == "equal" and not why)
        if why:
            tally.find(Finding("useless", PART, scene.title, said, why, twins.version, mode))


def _fails(verdict: Verdict) -> tuple[str, str]:
    """The statement of a scene that is refused, or fails on the server, and why; two empty texts if none does."""
    if verdict.outcome == "refused":
        return verdict.said, verdict.why
    return next(((one.said, words) for one in verdict.steps if (words := failed(one.answer))), ("", ""))


def _unlike_the_server(twins: Twins, scene: Scene, through: Sequence[Step]) -> tuple[str, str] | None:
    """Where the gate answers with other messages than the server itself, up to what it refuses."""
    itself = twins.ask(lambda twin: played(twin, scene, "simple", direct=True))[0]
    for mine, theirs in zip(through, itself, strict=True):
        if refused(mine.answer):
            return None
        if (one := _shape(mine.answer)) != (other := _shape(theirs.answer)):
            return mine.said, f"answers {one}, the server {other}"
    return None


def _shape(answer: Sequence[Message]) -> str:
    """The kinds of the messages, errors by their SQLSTATEs; values are masked, and so not compared."""
    return " ".join(failed([one])[:5] if one[0] in b"E" else one[0].decode() for one in answer if one[0] not in b"SN")


def toothless(twins: Twins, chosen: Sequence[Scene]) -> list[str]:
    """The scenes that don't tell the twins apart past the gate either: they prove nothing, but for the wire's."""
    found: list[str] = []
    extensions = twins.extensions()
    for scene in chosen:
        if scene.fits(twins.version, extensions) and not scene.allowed and not _SHARED.search(scene.text):
            if judge(twins, scene, "simple", direct=True).outcome != "leaked":
                found.append(scene.title)
            if scene.changes:
                twins.each(lambda twin: twin.rebuild())
    return found
