"""Identities as people write them on a command line: `sa:shop/web`, `person:ada,dpo@https://login.example`.

What policies make of an identity is `penstock_core.policy`'s; here nothing is proved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args
from urllib.parse import unquote

from penstock_core.identity import Identity, Principal, PrincipalKind, Workload

FORMS = "sa:NAMESPACE/NAME or person:SUBJECT[,GROUP…][@ISSUER] (or agent:…, service:…)"
# Subjects are often addresses with an @ of their own; issuers are URLs.
_ISSUER = re.compile(r"@(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_KUBERNETES_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class IdentityError(ValueError):
    """What was written names no identity; the message is one line."""


def identity(names: Iterable[str]) -> Identity:
    """The identity that some names make: a workload, a principal, a principal in a workload; of an agent and somebody
    else, an agent that acts for them.
    """
    workload: Workload | None = None
    principals: list[Principal] = []
    for name in names:
        kind, colon, rest = name.partition(":")
        if kind == "sa" and colon:
            if workload is not None:
                raise IdentityError(f"{name}: there is one service account already")
            workload = _workload(name, rest)
        elif colon and (known := next((one for one in get_args(PrincipalKind) if one == kind), None)):
            if same := [one for one in principals if (one.kind == "agent") == (known == "agent")]:
                raise IdentityError(f"{name}: there is one {same[0].kind} already")
            principals.append(_principal(name, known, rest))
        else:
            raise IdentityError(f"{name or 'an empty name'}: is not an identity; write {FORMS}")
    # The agent first: whoever else was named is whom it acts for.
    principals.sort(key=lambda one: one.kind != "agent")
    return Identity(workload, principals[0] if principals else None, tuple(principals[1:]))


def within_context(own: Identity, name: str) -> Identity:
    """The identity within a transaction whose context names that person."""
    person = identity([name]).principal
    if person is None:
        raise IdentityError(f"{name}: a context names a person: person:SUBJECT[,GROUP…][@ISSUER]")
    try:
        return own.acting_for(person)
    except ValueError as error:
        raise IdentityError(f"{name}: {error}") from None


def _workload(name: str, rest: str) -> Workload:
    namespace, slash, account = rest.partition("/")
    if not (slash and _KUBERNETES_NAME.fullmatch(namespace) and _KUBERNETES_NAME.fullmatch(account)):
        raise IdentityError(f"{name}: a service account is written sa:NAMESPACE/NAME, such as sa:shop/web")
    return Workload(namespace, account)


def _principal(name: str, kind: PrincipalKind, rest: str) -> Principal:
    names, issuer = rest, ""
    if issuers := list(_ISSUER.finditer(rest)):
        # The last one: an issuer holds no other URL, a subject may.
        names, issuer = rest[: issuers[-1].start()], rest[issuers[-1].end() :]
    subject, *groups = names.split(",")
    if not subject or not all(groups):
        raise IdentityError(f"{name}: a {kind} is written {kind}:SUBJECT[,GROUP…][@ISSUER], no part of it empty")
    if _ESCAPE.search(rest):
        raise IdentityError(f"{name}: a % stands only before two hexadecimal digits; write %25 for the sign itself")
    return Principal(kind, unquote(subject), unquote(issuer), tuple(map(unquote, groups)))
