"""A server made up for the machine's tests: answers what reaches it in the right order, with errors as dice tell."""

from __future__ import annotations

from random import Random

from tests.sidecar.session.conversation import (
    BOUND,
    CLOSED,
    COPY_DONE,
    COPY_IN,
    COPY_OUT,
    EMPTY,
    NO_DATA,
    NOBODY,
    PARSED,
    ROW,
    SUSPENDED,
    complete,
    copy_data,
    counts,
    error,
    plan,
    settings,
)

from penstock_sidecar.session import held_questions
from penstock_sidecar.wire import messages

_TAGS = ["SELECT 1", "INSERT 0 3", "CREATE TABLE", "DEALLOCATE", "DISCARD ALL", "BEGIN", "COMMIT", "UPDATE 2"]
_ASIDES = [
    messages.parameter_status("search_path", "public"), messages.parameter_status("TimeZone", "UTC"),
    messages.notice_response(messages.ErrorFields("NOTICE", "00000", "hear, hear")),
    messages.message(b"A", b"\x00\x00\x00\x01news\x00\x00"),
]  # fmt: skip


_TOLD = {
    held_questions.name_of(NOBODY, "settings").encode(): settings(),
    held_questions.name_of(NOBODY, "plan").encode(): plan(7),
}


class Server:
    """Takes the gate's bytes, gives the server's."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._buffer = b""
        self._skipping = False
        # What the COPY under way ends with.
        self._copying: bytes | None = None
        self._status = b"I"
        self._failing = self._counting = False
        self._changed = 0
        self._told = b""
        # The Queries that reached it.
        self.queries: list[bytes] = []

    def take(self, data: bytes) -> bytes:
        self._buffer += data
        answers = []
        while len(self._buffer) >= 5:
            end = 1 + int.from_bytes(self._buffer[1:5], "big")
            if len(self._buffer) < end:
                break
            taken, self._buffer = self._buffer[:end], self._buffer[end:]
            self.queries += [taken] if taken[:1] == b"Q" else []
            # What is sent in a refused statement's place always fails.
            self._failing = b"penstock_" in taken
            # How many rows were changed so far.
            self._counting = len(taken) > 32 and taken[:1] == b"E"
            # What a held statement would do, and in which settings.
            self._told = next((row for name, row in _TOLD.items() if name in taken), b"")
            answers.append(self._answer(taken[:1]))
        return b"".join(answers)

    def _ready(self) -> bytes:
        self._status = self._dice.choice([self._status, b"I", b"T", b"E"])
        return messages.ready(self._status)

    def _error(self) -> bytes:
        return error(self._dice.choice(["42703", "42703", "26000", "34000", "22012", "25P02", "23505"]))

    def _result(self) -> bytes:
        rows = ROW * self._dice.randrange(4)
        return self._dice.choice([rows + complete(self._dice.choice(_TAGS)), rows + SUSPENDED, EMPTY])

    def _answer(self, kind: bytes) -> bytes:
        dice = self._dice
        aside = dice.choice(_ASIDES) if dice.random() < 0.05 else b""
        if self._copying is not None:
            return self._copy(kind)
        if kind == b"S":
            self._skipping = False
            return aside + self._ready()
        if self._skipping or kind in b"HXdcf":
            return aside
        if kind in b"QF":
            return aside + self._query(kind)
        if self._failing or dice.random() < 0.15:
            self._skipping = True
            return aside + self._error()
        if kind == b"E":
            return aside + self._execute()
        return aside + {b"P": PARSED, b"B": BOUND, b"C": CLOSED, b"D": dice.choice([NO_DATA, b"T\0\0\0\x06\0\0"])}[kind]

    def _execute(self) -> bytes:
        if self._told:
            return self._told + complete("SELECT 1")
        if self._counting:
            self._changed += self._dice.randrange(3)
            return counts(self._changed) + complete("SELECT 1")
        if self._dice.random() < 0.1:
            self._copying = b""
            return COPY_IN
        return self._result()

    def _query(self, kind: bytes) -> bytes:
        dice = self._dice
        if kind == b"F":
            return dice.choice([messages.message(b"V", b"\xff\xff\xff\xff"), self._error()]) + self._ready()
        if self._failing:
            return self._error() + self._ready()
        if dice.random() < 0.1:
            self._copying = b"Q"
            return COPY_IN
        if dice.random() < 0.1:
            return COPY_OUT + copy_data(b"1\n") * 3 + COPY_DONE + complete("COPY 3") + self._ready()
        results = b"".join(self._result().replace(SUSPENDED, b"") for _ in range(dice.randrange(1, 3)))
        return dice.choice([results, results + self._error()]) + self._ready()

    def _copy(self, kind: bytes) -> bytes:
        if kind in b"dHS":
            return b""
        simple, self._copying = self._copying == b"Q", None
        if kind == b"c" and self._dice.random() < 0.8:
            return complete("COPY 1") + (self._ready() if simple else b"")
        self._skipping = not simple
        return self._error() + (self._ready() if simple else b"")
