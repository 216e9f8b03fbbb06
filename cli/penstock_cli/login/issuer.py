"""An issuer of tokens, as it is asked: discovery, tokens for a code, a device or a refresh token, and the ID token.

Every failure is an Unusable of one line that repeats no token. What doesn't belong: how a person says yes
(`browser.py`, `device.py`).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jwt

from penstock_cli.client_settings import LoginSettings, file_within
from penstock_cli.failures import Unusable
from penstock_cli.terminal_text import printable

_DISCOVERY = "/.well-known/openid-configuration"
_SECONDS = 15.0
_LEEWAY_SECONDS = 60
# Of a token that does not say so.
_UNTOLD_LIFE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Granted:
    """What an issuer has given."""

    access: str = field(repr=False)
    id_token: str = field(repr=False)
    refresh: str = field(repr=False)
    # When the access token ends, as far as it is told: seconds since the epoch.
    expires: float

    @classmethod
    def of(cls, answer: Mapping[str, Any], former: str = "") -> Granted:
        """`former`: the refresh token that goes on to count where no new one is given. Raises Unusable."""
        access, id_token = answer.get("access_token"), answer.get("id_token", "")
        refresh, kind = answer.get("refresh_token", former), answer.get("token_type")
        if not isinstance(access, str) or not isinstance(id_token, str) or not isinstance(refresh, str):
            raise Unusable("the issuer's answer holds no token")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise Unusable("the issuer gives tokens of a type that gates don't take (token_type)")
        seconds = answer.get("expires_in", _UNTOLD_LIFE_SECONDS)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e10:
            raise Unusable("the issuer does not say in seconds how long its token is good for")
        return cls(access, id_token, refresh, time.time() + seconds)


class RefusedError(Unusable):
    """The issuer said no; `code` is its word for why."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"the issuer refuses: {code}{f' ({description})' if description else ''}")
        self.code = code


class Issuer:
    """One issuer, asked as one client of it. Close it, or use it as a context manager."""

    def __init__(self, settings: LoginSettings) -> None:
        """Raises Unusable."""
        self.settings = settings
        ca_file = file_within(settings.ca_file)
        try:
            context = ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Unusable(f"{ca_file}: {getattr(error, 'strerror', None) or error}") from None
        self._http = httpx2.Client(verify=context, timeout=_SECONDS, trust_env=False, follow_redirects=False)
        self._metadata: dict[str, Any] | None = None

    def __enter__(self) -> Issuer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the issuer says of itself. Raises Unusable."""
        if self._metadata is None:
            found = self._json("GET", self.settings.issuer.rstrip("/") + _DISCOVERY)
            if found.get("issuer") != self.settings.issuer:
                raise Unusable(
                    f"{self.settings.issuer} says that it is issuer {printable(str(found.get('issuer')))[:200]}:"
                    " give it as it calls itself"
                )
            self._metadata = found
        return self._metadata

    def endpoint(self, name: str) -> str:
        """One of the issuer's addresses; empty where it has no such. Raises Unusable."""
        url = self.metadata.get(name) or ""
        if url and not (isinstance(url, str) and urlsplit(url).scheme == "https"):
            raise Unusable(f"the issuer's {name} is no https:// URL")
        return str(url)

    def wanted(self) -> dict[str, str]:
        """What every request for tokens says that it wants."""
        settings = self.settings
        told = {"scope": settings.scope, "resource": settings.resource, "audience": settings.audience}
        return {name: value for name, value in told.items() if value is not None}

    def tokens(self, grant: Mapping[str, str], former: str = "") -> Granted:
        """What the issuer gives for a grant. Raises RefusedError and Unusable."""
        return Granted.of(self.post("token_endpoint", grant), former)

    def post(self, endpoint: str, form: Mapping[str, str]) -> dict[str, Any]:
        """What one of the issuer's addresses answers to a form. Raises RefusedError and Unusable."""
        url = self.endpoint(endpoint)
        if not url:
            raise Unusable(f"the issuer has no {endpoint}")
        return self._json("POST", url, {"client_id": self.settings.client_id, **form})

    def revoke(self, token: str) -> None:
        """Have the issuer forget a refresh token, if it can do that (RFC 7009). Raises Unusable."""
        if url := self.endpoint("revocation_endpoint"):
            form = {"client_id": self.settings.client_id, "token": token, "token_type_hint": "refresh_token"}
            self._sent("POST", url, form)

    def who(self, id_token: str, nonce: str | None) -> dict[str, Any]:
        """What an ID token says, verified: signature, issuer, audience, lifetime, and the nonce. Raises Unusable."""
        keys = self._json("GET", self.endpoint("jwks_uri"))
        try:
            found = {key.key_id: key for key in jwt.PyJWKSet.from_dict(keys).keys}
            named = jwt.get_unverified_header(id_token).get("kid")
            key = found[named] if named is not None else next(iter(found.values()))
            claims: dict[str, Any] = jwt.decode(
                id_token, key, algorithms=[key.algorithm_name], audience=self.settings.client_id,
                issuer=self.settings.issuer, leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
        except (jwt.PyJWTError, LookupError, StopIteration, ValueError, TypeError) as error:
            raise Unusable(f"the issuer's ID token is not valid: {printable(str(error))[:200]}") from None
        if nonce is not None and claims.get("nonce") != nonce:
            raise Unusable("the issuer's ID token is of another login (nonce): somebody may have put it in its place")
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != self.settings.client_id:
            raise Unusable("the issuer's ID token is for several clients, and was not given to this one (azp)")
        return claims

    def _json(self, method: str, url: str, form: Mapping[str, str] | None = None) -> dict[str, Any]:
        response = self._sent(method, url, form)
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unusable(f"{url} answers {response.status_code}, and not as an issuer does")
        if response.status_code >= 400 or "error" in found:
            said = [printable(str(found.get(name, ""))) for name in ("error", "error_description")]
            raise RefusedError(said[0][:100] or f"status {response.status_code}", said[1][:300])
        return found

    def _sent(self, method: str, url: str, form: Mapping[str, str] | None) -> httpx2.Response:
        try:
            return self._http.request(method, url, data=dict(form) if form is not None else None)
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, ValueError) as error:
            words = " ".join(str(error).split()) or type(error).__name__
            raise Unusable(f"the issuer {url} cannot be reached: {words}") from None
