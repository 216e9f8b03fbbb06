"""The holder of approval requests, as a gate asks it: over HTTP, in a time that a statement may wait.

Whatever is not an answer by the rules of `penstock_core.approvals` is trouble, told in words: then nothing is approved.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from pathlib import Path
from urllib.parse import quote

import httpx2
import structlog
from pydantic import ValidationError

from penstock_core.approvals.access import AskingAccess
from penstock_core.approvals.asking import Answered, Asking
from penstock_sidecar.session.commands import AskAccess, AskApproval, AwaitApproval
from penstock_sidecar.shipping import access

_log = structlog.get_logger(__name__)

# How long a holder may take to answer a question, and how much longer than it was asked to wait.
ANSWER_SECONDS = 5.0
# How soon it is asked again that did not wait.
_PAUSE_SECONDS = 0.5
_MOST_ANSWER = 65_536


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
        self._url = f"{url.rstrip('/')}/v1/streams/{quote(owner, safe='')}/requests"
        self._host = url.rstrip("/")
        owner_path = f"{self._host}/v1/streams/{quote(owner, safe='')}"
        self._access = f"{owner_path}/access/requests?namespace={quote(namespace, safe='')}"
        self._token_file = token_file
        self._ca_file = ca_file
        self._seconds = answer_seconds
        self._client: httpx2.AsyncClient | None = None
        self._trouble = ""

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
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _exchange(self, method: str, url: str, body: bytes, seconds: float) -> Answered:
        try:
            async with asyncio.timeout(seconds):
                answered = self._read(await self._sent(method, url, body))
        except TimeoutError:
            raise self._say(f"the holder of requests {self._host} does not answer in time") from None
        except HolderError as error:
            raise self._say(str(error)) from None
        self._trouble = ""
        return answered

    async def _sent(self, method: str, url: str, body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "application/json", **self._authorization()}
        try:
            client = self._client = self._client or self._make_client()
            async with client.stream(method, url, content=body, headers=headers) as response:
                said = b""
                async for part in response.aiter_bytes():
                    said += part
                    if len(said) > _MOST_ANSWER:
                        raise HolderError(f"{self._host} does not answer as a holder of requests does")
                return response.status_code, said
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            # A new client reads the CA file anew: it may have been rotated.
            await self.close()
            words = " ".join(str(error).split()) or type(error).__name__
            raise HolderError(f"the holder of requests {self._host} cannot be reached: {words}") from None

    def _read(self, said: tuple[int, bytes]) -> Answered:
        status, body = said
        if status in (401, 403):
            raise HolderError(f"the holder of requests {self._host} does not take requests from this gate")
        if status == 404:
            raise HolderError(f"the holder of requests {self._host} does not know the request")
        if status != 200:
            raise HolderError(f"the holder of requests {self._host} answers {status}")
        try:
            answered = Answered.model_validate_json(body)
        except ValidationError:
            answered = None
        if answered is None or (answered.standing != "refused" and not answered.request):
            raise HolderError(f"{self._host} does not answer as a holder of requests does")
        return answered

    def _authorization(self) -> dict[str, str]:
        try:
            return access.authorization(self._token_file)
        except OSError as error:
            raise HolderError(f"the gate's token can't be read: {error.strerror}") from None
        except access.NoTokenError:
            raise HolderError("the gate's token file holds no token") from None

    def _make_client(self) -> httpx2.AsyncClient:
        # How long it takes is bounded around it.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=8)
        return access.client(self._host, self._ca_file, timeout=None, limits=limits)

    def _say(self, trouble: str) -> HolderError:
        """Log when trouble begins, or becomes another one."""
        if trouble != self._trouble:
            _log.warning("approval can't be asked for", why=trouble)
        self._trouble = trouble
        return HolderError(trouble)
