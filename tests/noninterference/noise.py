"""What is chance in an answer: told by asking every twin the same again, several times.

What a twin answers otherwise from one time to the next (a clock, a process number, a random choice) proves nothing by
being different on the other twin. All beside it still has to be the same; and what changes must not be of two kinds:
where one twin repeats itself and never gives what the other gives, it is not chance that parts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.noninterference.client import Message
from tests.noninterference.scenes import Step
from tests.sidecar.proxy.raw import columns

from penstock_sidecar.wire import messages

# One time that all twins were asked: of each its steps, with what is compared of the answers.
Round = Sequence[Sequence[Step]]


def moves(rounds: Sequence[Round]) -> bool:
    """Whether any twin answers otherwise from one time to another."""
    return any(_restless(steps) or any(_moving(steps)) for steps in _steps(rounds))


def still(rounds: Sequence[Round]) -> list[list[Step]]:
    """The first answers without what moves: whole answers where the kinds of messages change, else values of rows."""
    kept: list[list[Step]] = []
    for steps in _steps(rounds):
        restless = _restless(steps)
        moving = set() if restless else set(_moving(steps))
        kept.append([_without(seen[0], moving, restless=restless) for seen in steps])
    return [list(twin) for twin in zip(*kept, strict=True)]


def parted(rounds: Sequence[Round]) -> tuple[str, str] | None:
    """A statement of whose answer something moves, but never to what another twin gives; and what that is."""
    if _never_meet([[len(one[twin]) for one in rounds] for twin in range(len(rounds[0]))]):
        return rounds[0][0][-1].said, "the scene goes on otherwise"
    for steps in _steps(rounds):
        said = steps[0][0].said
        if _restless(steps):
            if _never_meet([[_shape(step) for step in seen] for seen in steps]):
                return said, "the kinds of messages change, and are never those of the other twin"
            continue
        for at, column in sorted(set(_moving(steps))):
            values = [[_value(step, at, column) for step in seen] for seen in steps]
            if _never_meet(values):
                return said, f"message {at} changes, and is never that of the other twin: {values[0][0]!r:.80}"
    return None


def _steps(rounds: Sequence[Round]) -> Iterator[list[list[Step]]]:
    """Step by step: of each twin, what it answered each time. As far as all of them came."""
    twins = len(rounds[0])
    shortest = min(len(steps) for one in rounds for steps in one)
    for at in range(shortest):
        yield [[one[twin][at] for one in rounds] for twin in range(twins)]


def _restless(steps: list[list[Step]]) -> bool:
    return any(_shape(step) != _shape(seen[0]) for seen in steps for step in seen)


def _shape(step: Step) -> tuple[object, ...]:
    """The kinds of messages, of errors their SQLSTATEs, and how many values rows have."""
    return tuple(
        (kind, messages.read_error(body).sqlstate)
        if kind == b"E"
        else (kind, len(columns(body)) if kind == b"D" else 0)
        for kind, body in step.answer
    )


def _moving(steps: list[list[Step]]) -> Iterator[tuple[int, int]]:
    """The messages, and of rows the columns, that are others another time; -1: the message as a whole."""
    for seen in steps:
        for step in seen[1:]:
            for at, (one, other) in enumerate(zip(seen[0].answer, step.answer, strict=True)):
                if one == other:
                    continue
                if one[0] == b"D":
                    pairs = zip(columns(one[1]), columns(other[1]), strict=True)
                    yield from ((at, n) for n, pair in enumerate(pairs) if pair[0] != pair[1])
                else:
                    yield at, -1


def _value(step: Step, at: int, column: int) -> object:
    body = step.answer[at][1]
    return body if column < 0 else columns(body)[column]


def _never_meet(seen: Sequence[Sequence[object]]) -> bool:
    """Whether one of them mostly repeats itself, and yet has nothing in common with another."""
    repeats = any(2 * len(set(values)) <= len(values) for values in seen)
    return repeats and any(set(seen[0]).isdisjoint(values) for values in seen[1:])


def _without(step: Step, moving: set[tuple[int, int]], *, restless: bool) -> Step:
    if restless:
        return Step(step.said, [])
    left: list[Message] = []
    for at, (kind, body) in enumerate(step.answer):
        gone = {column for place, column in moving if place == at}
        if not gone:
            left.append((kind, body))
        elif -1 not in gone:
            values = [b"*" if n in gone else value for n, value in enumerate(columns(body))]
            left.append((kind, repr(values).encode()))
    return Step(step.said, left)
