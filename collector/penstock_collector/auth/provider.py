"""The OIDC provider over HTTPS: what it says of itself, its keys, and what it gives for codes and refresh tokens.

Each answer is bounded in time and size, and no redirect is followed. What doesn't belong: what tokens say
(`id_token.py`), the steps of a sign-in (`sign_in.py`).
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import structlog

from penstock_collector.auth.id_token import SignInError
from penstock_collector.sign_in_settings import SignInSettings
from penstock_core.signing_keys import KeySetError, SigningKey, named, usable

_log = structlog.get_logger(__name__)

DISCOVERY = "/.well-known/openid-configuration"
# What is older is fetched again, as long as the provider can be reached; then it is good for a day.
FRESH_SECONDS = 300.0
_KEPT_SECONDS = 86_400.0
# How soon after a failure, or for a key that is not there, the next attempt begins.
PAUSE_SECONDS = 5.0
# How long one answer may take.
ANSWER_SECONDS = 5.0
# How long a sign-in waits for its turn among others.
_TURN_SECONDS = 10.0
_AT_ONCE = 16
_MOST_BYTES = 1 << 20


class ProviderError(SignInError):
    """The provider can't be asked, or answers what can't be used; trying again may help."""

    def __init__(self, message: str) -> None:
        super().__init__(message, 503)

    @classmethod
    def because(cls, why: str) -> ProviderError:
        return cls(f"The provider can't be asked at the moment: {why}. Try again.")


class GrantEndedError(SignInError):
    """The provider does not take the code, or the refresh token, any more."""


class _Unanswered(Exception):
    """There is no answer that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What the provider says of itself."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str
    userinfo_endpoint: str
    # Whether it names itself where it leads back (RFC 9207).
    names_itself: bool
    # Whether the client's secret goes into the form, since the header is not taken.
    secret_in_form: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gives for a code or a refresh token; "" for what it does not."""

    id_token: str
    access_token: str
    refresh_token: str


class Provider:
    """One provider, asked as one client."""

    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._discovery: Discovery | None = None
        self._keys: list[SigningKey] = []
        # When the last fetch succeeded that these are of, and when the last one began.
        self._known = float("-inf")
        self._tried = float("-inf")
        self._fetching: asyncio.Task[None] | None = None
        self._context: tuple[float, ssl.SSLContext] | None = None
        self._trouble = ""

    async def discovery(self) -> Discovery:
        """Raises ProviderError."""
        await self._refresh()
        if self._discovery is None:
            raise ProviderError.because(self._trouble or "it was asked a moment ago")
        return self._discovery

    async def key(self, key_id: str | None, algorithm: str) -> SigningKey:
        """The key that a token says it is signed by. Raises SignInError, ProviderError."""
        await self.discovery()
        found = named(self._keys, key_id)
        if not found:
            # It may be a new one.
            await self._refresh(anew=True)
            found = named(self._keys, key_id)
        if not found:
            raise SignInError("The provider's token is signed with a key that the provider does not have.")
        fitting = [one for one in found if algorithm in one.algorithms]
        if not fitting:
            raise SignInError("The provider's token is signed by an algorithm that its key is not for.")
        return fitting[0]

    async def tokens(self, **grant: str) -> Tokens:
        """For a code, or a refresh token. Raises GrantEndedError, ProviderError."""
        discovery = await self.discovery()
        form, headers = await self._as_client(discovery, grant)
        status, answer = await self._asked("POST", discovery.token_endpoint, data=form, headers=headers)
        if status in (400, 401, 403):
            error = answer.get("error")
            _log.warning("the provider refuses", grant=grant["grant_type"], error=str(error)[:100])
            if error == "invalid_grant":
                raise GrantEndedError("The provider does not take this sign-in. Sign in again.")
            raise ProviderError("The provider refuses this collector as its client. Its administrator has to look.")
        if status != 200:
            raise ProviderError.because(f"it answers {status}")
        found = {name: answer.get(name, "") for name in ("id_token", "access_token", "refresh_token")}
        if not all(isinstance(value, str) for value in found.values()):
            raise ProviderError.because("its answer can't be read")
        return Tokens(**found)

    async def userinfo(self, access_token: str) -> Mapping[str, Any]:
        """More claims of whom the token is for; none if the provider has no such. Raises ProviderError."""
        discovery = await self.discovery()
        if not discovery.userinfo_endpoint or not access_token or not access_token.isascii():
            return {}
        headers = {"authorization": f"Bearer {access_token}"}
        status, answer = await self._asked("GET", discovery.userinfo_endpoint, headers=headers)
        return answer if status == 200 else {}

    async def _as_client(self, discovery: Discovery, grant: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        client_id, file = self._settings.sign_in_client_id, self._settings.sign_in_client_secret_file
        if file is None:
            return {**grant, "client_id": client_id}, {}
        try:
            # Read each time: it may have been replaced.
            secret = (await asyncio.to_thread(file.read_text)).strip()
        except (OSError, UnicodeDecodeError):
            raise ProviderError.because("the collector can't read its client secret") from None
        if discovery.secret_in_form:
            return {**grant, "client_id": client_id, "client_secret": secret}, {}
        named_ = base64.b64encode(f"{quote(client_id, safe='')}:{quote(secret, safe='')}".encode()).decode()
        return grant, {"authorization": f"Basic {named_}"}

    async def _refresh(self, *, anew: bool = False) -> None:
        now = time.monotonic()
        if now - self._known > _KEPT_SECONDS:
            self._discovery, self._keys = None, []
        due = anew or now - self._known > FRESH_SECONDS
        if self._fetching is None and due and now - self._tried > PAUSE_SECONDS:
            self._tried = now
            self._fetching = asyncio.create_task(self._fetch(now), name="provider")
        if self._fetching is not None and due:
            # One fetch for all who wait, which goes on when one of them leaves.
            await asyncio.shield(self._fetching)

    async def _fetch(self, began: float) -> None:
        try:
            issuer = self._settings.sign_in_issuer
            discovery = _discovery(await self._document(issuer.rstrip("/") + DISCOVERY), issuer)
            keys = usable(await self._document(discovery.jwks_uri))
            self._discovery, self._keys, self._known, self._trouble = discovery, keys, began, ""
        except (_Unanswered, KeySetError) as error:
            self._trouble = str(error)
            _log.warning("the provider can't be asked", issuer=self._settings.sign_in_issuer, why=self._trouble)
        finally:
            self._fetching = None

    async def _asked(self, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """The same as `_ask`, for those who sign in. Raises ProviderError."""
        try:
            return await self._ask(method, url, **more)
        except _Unanswered as error:
            raise ProviderError.because(str(error)) from None

    async def _document(self, url: str) -> dict[str, Any]:
        status, answer = await self._ask("GET", url)
        if status != 200:
            raise _Unanswered(f"it answers {status}")
        return answer

    async def _ask(self, method: str, url: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer. Raises _Unanswered."""
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise _Unanswered("too many sign in at once") from None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._answer(method, url, more)
        except TimeoutError:
            raise _Unanswered(f"it did not answer within {ANSWER_SECONDS:g} seconds") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            words = " ".join(str(error).split())[:200]
            raise _Unanswered(f"it can't be reached ({words or type(error).__name__})") from None
        finally:
            self._turns.release()

    async def _answer(self, method: str, url: str, more: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        # Compressed, few bytes could become many.
        headers = {"accept": "application/json", "accept-encoding": "identity", **more.pop("headers", {})}
        context = await self._trust()
        body = bytearray()
        async with (
            httpx2.AsyncClient(verify=context, timeout=ANSWER_SECONDS, trust_env=False) as client,
            client.stream(method, url, headers=headers, **more) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise _Unanswered("it answers compressed, without being asked to")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise _Unanswered(f"it answers more than {_MOST_BYTES} bytes")
        try:
            found = json.loads(bytes(body))
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            found = {} if response.status_code != 200 else None
        if found is None:
            raise _Unanswered("it answers what is no JSON object")
        return response.status_code, found

    async def _trust(self) -> ssl.SSLContext:
        """Read again now and then, since files of authorities are replaced."""
        if self._context is None or time.monotonic() - self._context[0] > FRESH_SECONDS:
            context = await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.sign_in_ca_file)
            self._context = (time.monotonic(), context)
        return self._context[1]


def _discovery(document: Mapping[str, Any], issuer: str) -> Discovery:
    if document.get("issuer") != issuer:
        raise _Unanswered("its discovery document is of another issuer; give the issuer exactly as it is there")

    def url(name: str, *, needed: bool = True) -> str:
        found = document.get(name)
        if isinstance(found, str) and found.startswith("https://") and found.isprintable():
            return found
        if needed:
            raise _Unanswered(f"its discovery document has no {name} that is an https:// URL")
        return ""

    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    listed = methods if isinstance(methods, list) else []
    return Discovery(
        url("authorization_endpoint"),
        url("token_endpoint"),
        url("jwks_uri"),
        url("end_session_endpoint", needed=False),
        url("userinfo_endpoint", needed=False),
        document.get("authorization_response_iss_parameter_supported") is True,
        "client_secret_post" in listed and "client_secret_basic" not in listed,
    )
