"""Events that differ from each other in a few whole numbers and digests only: what they share is made canonical once.

A busy gate seals an event or two for each statement, so that it matters. The bytes are the same as `chain.py` makes
of the same body, which is the definition; this is the short cut.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from penstock_core.audit.chain import MAX_SAFE_INTEGER, ChainError, Head, canonical
from penstock_core.audit.event import VERSION, Event

# What sealing adds to a body; `hash` comes after the others.
_ADDED = ("prev", "seq", "stream", "time", "v")
_DIGEST = re.compile(r"[0-9a-f]*")


class Form:
    """What some bodies have in common, and the names of their fields that vary: whole numbers, and digests in hex."""

    __slots__ = ("_constant", "_digests", "_numbers", "_stream", "_texts", "_together")

    def __init__(self, constant: Event, numbers: Iterable[str], digests: Iterable[str] = ()) -> None:
        self._constant = constant
        self._numbers = tuple(sorted(numbers))
        self._digests = tuple(sorted(digests))
        self._stream: str | None = None
        self._texts = ("", "")
        # The last that was asked for, with what: it is often that of the next, too.
        self._together: tuple[Form, Form | None] | None = None

    def together(self, other: Form, shared: frozenset[str], kind: str) -> Form | None:
        """That of bodies which have all that those of both forms have, and are of another kind; None where both forms
        have more fields than the `shared` ones.
        """
        if self._together is None or self._together[0] is not other:
            self._together = (other, self._with(other, kind) if self._names & other._names <= shared else None)
        return self._together[1]

    def _with(self, other: Form, kind: str) -> Form:
        constant = {**self._constant, **other._constant, "kind": kind}
        return Form(constant, {*self._numbers, *other._numbers}, {*self._digests, *other._digests})

    @property
    def _names(self) -> set[str]:
        return {*self._constant, *self._numbers, *self._digests}

    def body(self, **varying: int | str) -> EventBody:
        """A body of this form. Give all fields that vary."""
        body = EventBody(self._constant)
        body.update(varying)
        body.form = self
        return body

    def seal(self, body: Event, head: Head, time: str) -> tuple[bytes, str]:
        """The body as the next event's canonical line, and its hash. Raises ChainError."""
        if self._stream != head.stream:
            self._texts, self._stream = self._write(head.stream), head.stream
        values: dict[str, object] = {"prev": head.hash, "seq": head.seq + 1, "time": time}
        for name in self._numbers:
            value = body[name]
            if type(value) is not int or not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
                raise ChainError(f"not canonical: {name} is not a whole number that every reader keeps exact")
            values[name] = value
        for name in self._digests:
            value = body[name]
            if type(value) is not str or _DIGEST.fullmatch(value) is None:
                raise ChainError(f"not canonical: {name} is not a digest in hex")
            values[name] = value
        before, after = self._texts
        before, after = before % values, after % values
        hash_ = hashlib.sha256((before + after).encode()).hexdigest()
        return f'{before}"hash":"{hash_}",{after}'.encode(), hash_

    def _write(self, stream: str) -> tuple[str, str]:
        """The canonical text of such events with gaps, in two parts: what comes before the hash, and what after."""
        varying = (*self._numbers, *self._digests)
        taken = self._constant.keys() & {*varying, *_ADDED, "hash"}
        if taken:
            raise ChainError(f"the fields {sorted(taken)} vary")
        if not all(name.isidentifier() for name in varying):
            raise ChainError("a field that varies has an odd name")
        shared = {**self._constant, "stream": stream, "v": VERSION}
        gaps = {name: f"%({name})d" for name in (*self._numbers, "seq")}
        gaps |= {name: f'"%({name})s"' for name in (*self._digests, "prev", "time")}
        before: list[str] = []
        after: list[str] = []
        for name in sorted(shared.keys() | gaps.keys()):
            # A name with a gap is made canonical with any value, to be checked and written as all others are.
            text = canonical({name: shared.get(name, 0)}).decode().removeprefix("{").removesuffix("}")
            text = text.replace("%", "%%")
            if name in gaps:
                text = text.removesuffix("0") + gaps[name]
            (before if name < "hash" else after).append(text)
        return "{" + "".join(f"{text}," for text in before), ",".join(after) + "}"


class EventBody(dict[str, Any]):
    """The body of an event as any other, which knows its form. Not to be changed."""

    __slots__ = ("form",)

    form: Form
