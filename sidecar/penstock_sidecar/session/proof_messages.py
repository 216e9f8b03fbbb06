"""The messages by which a client proves itself: framed, and bounded before anything of them is kept.

What they say is read in `proving.py` and `ticket_proving.py`.
"""

from __future__ import annotations

# The largest message that is answered in words, once all of it came and was dropped.
_MOST_DROPPED = 16 << 20


class UnexpectedError(ValueError):
    """Something else came than what was asked for."""


class TooLongError(ValueError):
    """A message was longer than it may be; all of it came by now."""


class ProofMessages:
    """What a client answers."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = b""
        # How much of a message that is too long is still to come.
        self._dropping = 0

    def receive(self, data: bytes) -> bytes | None:
        """The body of the next message; None: more has to come. Raises UnexpectedError and TooLongError."""
        if self._dropping:
            self._drop(data)
            return None
        self._rest += data
        if len(self._rest) < 5:
            return None
        length = int.from_bytes(self._rest[1:5], "big")
        if self._rest[:1] != b"p" or not 4 <= length <= _MOST_DROPPED:
            raise UnexpectedError
        if length - 4 > self._longest:
            self._dropping = length + 1
            came, self._rest = self._rest, b""
            self._drop(came)
            return None
        if len(self._rest) <= length:
            return None
        body, self._rest = self._rest[5 : length + 1], self._rest[length + 1 :]
        return body

    def take_rest(self) -> bytes:
        """What the client sent beyond the last message; it is no more kept."""
        taken, self._rest = self._rest, b""
        return taken

    def _drop(self, data: bytes) -> None:
        """Pass over what is too long: who is still writing does not read what is answered."""
        self._dropping -= len(data)
        if self._dropping <= 0:
            raise TooLongError
