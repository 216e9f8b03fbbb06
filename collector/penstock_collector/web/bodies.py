"""What programs and forms send, read no further than it may be long, and the answer to what is not taken.

What doesn't belong: what a body says.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

# One part of a stream's name.
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_FORM_BYTES = 32 * 1024
_RETRY = {"retry-after": "2"}


class TooLarge(Exception):
    """The body is larger than it may be."""


async def body_of(request: Request, most: int) -> bytes:
    """The body. Raises TooLarge, and ClientDisconnect if it ends early."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form, each once; empty if it is larger than any of ours."""
    try:
        fields = parse_qs((await body_of(request, _MOST_FORM_BYTES)).decode(), max_num_fields=20)
    except (TooLarge, ClientDisconnect, ValueError):
        return {}
    return {name: values[0] for name, values in fields.items()}


def refuse(status: int, error: str) -> Response:
    """JSON that says what is wrong; 503 asks to come back."""
    return JSONResponse({"error": error}, status, headers=_RETRY if status == 503 else None)
