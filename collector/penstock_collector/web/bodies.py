"""What programs and forms send, read no further than it may be long, and the answer to what is not taken.

What doesn't belong: what a body says.
"""

from __future__ import annotations

import re
from typing import TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

# One part of a stream's name.
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_FORM_BYTES = 32 * 1024
_RETRY = {"retry-after": "2"}
_Sent = TypeVar("_Sent", bound=BaseModel)


class TooLarge(Exception):
    """The body is larger than it may be."""


class NotTakenError(Exception):
    """A body that is not taken, with the status of the answer; the message says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def body_of(request: Request, most: int) -> bytes:
    """The body. Raises TooLarge, and ClientDisconnect if it ends early."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request, model: type[_Sent], most: int, what: str, like: str) -> _Sent:
    """What a program sends, in words and as it is to look. Raises NotTakenError."""
    try:
        return model.model_validate_json(await body_of(request, most))
    except TooLarge:
        raise NotTakenError(413, f"{what} is at most {most} bytes") from None
    except ClientDisconnect:
        raise NotTakenError(400, "the request ended early") from None
    except ValidationError:
        raise NotTakenError(400, f"{what} is {like}") from None


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
