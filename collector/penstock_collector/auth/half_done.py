"""Sign-ins that have begun and not ended: kept in a cookie of the browser that began them, sealed, and nowhere else.

So however many are begun, nothing grows here, and whoever comes back with another browser has none. What is
remembered is which of them ended, so that none does so twice.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass

from cryptography.fernet import Fernet, InvalidToken

HALF_DONE_SECONDS = 600
# A cookie has 4,096 bytes.
_LONGEST_TARGET = 1500
_LONGEST_SEALED = 4000
_MOST_ENDED = 20_000


@dataclass(frozen=True, slots=True)
class HalfDone:
    """What one sign-in has to find again when it comes back."""

    state: str
    nonce: str
    # Of PKCE: only who has it can use the code.
    verifier: str
    # The path to go on to.
    target: str

    @classmethod
    def begun(cls, target: str) -> HalfDone:
        kept = target if len(target) <= _LONGEST_TARGET else "/"
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(32), kept)


class HalfDoneSeal:
    """Seals them with a key that only this process has: a restart lets all of them begin anew."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._fernet = Fernet(Fernet.generate_key())
        self._clock = clock
        # When each that ended can no longer be opened anyway.
        self._ended: OrderedDict[str, float] = OrderedDict()

    def close(self, one: HalfDone) -> str:
        """For the cookie."""
        return self._fernet.encrypt_at_time(json.dumps(asdict(one)).encode(), int(self._clock())).decode()

    def open(self, sealed: str) -> HalfDone | None:
        """What the cookie holds; None if it is not ours, too old, or has ended."""
        if not 0 < len(sealed) <= _LONGEST_SEALED:
            return None
        try:
            text = self._fernet.decrypt_at_time(sealed.encode(), HALF_DONE_SECONDS, int(self._clock()))
        except (InvalidToken, UnicodeEncodeError):
            return None
        found = HalfDone(**json.loads(text))
        return None if found.state in self._ended else found

    def end(self, one: HalfDone) -> None:
        """It has come back, and must not again."""
        now = self._clock()
        self._ended[one.state] = now + HALF_DONE_SECONDS + 1
        while self._ended and (next(iter(self._ended.values())) < now or len(self._ended) > _MOST_ENDED):
            self._ended.popitem(last=False)
