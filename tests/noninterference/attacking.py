"""Part (a): the project's own attacks, scene by scene, on the twins of the world that is made for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.noninterference.client import Message
from tests.noninterference.comparing import failed, judge, played, refused
from tests.noninterference.scenes import Mode, Scene, Step, load
from tests.noninterference.tally import Finding, Tally
from tests.noninterference.twins import Twins

FOLDER = Path(__file__).with_name("attacks")
PART = "attacks"
HARMLESS = "harmless statements"
# The kind whose scenes are made by combining ways to see an order with relations.
COMBINED = "order"
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


def _one(twins: Twins, scene: Scene, mode: Mode, tally: Tally) -> None:
    verdict = judge(twins, scene, mode)
    if scene.changes and not (verdict.outcome == "refused" and len(scene.statements) == 1):
        twins.reset()
    tally.count(PART, twins.version, verdict.outcome)
    if verdict.outcome == "leaked" or (verdict.outcome == "unstable" and not scene.unordered):
        why = verdict.why if verdict.outcome == "leaked" else f"differs from itself: {verdict.why}"
        tally.find(Finding("leaked", PART, scene.title, verdict.said, why, twins.version, mode))
    if scene.kind == WIRE and (unlike := _unlike_the_server(twins, scene, verdict.steps)):
        tally.find(Finding("useless", PART, scene.title, *unlike, twins.version, mode))
    if scene.allowed:
        tally.judge(HARMLESS, twins.version, works=verdict.outcome == "equal")
        if verdict.outcome == "refused":
            tally.find(Finding("useless", PART, scene.title, verdict.said, verdict.why, twins.version, mode))


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
        if scene.fits(twins.version, extensions) and not scene.allowed:
            if judge(twins, scene, "simple", direct=True).outcome != "leaked":
                found.append(scene.title)
            if scene.changes:
                twins.each(lambda twin: twin.rebuild())
    return found
