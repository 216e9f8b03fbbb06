"""Exchanging a client's token for one that the gate accepts (RFC 8693): its subject, with the agent that acts for it.

The client's token goes to its issuer and to nobody else. What comes back is looked at before it is used: a token that
names no agent would give the agent all that the person may do. What doesn't belong: verifying the client's token
(`authorization.py`), and the new one's signature, which is the gate's to check.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import ssl
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt

from penstock_agents.gate.credentials import CredentialError, checked, from_file
from penstock_agents.http_settings import ExchangeSettings
from penstock_core.token_claims import value

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 # the name of a type
_SECONDS = 10.0
_MOST_BYTES = 1 << 17
# How long before its end a token is no longer used for a login.
_MARGIN_SECONDS = 10.0
_MOST_KEPT = 1000
_CODE = re.compile(r"[a-z_]{1,40}")
_OPERATOR = "Tell your user: the operator of this MCP server has to look at the exchange with the issuer."
_SIGN_IN = "Tell your user to sign in again with this MCP server."


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str
    expires: float


class TokenExchange:
    """Exchanges tokens at one issuer, and keeps what it got until it expires."""

    def __init__(self, settings: ExchangeSettings, subject_claim: str) -> None:
        self._settings = settings
        self._subject_claim = subject_claim
        self._secret = from_file(settings.client_secret_file)
        self._actor = None if settings.actor_token_file is None else from_file(settings.actor_token_file)
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    async def exchanged(self, token: str, subject: str) -> str:
        """The gate's token for a client's, whose subject is given. Raises CredentialError."""
        key = hashlib.sha256(token.encode()).digest()
        kept = self._kept.get(key)
        if kept is None or kept.expires - _MARGIN_SECONDS < time.time():
            kept = self._looked_at(await self._asked(token), token, subject)
            self._kept[key] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return kept.token

    async def _asked(self, token: str) -> dict[str, Any]:
        settings = self._settings
        form = {"grant_type": _GRANT, "subject_token": token, "subject_token_type": _ACCESS_TOKEN}
        form["requested_token_type"] = _ACCESS_TOKEN
        targets = {"audience": settings.audience, "resource": settings.resource, "scope": settings.scope or None}
        form |= {name: value for name, value in targets.items() if value is not None}
        if self._actor is not None:
            form |= {"actor_token": await self._actor(), "actor_token_type": _ACCESS_TOKEN}
        secret = await self._secret()
        try:
            context = await asyncio.to_thread(ssl.create_default_context, cafile=settings.ca_file)
            async with (
                asyncio.timeout(_SECONDS),
                httpx2.AsyncClient(verify=context, timeout=_SECONDS, trust_env=False) as client,
                client.stream(
                    "POST", settings.token_url, data=form, auth=(settings.client_id, secret),
                    headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                ) as response,
            ):  # fmt: skip
                return await _answer(response)
        except TimeoutError:
            raise CredentialError("the issuer does not answer in time", _OPERATOR) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError):
            raise CredentialError("the issuer can't be reached", _OPERATOR) from None

    def _looked_at(self, answer: dict[str, Any], before: str, subject: str) -> _Kept:
        token = answer.get("access_token")
        if not isinstance(token, str) or str(answer.get("token_type", "")).lower() not in ("bearer", "n_a"):
            raise CredentialError("the issuer answers the exchange with no bearer token", _OPERATOR)
        token = checked(token, "the issuer's answer")
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            expires = float(claims["exp"])
        except (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError):
            raise CredentialError("the issuer answers the exchange with a token that is no JWT", _OPERATOR) from None
        audiences = claims.get("aud")
        audiences = audiences if isinstance(audiences, list) else [audiences]
        wrong = (
            ("the same token" if token == before else "")
            or ("a token that names no agent" if not value(claims, self._settings.actor_claim) else "")
            or ("a token of somebody else" if value(claims, self._subject_claim) != subject else "")
            or ("a token that is not for the gate" if self._settings.gate_audience not in audiences else "")
        )
        if wrong:
            raise CredentialError(f"the issuer answers the exchange with {wrong}", _OPERATOR)
        return _Kept(token, expires)


async def _answer(response: httpx2.Response) -> dict[str, Any]:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise CredentialError("the issuer answers too much", _OPERATOR)
    try:
        found = json.loads(bytes(body))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CredentialError("the issuer does not answer the exchange as one does", _OPERATOR)
    if response.status_code != 200:
        code = found.get("error")
        code = code if isinstance(code, str) and _CODE.fullmatch(code) else str(response.status_code)
        step = _SIGN_IN if code == "invalid_grant" else _OPERATOR
        raise CredentialError(f"the issuer does not exchange the token: {code}", step)
    return found
