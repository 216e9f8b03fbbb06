"""Who calls `control`, by their token, and what they send: the same for all that is not the API server's.

What doesn't belong: what they are answered.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from penstock_core.token_review import Pod
from penstock_entrance.guarded_http import known
from penstock_operator.control.tokens import Tokens, Unverifiable


class CallerError(Exception):
    """It is not known who calls; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TooLargeError(Exception):
    """The body is larger than it may be."""


def bearer(request: Request) -> str:
    """The token that is presented. Raises CallerError."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise CallerError(401, "a bearer token is needed")
    return token.strip()


async def caller_of(request: Request, tokens: Tokens) -> Pod:
    """The pod that calls. Raises CallerError."""
    try:
        caller = await tokens.caller(bearer(request))
    except Unverifiable as problem:
        raise CallerError(503, f"the token can't be checked now: {problem}") from problem
    if caller is None:
        raise CallerError(401, "the token is not a running pod's for this service")
    known(request, f"pod {caller.uid}")
    return caller


async def body_of(request: Request, most: int) -> bytes:
    """The body, read no further than it may be long. Raises TooLargeError."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLargeError
    return bytes(body)


def problem(status: int, message: str) -> Response:
    """What a caller is told who gets nothing else."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": message}, status_code=status, headers=headers)
