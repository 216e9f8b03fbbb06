"""The API server, asked as one person by their own bearer token, which is on no call but theirs.

Each answer is bounded in time and size, no redirect is followed, and no failure has the token in its words. What
doesn't belong: who signs in by it (`cluster_people.py`), what people decide (`approvals/on_cluster.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from penstock_core.approvals import kubernetes_request
from penstock_core.approvals.kubernetes_user import KubernetesUser

# How long one answer may take, and how long a question waits for its turn among others.
ANSWER_SECONDS = 5.0
TURN_SECONDS = 5.0
_AT_ONCE = 8
# Of these, by who is not known yet: guesses take nobody's turn who is signed in.
_STRANGERS_AT_ONCE = 2
_MOST_BYTES = 4 << 20
# As long as ID tokens may be.
_LONGEST_TOKEN = 32 * 1024
# After so long, files of authorities are read again, since they are replaced.
_TRUST_SECONDS = 300.0
# What can stand in a header and be nothing else there; API servers take more than RFC 6750 does.
_TOKEN = re.compile(r"[!-~]+")


class ApiServerUnavailable(Exception):
    """The API server can't be asked, or does not answer in time; the text says why, in a clause."""

    def __init__(self, why: str, *, sent: bool = False) -> None:
        super().__init__(why)
        # Whether what was asked may have been done all the same.
        self.sent = sent


class TokenNotTaken(Exception):
    """The API server does not know whose token it is, or no longer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answers, and its time then."""

    status: int
    body: Mapping[str, Any]
    now: datetime


class PersonalApi:
    """One API server, asked by whoever has a token for it."""

    def __init__(self, url: str, ca_file: Path | None) -> None:
        self._url = url
        self._ca_file = ca_file
        self._turns = asyncio.Semaphore(_AT_ONCE - _STRANGERS_AT_ONCE)
        self._strangers_turns = asyncio.Semaphore(_STRANGERS_AT_ONCE)
        self._context: tuple[float, ssl.SSLContext] | None = None

    async def whoami(self, token: str, *, stranger: bool = False) -> KubernetesUser:
        """Whose token it is. Raises TokenNotTaken, ApiServerUnavailable."""
        turns = self._strangers_turns if stranger else self._turns
        answer = await self._call(turns, token, "POST", kubernetes_request.WHOAMI, kubernetes_request.WHO_AM_I)
        user = kubernetes_request.user(answer.body)
        if answer.status not in (200, 201) or not user.username:
            raise ApiServerUnavailable(f"it does not say whose token it is (it answers {answer.status})")
        return user

    async def call(self, token: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """One question. Raises TokenNotTaken, ApiServerUnavailable."""
        return await self._call(self._turns, token, method, path, body)

    async def _call(
        self, turns: asyncio.Semaphore, token: str, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Answer:
        if not is_token(token):
            raise TokenNotTaken
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise ApiServerUnavailable("too many ask it at once") from None
        try:
            context = await self._trust()
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._answer(context, token, method, path, body)
        except TimeoutError:
            raise ApiServerUnavailable(f"it did not answer within {ANSWER_SECONDS:g} seconds", sent=True) from None
        except (httpx2.ConnectError, ssl.SSLError) as error:
            raise ApiServerUnavailable(f"it can't be reached ({_words(error)})") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise ApiServerUnavailable(f"the connection to it failed ({_words(error)})", sent=True) from None
        finally:
            turns.release()
        if answer.status == 401:
            raise TokenNotTaken
        if answer.status == 429 or answer.status >= 500 or 300 <= answer.status < 400:
            raise ApiServerUnavailable(f"it answers {answer.status}", sent=answer.status != 429)
        return answer

    async def _answer(
        self, context: ssl.SSLContext, token: str, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Answer:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {
            "authorization": f"Bearer {token}", "user-agent": "penstock-collector",
            "accept": "application/json", "content-type": kind,
            # Compressed, few bytes could become many.
            "accept-encoding": "identity",
        }  # fmt: skip
        content = None if body is None else json.dumps(body).encode()
        said = bytearray()
        async with (
            httpx2.AsyncClient(verify=context, timeout=ANSWER_SECONDS, trust_env=False) as client,
            client.stream(method, self._url + path, headers=headers, content=content) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ApiServerUnavailable("it answers compressed, without being asked to", sent=True)
            async for chunk in response.aiter_raw():
                said += chunk
                if len(said) > _MOST_BYTES:
                    raise ApiServerUnavailable(f"it answers more than {_MOST_BYTES} bytes", sent=True)
        now = kubernetes_request.server_time(response.headers.get("date"), datetime.now(UTC))
        return Answer(response.status_code, _document(response.status_code, bytes(said)), now)

    async def _trust(self) -> ssl.SSLContext:
        if self._context is None or time.monotonic() - self._context[0] > _TRUST_SECONDS:
            try:
                context = await asyncio.to_thread(ssl.create_default_context, cafile=self._ca_file)
            except OSError as error:
                raise ApiServerUnavailable(
                    f"the authority of its certificate can't be read ({_words(error)})"
                ) from None
            self._context = (time.monotonic(), context)
        return self._context[1]


def is_token(text: str) -> bool:
    """Whether it can be one at all, and so be sent as one."""
    return len(text) <= _LONGEST_TOKEN and _TOKEN.fullmatch(text) is not None


def _document(status: int, said: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    if status < 300:
        raise ApiServerUnavailable("it answers what is no JSON object", sent=True)
    return {}


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
