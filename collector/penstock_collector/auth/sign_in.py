"""Signing in with the OIDC provider: the authorization code with PKCE, and the looks at whether it still holds.

A sign-in begins with a cookie and a URL, and ends with a person and their roles, or in words. What doesn't belong:
cookies and pages (`web/sign_in.py`), sessions (`sessions.py`), what the provider's answers look like (`provider.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from penstock_collector.auth import id_token
from penstock_collector.auth.half_done import HalfDone, HalfDoneSeal
from penstock_collector.auth.id_token import Person, SignInError
from penstock_collector.auth.provider import Provider, Tokens
from penstock_collector.auth.roles import Role, by_groups
from penstock_collector.sign_in_settings import SignInSettings

CALLBACK = "/login/callback"
_OTHER_BROWSER = (
    "This sign-in was not begun in this browser, is older than ten minutes, or was used already. Sign in again."
)
_ERROR = re.compile(r"[a-z_]{1,60}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, what they may do, and what it takes to ask again."""

    person: Person
    roles: frozenset[Role]
    # "" where the provider gives none: then nothing can be asked again, and the sign-in is a short one.
    refresh_token: str = field(repr=False)
    # For signing out at the provider, and for an API server that trusts it.
    id_token: str = field(repr=False)


class SignIn:
    """Sign-ins with one provider."""

    def __init__(self, settings: SignInSettings) -> None:
        self._settings = settings
        self.provider = Provider(settings)
        self.seal = HalfDoneSeal()

    async def begin(self, target: str) -> tuple[str, str]:
        """Where the browser has to go, and the cookie that it must bring back. Raises SignInError."""
        discovery = await self.provider.discovery()
        one = HalfDone.begun(target)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(one.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.sign_in_client_id,
            "redirect_uri": self._callback,
            "scope": self._settings.sign_in_scopes,
            "state": one.state,
            "nonce": one.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in discovery.authorization_endpoint else "?"
        return f"{discovery.authorization_endpoint}{joint}{urlencode(query)}", self.seal.close(one)

    def come_back(self, query: QueryParams, cookie: str) -> HalfDone:
        """The sign-in that ends here, and only once; nobody was asked yet. Raises SignInError."""
        one = self.seal.open(cookie)
        if one is None or not hmac.compare_digest(_only(query, "state").encode(), one.state.encode()):
            raise SignInError(_OTHER_BROWSER)
        self.seal.end(one)
        return one

    async def finish(self, one: HalfDone, query: QueryParams) -> SignedIn:
        """Who signed in. Raises SignInError."""
        discovery = await self.provider.discovery()
        issuer = _only(query, "iss")
        if (issuer or discovery.names_itself) and issuer != self._settings.sign_in_issuer:
            raise SignInError("The answer is of another provider than the one that was asked. Sign in again.")
        if (error := _only(query, "error")) or not _only(query, "code"):
            said = error if _ERROR.fullmatch(error) else "an error"
            raise SignInError(f"The provider did not let you in ({said}).")
        tokens = await self.provider.tokens(
            grant_type="authorization_code",
            code=_only(query, "code"),
            code_verifier=one.verifier,
            redirect_uri=self._callback,
        )
        return await self._signed_in(tokens, one.nonce)

    async def look_again(self, before: SignedIn) -> SignedIn:
        """The same person, with the roles that they have now. Raises SignInError if it no longer holds."""
        tokens = await self.provider.tokens(grant_type="refresh_token", refresh_token=before.refresh_token)
        if not tokens.id_token:
            # A provider need not give a new one; who it is stays, and what they may is asked.
            claims = dict(await self.provider.userinfo(tokens.access_token))
            if not claims:
                raise SignInError("The provider no longer says who you are. Sign in again.")
            after = self._of_claims(claims, tokens, before.id_token)
        else:
            after = await self._signed_in(tokens, None)
        if after.person.subject != before.person.subject:
            raise SignInError("The provider says that you are somebody else. Sign in again.")
        # One that is not replaced stays good.
        return SignedIn(after.person, after.roles, after.refresh_token or before.refresh_token, after.id_token)

    async def sign_out_url(self, of: SignedIn) -> str:
        """Where the session at the provider ends, "" if it has no such. Raises SignInError."""
        discovery = await self.provider.discovery()
        if not discovery.end_session_endpoint:
            return ""
        query = {
            "id_token_hint": of.id_token,
            "client_id": self._settings.sign_in_client_id,
            "post_logout_redirect_uri": f"{self._settings.public_url}/login",
        }
        joint = "&" if "?" in discovery.end_session_endpoint else "?"
        return f"{discovery.end_session_endpoint}{joint}{urlencode(query)}"

    @property
    def _callback(self) -> str:
        return self._settings.public_url + CALLBACK

    async def _signed_in(self, tokens: Tokens, nonce: str | None) -> SignedIn:
        settings = self._settings
        key = await self.provider.key(*id_token.header(tokens.id_token))
        claims = id_token.verified(tokens.id_token, key, settings.sign_in_issuer, settings.sign_in_client_id, nonce)
        if not id_token.has_groups(claims, settings.sign_in_groups_claim):
            # Some providers keep the ID token small.
            more = await self.provider.userinfo(tokens.access_token)
            if more.get("sub") == claims["sub"]:
                claims = {**more, **claims}
        return self._of_claims(claims, tokens, tokens.id_token)

    def _of_claims(self, claims: dict[str, object], tokens: Tokens, hint: str) -> SignedIn:
        settings = self._settings
        person = id_token.person(
            claims, settings.sign_in_issuer, settings.sign_in_groups_claim, settings.sign_in_name_claim
        )
        roles = by_groups(person.groups, settings.sign_in_roles)
        if not roles and not id_token.has_groups(claims, settings.sign_in_groups_claim):
            raise SignInError(
                f"The provider says nothing of your groups (claim {settings.sign_in_groups_claim}), so that you have "
                "no role here. Its administrator has to add the claim, or the scope that it is in."
            )
        if not roles:
            raise SignInError("None of your groups has a role here. Ask an administrator of this collector for one.")
        return SignedIn(person, roles, tokens.refresh_token, hint)


def _only(query: QueryParams, name: str) -> str:
    """A parameter that is there once, "" otherwise: two would be read differently by different readers."""
    found = query.getlist(name)
    return found[0] if len(found) == 1 and len(found[0]) <= 8192 else ""
