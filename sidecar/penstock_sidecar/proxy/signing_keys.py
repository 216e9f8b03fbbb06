"""The keys that one issuer signs tokens with: from a file, or fetched, kept and fetched again when they change.

Which algorithms a key is good for is `penstock_core.signing_keys`'s, what a token says `claims.py`'s. An issuer that
can't be reached, answers slowly or too much, or tokens that name keys that there are not, neither stop others nor cause
more requests.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Mapping
from typing import Any

import httpx2
import structlog

from penstock_core.signing_keys import KeySetError, SigningKey, named, usable
from penstock_sidecar.proxy.issuers import Issuer, TokenError

_log = structlog.get_logger(__name__)

# Keys that are older are fetched again before they are used, as long as the issuer can be reached.
FRESH_SECONDS = 300.0
# How soon after one attempt the next begins: after one that failed, or for a key that is not there.
PAUSE_SECONDS = 10.0
# How long all of one fetch may take, while a login waits for it.
FETCH_SECONDS = 5.0
_MOST_BYTES = 1 << 20
# Where an issuer tells of itself.
DISCOVERY = "/.well-known/openid-configuration"


class FetchError(Exception):
    """The keys could not be had; the text says why, without what was answered."""


class SigningKeys:
    """The keys of one issuer."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self._keys: list[SigningKey] = []
        # Of the file that they are from.
        self._stamp: tuple[int, int] = (0, 0)
        # When an attempt began that succeeded, and the last one, by the loop's clock.
        self._known: float | None = None
        self._attempt: float | None = None
        self._fetching: asyncio.Task[None] | None = None
        # Why the last attempt failed; empty where it did not.
        self.trouble = ""

    async def find(self, key_id: str | None, algorithm: str) -> SigningKey:
        """The key that a token says it is signed with. Raises TokenError."""
        name = self.issuer.issuer
        await self._refresh()
        found = named(self._keys, key_id)
        if not found and self.issuer.jwks_file is None and self._may_try:
            # It may be a new one.
            await self._fetch()
            found = named(self._keys, key_id)
        if not found and self._known is None:
            raise TokenError(f"cannot fetch the signing keys of {name}", f"{self.trouble or 'try again'}")
        if not found:
            raise TokenError(f"the token is signed with a key that {name} does not have", "get a new token")
        fitting = [one for one in found if algorithm in one.algorithms]
        if not fitting:
            raise TokenError(
                "the token is signed by an algorithm that its key is not for", "have the issuer sign by RS256 or ES256"
            )
        return fitting[0]

    async def _refresh(self) -> None:
        if self.issuer.jwks_file is not None:
            await asyncio.to_thread(self._read_file)
            return
        now = asyncio.get_running_loop().time()
        if self._known is not None and now - self._known > self.issuer.keys_max_age:
            self._keys, self._known = [], None
        if (self._known is None or now - self._known > FRESH_SECONDS) and self._may_try:
            await self._fetch()

    @property
    def _may_try(self) -> bool:
        """Whether the last attempt is long enough ago; to wait for one that goes on causes no other."""
        now = asyncio.get_running_loop().time()
        return self._fetching is not None or self._attempt is None or now - self._attempt > PAUSE_SECONDS

    async def _fetch(self) -> None:
        """Fetch them, in one request for all who wait; if it fails, they are what they were."""
        if self._fetching is None:
            self._attempt = asyncio.get_running_loop().time()
            self._fetching = asyncio.create_task(self._try(self._attempt), name="signing keys")
        # Others may wait for it, too.
        await asyncio.shield(self._fetching)

    async def _try(self, began: float) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                self._keys = await fetched(self.issuer)
            self._known, trouble = began, ""
        except TimeoutError:
            trouble = f"the issuer did not answer within {FETCH_SECONDS:.0f} seconds"
        except FetchError as error:
            trouble = str(error)
        except Exception as error:
            _log.exception("fetching signing keys failed")
            trouble = f"a fault of the gate ({type(error).__name__}); report it to the Penstock project"
        finally:
            self._fetching = None
        if trouble and trouble != self.trouble:
            _log.warning("signing keys can't be fetched", issuer=self.issuer.issuer, why=trouble, kept=len(self._keys))
        self.trouble = trouble

    def _read_file(self) -> None:
        path = self.issuer.jwks_file
        if path is None:
            return
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp or self._known is None:
                self._keys = _keys(_json(path.read_bytes()))
                self._stamp, self._known, self.trouble = stamp, 0.0, ""
        except (OSError, FetchError) as error:
            self._keys, self._known = [], None
            self.trouble = "jwksFile can't be read" if isinstance(error, OSError) else str(error)


async def fetched(issuer: Issuer) -> list[SigningKey]:
    """The keys as the issuer has them now. Raises FetchError."""
    try:
        # Read anew each time, since files of authorities are replaced; the system's own are many.
        context = await asyncio.to_thread(ssl.create_default_context, cafile=issuer.ca_file, cadata=issuer.ca or None)
    except (OSError, ssl.SSLError):
        raise FetchError(f"{'ca' if issuer.ca else 'caFile'} can't be read") from None
    async with httpx2.AsyncClient(verify=context, timeout=FETCH_SECONDS, trust_env=False) as client:
        url = issuer.jwks_url
        if not url:
            url = _keys_url(await _get(client, issuer.issuer.rstrip("/") + DISCOVERY), issuer)
        return _keys(await _get(client, url))


def _keys_url(document: Mapping[str, Any], issuer: Issuer) -> str:
    if document.get("issuer") != issuer.issuer:
        raise FetchError("the discovery document is of another issuer; give issuer exactly as it is there")
    url = document.get("jwks_uri")
    if not isinstance(url, str) or not url.startswith("https://"):
        raise FetchError("the discovery document has no jwks_uri that is an https:// URL")
    return url


async def _get(client: httpx2.AsyncClient, url: str) -> Mapping[str, Any]:
    body = bytearray()
    try:
        # Compressed, few bytes could become many.
        async with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.is_redirect:
                raise FetchError(
                    "the issuer answers with a redirect, which is not followed; give the URL where it leads"
                )
            if response.status_code != 200:
                raise FetchError(f"the issuer answers {response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchError("the issuer answers compressed, without being asked to")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise FetchError(f"the issuer answers more than {_MOST_BYTES} bytes")
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
        words = " ".join(str(error).split())[:200]
        raise FetchError(f"the issuer can't be reached: {words or type(error).__name__}") from None
    return _json(bytes(body))


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise FetchError("what should hold the signing keys is not a JSON object")
    return found


def _keys(document: Mapping[str, Any]) -> list[SigningKey]:
    try:
        return usable(document)
    except KeySetError as error:
        raise FetchError(str(error)) from None
