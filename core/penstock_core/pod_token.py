"""What a projected service account token says of itself, which proves nothing: only the API server can tell who it is.

It keeps guesses off the API server, and tells when what was opened with a token should end. What doesn't belong: what
a review says (`token_review.py`).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

LONGEST = 16 * 1024
# What has expired is the API server's to say, by its clock; this is about what nobody's clock can mean.
CLOCKS_DIFFER_SECONDS = 3600.0
_END_OF_TIME = 1 << 53


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom the token is for, and until when (seconds since 1970)."""

    audiences: tuple[str, ...]
    expires: float


def claims(token: str) -> Claims | None:
    """What it claims; None where it is no such token."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    audience, expires = found.get("aud"), found.get("exp")
    audiences = audience if isinstance(audience, list) else [audience]
    moment = _moment(expires)
    return None if moment is None else Claims(tuple(one for one in audiences if isinstance(one, str)), moment)


def _moment(value: object) -> float | None:
    """A time; None for what nobody's clock can mean: JSON knows no end of numbers, and infinity."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _END_OF_TIME:
        return None
    return float(value)


def is_worth_a_review(token: str, audience: str, now: float) -> bool:
    """Whether it at least says that it is for that audience and still good."""
    found = claims(token)
    return found is not None and audience in found.audiences and found.expires > now - CLOCKS_DIFFER_SECONDS
