"""Plays a scene on every twin, and says how their answers differ, if they do.

Answers are compared byte for byte and in order. What differs from itself when it is played again (a clock, a random
number) is unstable and proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.noninterference.client import Message
from tests.noninterference.scenes import Mode, Scene, Step, Talk
from tests.noninterference.twins import Twin, Twins
from tests.sidecar.proxy.raw import columns

from penstock_sidecar.wire import messages

Outcome = Literal["equal", "refused", "leaked", "unstable"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a scene."""

    outcome: Outcome
    # How answers differ, or why a statement was refused.
    why: str = ""
    # The statement at which it shows.
    said: str = ""
    # All of the first twin's answers.
    steps: tuple[Step, ...] = ()


def judge(twins: Twins, scene: Scene, mode: Mode, *, direct: bool = False) -> Verdict:
    """Play it on all twins and compare. `direct`: past the gate, to see whether it tells them apart there."""

    def play() -> list[list[Step]]:
        return twins.ask(lambda twin: played(twin, scene, mode, direct))

    def again() -> list[list[Step]]:
        if scene.changes and not direct:
            twins.reset()
        return play()

    return compare(play, again, unordered=bool(scene.unordered))


def compare(play: Callable[[], list[list[Step]]], again: Callable[[], list[list[Step]]], *, unordered: bool) -> Verdict:
    """What the twins' answers come to; where they differ, they are asked again to see what differs from itself."""
    answers = play()
    steps = tuple(answers[0])
    if _first_difference(answers, unordered=unordered) is None:
        for step in steps:
            if words := refused(step.answer):
                return Verdict("refused", words, step.said, steps)
        return Verdict("equal", steps=steps)
    if any(_ran_out(step.answer) for one in answers for step in one):
        return Verdict("unstable", "ran out of time", steps=steps)
    if found := _first_difference(_steady(answers, again()), unordered=unordered):
        return Verdict("leaked", found[1], found[0], steps)
    return Verdict("unstable", "differs from itself", steps=steps)


def _steady(first: Sequence[list[Step]], again: Sequence[list[Step]]) -> list[list[Step]]:
    """The first answers without what any twin answers otherwise when it is asked twice: whole answers where the kinds
    of messages change, else the values of rows.
    """
    both = [list(zip(mine, theirs, strict=False)) for mine, theirs in zip(first, again, strict=True)]
    kept = []
    for steps in zip(*both, strict=False):
        restless = any(_kinds(one) != _kinds(other) for one, other in steps)
        moving = set() if restless else {place for pair in steps for place in _moving(*pair)}
        kept.append([_still(one, moving, restless=restless) for one, _ in steps])
    return [list(twin) for twin in zip(*kept, strict=True)]


def _kinds(step: Step) -> list[bytes]:
    return [kind for kind, _ in step.answer]


def _moving(mine: Step, again: Step) -> Iterator[tuple[int, int]]:
    """The messages, and of rows the columns, that are others the second time; -1: the message as a whole."""
    for at, (one, other) in enumerate(zip(view(mine.answer), view(again.answer), strict=True)):
        if one == other:
            continue
        if one[0] == b"D" and len(values := columns(one[1])) == len(others := columns(other[1])):
            yield from ((at, n) for n, pair in enumerate(zip(values, others, strict=True)) if pair[0] != pair[1])
        else:
            yield at, -1


def _still(step: Step, moving: set[tuple[int, int]], *, restless: bool) -> Step:
    if restless:
        return Step(step.said, [])
    shown: list[Message] = []
    for at, (kind, body) in enumerate(view(step.answer)):
        gone = {column for place, column in moving if place == at}
        if not gone:
            shown.append((kind, body))
        elif -1 not in gone:
            values = [b"*" if n in gone else value for n, value in enumerate(columns(body))]
            shown.append((kind, repr(values).encode()))
    return Step(step.said, shown)


def played(twin: Twin, scene: Scene, mode: Mode, direct: bool) -> list[Step]:
    """All that a twin answers in a scene."""
    talk = Talk(twin, scene.identity, direct)
    try:
        scene.play(talk, mode)
    finally:
        talk.close()
    return talk.steps


def refused(answer: Sequence[Message]) -> str:
    """The words of the gate's refusal; empty if there is none."""
    for kind, body in answer:
        if kind == b"E":
            fields = messages.read_error(body)
            if fields.message.startswith("penstock"):
                return " / ".join(filter(None, (fields.message, fields.hint)))
    return ""


def _ran_out(answer: Sequence[Message]) -> bool:
    """Whether it was ended by the servers' statement_timeout, which does not come to the same moment twice."""
    return any(kind == b"E" and messages.read_error(body).sqlstate == "57014" for kind, body in answer)


def failed(answer: Sequence[Message]) -> str:
    """SQLSTATE and words of an error; empty if there is none."""
    for kind, body in answer:
        if kind == b"E":
            fields = messages.read_error(body)
            return f"{fields.sqlstate} {fields.message}"
        if kind == b"!":
            return body.decode()
    return ""


def _first_difference(answers: Sequence[list[Step]], *, unordered: bool) -> tuple[str, str] | None:
    """The statement at which some twin answers otherwise than the first, and how."""
    first, *others = answers
    for other in others:
        for mine, theirs in zip(first, other, strict=False):
            if mine.said != theirs.said:
                return mine.said, f"the scene goes on otherwise: {theirs.said}"
            if view(mine.answer, unordered=unordered) != view(theirs.answer, unordered=unordered):
                return mine.said, _how(mine.answer, theirs.answer, unordered=unordered)
        if len(first) != len(other):
            return first[-1].said, f"{len(first)} answers, and {len(other)}"
    return None


def view(answer: Sequence[Message], *, unordered: bool = False) -> list[Message]:
    """What is compared of an answer: all but process numbers; rows sorted where their order is nobody's promise."""
    shown = [_anonymous(one) for one in answer]
    if not unordered:
        return shown
    rows = sorted(one for one in shown if one[0] in b"Dd")
    return [one for one in shown if one[0] not in b"Dd"] + rows


def _anonymous(one: Message) -> Message:
    kind, body = one
    if kind == b"K":
        return kind, b""
    # A notification begins with the process number of whoever sent it.
    return (kind, body[4:]) if kind == b"A" else one


def _how(mine: Sequence[Message], theirs: Sequence[Message], *, unordered: bool) -> str:
    left, right = view(mine, unordered=unordered), view(theirs, unordered=unordered)
    for at, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return f"message {at}: {_words(one)} | {_words(other)}"
    return f"{len(left)} messages | {len(right)} messages"


def _words(one: Message) -> str:
    kind, body = one
    if kind in b"EN":
        fields = messages.read_error(body)
        return f"{fields.severity} {fields.sqlstate} {fields.message} {fields.detail}".strip()
    return f"{kind.decode()} {body[:160]!r}"
