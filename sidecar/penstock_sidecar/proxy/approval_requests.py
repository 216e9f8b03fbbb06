"""The holder of approval requests, as a gate asks it: over HTTP, in a time that a statement may wait.

Whatever is not an answer by the rules of `penstock_core.approvals` is trouble, told in words: then nothing is approved.
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from urllib.parse import quote

import structlog
from pydantic import ValidationError

from penstock_core.approvals.access import AskingAccess
from penstock_core.approvals.asking import Answered, Asking
from penstock_sidecar.proxy.http_service import ANSWER_SECONDS, HttpService, ServiceError
from penstock_sidecar.session.commands import AskAccess, AskApproval, AwaitApproval

_log = structlog.get_logger(__name__)

# How soon it is asked again that did not wait.
_PAUSE_SECONDS = 0.5


class HolderError(Exception):
    """Nobody could be asked; the text is one line for the client, and names no secret."""


async def carried_out(
    command: AskApproval | AwaitApproval | AskAccess, requests: ApprovalRequests | None
) -> tuple[Answered | None, str]:
    """What the holder answered to a session's question, or why it could not be asked. Raises nothing."""
    try:
        if requests is None:
            return None, "this gate has no holder of requests; it is the collector where none is configured"
        if isinstance(command, AskApproval):
            return await requests.ask(command.asking), ""
        if isinstance(command, AskAccess):
            return await requests.ask_access(command.asking), ""
        return await requests.look(command.request, command.seconds), ""
    except HolderError as error:
        return None, str(error)
    except Exception as error:
        # A fault of ours; what waits for the answer must not wait forever.
        _log.exception("asking for approval failed")
        return None, f"the gate failed ({type(error).__name__})"


class ApprovalRequests:
    """Asks one holder, with the token and the CA that the audit trail is shipped with."""

    def __init__(
        self, url: str, owner: str, token_file: Path | None = None, ca_file: Path | None = None,
        *, namespace: str = "default", answer_seconds: float = ANSWER_SECONDS,
    ) -> None:  # fmt: skip
        self._service = HttpService("holder of requests", url, token_file, ca_file)
        own = f"{self._service.host}/v1/streams/{quote(owner, safe='')}"
        self._url = f"{own}/requests"
        self._access = f"{own}/access/requests?namespace={quote(namespace, safe='')}"
        self._seconds = answer_seconds

    async def ask(self, asking: Asking) -> Answered:
        """Whether that statement may run now; an approval is used by this. Raises HolderError."""
        body = asking.model_dump_json(by_alias=True, exclude_none=True).encode()
        return await self._exchange("POST", self._url, body, self._seconds)

    async def ask_access(self, asking: AskingAccess) -> Answered:
        """Whether that access lasts by now, or is asked for. Raises HolderError."""
        body = asking.model_dump_json(by_alias=True, exclude_none=True).encode()
        return await self._exchange("POST", self._access, body, self._seconds)

    async def look(self, request: str, seconds: float) -> Answered:
        """How a request stands, once that is otherwise than waiting, or after so long; nothing is used by this.

        Raises HolderError.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            left = max(1, math.ceil(until - loop.time()))
            url = f"{self._url}/{quote(request, safe='')}?wait={left}"
            answered = await self._exchange("GET", url, b"", left + self._seconds)
            if answered.standing != "waiting" or loop.time() >= until:
                return answered
            # It did not wait as it was asked to.
            await asyncio.sleep(_PAUSE_SECONDS)

    async def close(self) -> None:
        """Nothing is asked any more."""
        await self._service.close()

    async def _exchange(self, method: str, url: str, body: bytes, seconds: float) -> Answered:
        try:
            answered = self._read(await self._service.exchange(method, url, body, seconds))
        except (ServiceError, HolderError) as error:
            self._service.note(str(error))
            raise HolderError(str(error)) from None
        self._service.note("")
        return answered

    def _read(self, said: tuple[int, bytes]) -> Answered:
        (status, body), holder = said, self._service.called
        if status in (401, 403):
            raise HolderError(f"{holder} does not take requests from this gate")
        if status == 404:
            raise HolderError(f"{holder} does not know the request")
        if status != 200:
            raise HolderError(f"{holder} answers {status}")
        try:
            answered = Answered.model_validate_json(body)
        except ValidationError:
            answered = None
        if answered is None or (answered.standing != "refused" and not answered.request):
            raise HolderError(self._service.odd)
        return answered
