"""Plays a scene on every twin, and says how their answers differ, if they do.

Answers are compared byte for byte and in order; where rows have none, and no hazard is known of what they come from,
as sets (`hazards.py`). What is only chance in them is `noise.py`'s to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.noninterference import noise
from tests.noninterference.client import Message
from tests.noninterference.scenes import Mode, Scene, Step, Talk
from tests.noninterference.twins import Twin, Twins

from penstock_sidecar.wire import messages

Outcome = Literal["equal", "refused", "reordered", "leaked", "unstable"]
# How often twins are asked that differ from themselves, what differs so far, and where it may be chance that they never
# meet.
_ROUNDS = 5
_SURE_ROUNDS = 20
_MANY_ROUNDS = 40


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

    def reorders(longer: bool) -> bool:
        said = [(one.identity or scene.identity, one.text) for one in scene.statements]
        return not direct and bool(said) and all(twins.hazards.may_reorder(*one, longer=longer) for one in said)

    return compare(play, again, unordered=bool(scene.unordered), reorders=reorders)


def compare(
    play: Callable[[], list[list[Step]]], again: Callable[[], list[list[Step]]], *, unordered: bool,
    reorders: Callable[[bool], bool] = lambda longer: False,
) -> Verdict:  # fmt: skip
    """What the twins' answers come to; where they differ, they are asked again, to see what differs from itself.

    `reorders`: whether the same rows may come in another order; it is told whether the first two twins, whose values
    are as long, give them in the same.
    """
    answers = play()
    steps = tuple(answers[0])
    compared = _compared(answers, unordered=unordered)
    if _first_difference(compared) is None:
        for step in steps:
            if words := refused(step.answer):
                return Verdict("refused", words, step.said, steps)
        return Verdict("equal", steps=steps)

    def ask() -> list[list[Step]]:
        return _compared(again(), unordered=unordered)

    rounds = _rounds(compared, ask)
    if len(rounds) < 2:
        return Verdict("unstable", "ran out of time", steps=steps)
    if _first_difference(noise.still(rounds)):
        # A sample, say, may be the same a few times.
        rounds += _more(ask, _SURE_ROUNDS - len(rounds))
    still = noise.still(rounds)
    found = _first_difference(still)
    if not found and noise.parted(rounds):
        rounds += _more(ask, _MANY_ROUNDS - len(rounds))
        found = noise.parted(rounds)
    longer = len(still) > 2 and _first_difference(still[:2]) is None
    if found and _same_rows(rounds) and reorders(longer):
        return Verdict("reordered", found[1], found[0], steps)
    if found:
        return Verdict("leaked", found[1], found[0], steps)
    return Verdict("unstable", "differs from itself", steps=steps)


def _compared(answers: list[list[Step]], *, unordered: bool) -> list[list[Step]]:
    return [[Step(one.said, view(one.answer, unordered=unordered)) for one in steps] for steps in answers]


def _more(ask: Callable[[], list[list[Step]]], count: int) -> list[list[list[Step]]]:
    return [one for one in (ask() for _ in range(count)) if not _ran_out(one)]


def _same_rows(rounds: list[list[list[Step]]]) -> bool:
    """Whether all that parts the twins is the order of rows, or of what aggregates put together of them."""
    sets = [[[_shuffled(step) for step in steps] for steps in _compared(one, unordered=True)] for one in rounds]
    return _first_difference(noise.still(sets)) is None and not noise.parted(sets)


def _shuffled(step: Step) -> Step:
    """A step whose rows tell which bytes they have, but not where."""
    rows = sorted((kind, bytes(sorted(body))) for kind, body in step.answer if kind in b"Dd")
    return Step(step.said, [one for one in step.answer if one[0] not in b"Dd"] + rows)


def _rounds(answers: list[list[Step]], again: Callable[[], list[list[Step]]]) -> list[list[list[Step]]]:
    """All that was answered in time: twice what does not move, and what does several times."""
    rounds = [] if _ran_out(answers) else [answers]
    for asked in range(1, _ROUNDS):
        if not _ran_out(once_more := again()):
            rounds.append(once_more)
        if asked > len(rounds) or (len(rounds) == 2 and not noise.moves(rounds)):
            break
    return rounds


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


def _ran_out(answers: Sequence[list[Step]]) -> bool:
    """Whether one was ended by the servers' statement_timeout, which does not come to the same moment twice."""
    said = (message for steps in answers for step in steps for message in step.answer)
    return any(kind == b"E" and messages.read_error(body).sqlstate == "57014" for kind, body in said)


def failed(answer: Sequence[Message]) -> str:
    """SQLSTATE and words of an error; empty if there is none."""
    for kind, body in answer:
        if kind == b"E":
            fields = messages.read_error(body)
            return f"{fields.sqlstate} {fields.message}"
        if kind == b"!":
            return body.decode()
    return ""


def _first_difference(answers: Sequence[list[Step]]) -> tuple[str, str] | None:
    """The statement at which some twin answers otherwise than the first, and how."""
    first, *others = answers
    for other in others:
        for mine, theirs in zip(first, other, strict=False):
            if mine.said != theirs.said:
                return mine.said, f"the scene goes on otherwise: {theirs.said}"
            if mine.answer != theirs.answer:
                return mine.said, _how(mine.answer, theirs.answer)
        if len(first) != len(other):
            return first[-1].said, f"{len(first)} answers, and {len(other)}"
    return None


def view(answer: Sequence[Message], *, unordered: bool = False) -> list[Message]:
    """What is compared of an answer: all but numbers of processes and tables; rows sorted where they have no order."""
    shown = [_anonymous(one) for one in answer]
    if not unordered:
        return shown
    rows = sorted(one for one in shown if one[0] in b"Dd")
    return [one for one in shown if one[0] not in b"Dd"] + rows


def _anonymous(one: Message) -> Message:
    kind, body = one
    if kind == b"K":
        return kind, b""
    if kind == b"T":
        return kind, _with_ranks(body)
    # A notification begins with the process number of whoever sent it.
    return (kind, body[4:]) if kind == b"A" else one


def _with_ranks(description: bytes) -> bytes:
    """A RowDescription that tells its tables apart, not by their numbers: servers count on as tables are made."""
    told, at = bytearray(description), 2
    ranks: dict[bytes, int] = {bytes(4): 0}
    for _ in range(int.from_bytes(description[:2], "big")):
        table = description.index(0, at) + 1
        number = description[table : table + 4]
        told[table : table + 4] = ranks.setdefault(number, len(ranks)).to_bytes(4, "big")
        # The table, the column's number in it, its type with length and modifier, its format.
        at = table + 4 + 2 + 4 + 2 + 4 + 2
    return bytes(told)


def _how(left: Sequence[Message], right: Sequence[Message]) -> str:
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
