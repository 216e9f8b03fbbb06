"""Which pod a bearer token belongs to, as a TokenReview of the API server tells, and for how long that is believed.

What doesn't belong: asking the API server (`penstock_operator.control.tokens`, `penstock_collector.auth.kubernetes`).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_POD_NAME = "authentication.kubernetes.io/pod-name"
_POD_UID = "authentication.kubernetes.io/pod-uid"
# A deleted pod's token is worthless to the API server at once, and here after this many seconds.
KEPT_SECONDS = 60.0
# What was refused is asked about again soon, but not as often as somebody cares to send it.
REFUSAL_KEPT_SECONDS = 5.0
_MOST_KEPT = 10_000


class NoReview(ValueError):
    """The API server's answer is not a TokenReview."""


@dataclass(frozen=True, slots=True)
class Pod:
    """The pod that a token was issued to."""

    namespace: str
    service_account: str
    name: str
    uid: str


def request(token: str, audience: str) -> dict[str, Any]:
    """The TokenReview to create."""
    return {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": [audience]},
    }


def proven(answer: object, audience: str) -> Pod | None:
    """The pod that the answer vouches for, if the token is good for the audience and bound to one. Raises NoReview."""
    status = answer.get("status") if isinstance(answer, Mapping) else None
    if not isinstance(status, Mapping):
        raise NoReview("the API server's answer is not a TokenReview")
    audiences, user = status.get("audiences"), status.get("user")
    if status.get("authenticated") is not True or not isinstance(audiences, list) or audience not in audiences:
        return None
    extra = user.get("extra") if isinstance(user, Mapping) else None
    if not isinstance(user, Mapping) or not isinstance(extra, Mapping):
        return None
    parts = str(user.get("username", "")).split(":")
    name, uid = _only(extra.get(_POD_NAME)), _only(extra.get(_POD_UID))
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not (name and uid):
        return None
    return Pod(parts[2], parts[3], name, uid)


def _only(values: object) -> str:
    """The one value; empty where there is another number of them."""
    return str(values[0]) if isinstance(values, list) and len(values) == 1 else ""


class Reviewed:
    """What was found out about tokens, for a short while."""

    def __init__(self) -> None:
        # By hash, so that a dump of the memory holds no token.
        self._known: OrderedDict[bytes, tuple[float, Pod | None]] = OrderedDict()

    def known(self, token: str, now: float) -> tuple[Pod | None] | None:
        """What is known of it; None where it has to be asked about."""
        until, pod = self._known.get(_fingerprint(token), (0.0, None))
        return (pod,) if now < until else None

    def keep(self, token: str, pod: Pod | None, now: float) -> None:
        """It was asked about."""
        key = _fingerprint(token)
        self._known[key] = (now + (KEPT_SECONDS if pod else REFUSAL_KEPT_SECONDS), pod)
        self._known.move_to_end(key)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)


def _fingerprint(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
