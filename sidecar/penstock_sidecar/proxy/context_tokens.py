"""Verifying contexts: tokens that name, for one transaction, the person whom a session acts for.

They are verified like those that open sessions (`tokens.py`), and bound more tightly, since an application sends many
of them, and a log may hold one: to an audience of their own, to minutes, to a pod or service account, to one use.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from penstock_core.identity import Identity, Workload
from penstock_core.token_claims import value
from penstock_core.token_issuers import ContextSettings
from penstock_sidecar.proxy.claims import identity
from penstock_sidecar.proxy.issuers import Issuer, TokenError
from penstock_sidecar.proxy.tokens import Proof, TokenVerifier

# How many tokens that were used, and have not expired, are remembered: some 20 MB. Beyond, none is accepted.
MOST_USED = 100_000
_LONGEST_ID = 256


class ContextVerifier:
    """Verifies contexts of those issuers that are configured for them, among all that are configured."""

    def __init__(self, issuers: Sequence[Issuer], workload: Workload | None, clock_skew: float = 5.0) -> None:
        self._tokens = TokenVerifier(issuers, workload, clock_skew, contexts=True)
        self._workload = workload
        # When those that may be used once expire, and the first of them where there are too many.
        self._used: dict[bytes, float] = {}
        self._first = 0.0

    async def verify(self, token: str, own: Identity) -> Proof:
        """Who a session with an identity of its `own` is within that context. Raises TokenError."""
        found = await self._tokens.verified(token)
        claims, issuer = found.claims, found.issuer
        terms = issuer.context or ContextSettings()
        if "act" in claims:
            raise TokenError("the token names an agent (claim act)", "get one that names the person alone")
        person = identity(claims, issuer, None).principal
        if person is None or person.kind != "person":
            raise TokenError("the token names no person", "get one for the person whom the transaction is for")
        _check_lifetime(claims, terms)
        self._check_bounds(claims, terms)
        try:
            acting = own.acting_for(person)
        except ValueError as error:
            raise TokenError(f"this session can't act for others ({error})", "open one of the application's") from None
        if terms.single_use:
            self._use(claims, found.expires)
        return Proof(acting, found.expires)

    def _check_bounds(self, claims: Mapping[str, Any], terms: ContextSettings) -> None:
        """What binds the token to a pod or a service account has to be this gate's own."""
        own = self._workload
        pods = [] if own is None or not own.pod_uid else [own.pod_uid]
        names = [] if own is None else [f"{own.namespace}/{own.service_account}"]
        names += [f"system:serviceaccount:{name.replace('/', ':')}" for name in names]
        for kind, claim, mine in (
            ("podUid", terms.pod_uid_claim, pods), ("serviceAccount", terms.service_account_claim, names),
        ):  # fmt: skip
            said = value(claims, claim)
            if said is None and kind in terms.bound_to:
                raise TokenError(f"the token lacks the claim {claim}", "have the issuer bind it to the gate's pod")
            if said is not None and said not in mine:
                raise TokenError(
                    f"the token is bound to another pod or service account (claim {claim})",
                    "get one for this pod's transactions",
                )

    def _use(self, claims: Mapping[str, Any], expires: float) -> None:
        """Remember that it was used; nothing comes between the look and the note."""
        found = claims.get("jti")
        if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_ID:
            raise TokenError(
                f"the token lacks an id of at most {_LONGEST_ID} characters (claim jti), so that it can't be used once",
                "have the issuer give each token a jti, or leave singleUse out",
            )
        now = time.time()
        if len(self._used) >= MOST_USED and now >= self._first:
            self._used = {one: until for one, until in self._used.items() if until > now}
            self._first = min(self._used.values(), default=0.0)
        if len(self._used) >= MOST_USED:
            raise TokenError(
                "too many contexts were used that have not expired", "have the issuer let them expire sooner"
            )
        key = hashlib.sha256(f"{claims['iss']}\x00{found}".encode()).digest()[:16]
        if self._used.get(key, 0.0) > now:
            raise TokenError("the token was used before (claim jti)", "get a new one for each transaction")
        self._used[key] = expires


def _check_lifetime(claims: Mapping[str, Any], terms: ContextSettings) -> None:
    """A context lives for minutes, whoever has it."""
    issued = claims.get("iat")
    if not isinstance(issued, int | float) or isinstance(issued, bool):
        raise TokenError("the token does not say when it was issued (claim iat)", "have the issuer say so")
    if int(claims["exp"]) - issued > terms.max_lifetime_seconds:
        raise TokenError(
            f"the token lives for more than {terms.max_lifetime_seconds} s (claims iat and exp)",
            "have the issuer shorten it, or the gate's maxLifetimeSeconds be raised",
        )
