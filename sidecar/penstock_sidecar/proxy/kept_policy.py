"""The last policies of a Database, kept on the gate's own disk for a start while `control` is away.

They are sealed by a key that follows from the database's password and the gate's own name, so that nobody else can read
the mask key in them or put others in their place; and say when `control` last confirmed them. What doesn't belong: when
they are used (`sources.py`).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from penstock_core.resources import Bundle, ResourceError

# How far a clock may be set back meanwhile.
_CLOCK_SKEW = 60.0


class KeptPolicyError(Exception):
    """There are none that may be used; the text is one line, and names no secret."""


class KeptPolicy:
    """Those of one Database."""

    def __init__(self, path: Path, owner: str, place: str, secret: Callable[[], bytes]) -> None:
        """`owner`: the gate's own name; `place`: the Database's; `secret`: what nobody has but the gate."""
        self._path = path
        self._info = f"penstock kept policy\0{owner}\0{place}".encode()
        self._place = place
        self._secret = secret

    def keep(self, bundle: Bundle, confirmed: float) -> None:
        """In place of what is kept; `confirmed`: when, in seconds since 1970.

        Raises OSError and KeptPolicyError.
        """
        document = {"confirmed": confirmed, "bundle": bundle.to_json()}
        sealed = self._fernet().encrypt(json.dumps(document).encode())
        fresh = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(self._path)

    def forget(self) -> None:
        """They must not be used any more. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def read(self, now: float, max_age: float | None) -> tuple[Bundle, float]:
        """They, and how many seconds ago they were confirmed. Raises KeptPolicyError."""
        try:
            document = json.loads(self._fernet().decrypt(self._path.read_bytes()))
            bundle, confirmed = Bundle.from_json(document["bundle"]), float(document["confirmed"])
        except FileNotFoundError:
            raise KeptPolicyError("no policy was kept from before") from None
        except (InvalidToken, ResourceError, OSError, ValueError, LookupError, TypeError):
            words = "the policy that was kept from before was changed, or sealed by another password of the database"
            raise KeptPolicyError(words) from None
        if bundle.database.title != f"Database {self._place}":
            raise KeptPolicyError("the policy that was kept from before is another Database's")
        age = now - confirmed
        if age < -_CLOCK_SKEW:
            raise KeptPolicyError("the policy that was kept from before is from the future: the clock was set back")
        if max_age is not None and age > max_age:
            words = f"was last confirmed {age:.0f} s ago, more than the {max_age:.0f} s of policyMaxAgeSeconds"
            raise KeptPolicyError(f"the policy that was kept from before {words}")
        return bundle, max(0.0, age)

    def _fernet(self) -> Fernet:
        secret = self._secret()
        if not secret:
            # Anybody could make such a key.
            raise KeptPolicyError("no policy is kept where the database's password is empty")
        derived = HKDF(SHA256(), 32, salt=None, info=self._info).derive(secret)
        return Fernet(base64.urlsafe_b64encode(derived))
