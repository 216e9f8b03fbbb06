"""Requests for approval as a person has them from the Kubernetes API, by the credentials of their kubeconfig.

Who may decide is the API server's to say; what can be told before it is asked is told. What doesn't belong: printing
(`request_view.py`), options (`kubectl.py`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from penstock_cli.cluster.api import ClusterApi
from penstock_cli.failures import Unusable
from penstock_collector.approvals import wording
from penstock_collector.approvals.comment import checked
from penstock_core.approvals import kubernetes_request
from penstock_core.approvals.access import AskingAccess, access_spec, answer_access, overdue, reviewed
from penstock_core.approvals.asking import Refuse
from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.approvals.kubernetes_request import GROUP
from penstock_core.approvals.kubernetes_user import approver
from penstock_core.approvals.other_rules import of_other_rules
from penstock_core.approvals.standing import Decision, NotPossibleError, Standing, decided, moment, standing, written
from penstock_core.bodies import first_trouble
from penstock_core.resources import DatabaseAccessPolicy, ResourceError, parse
from penstock_core.resources.access_request import AccessRequestStatus
from penstock_core.resources.grant import Offer
from penstock_core.resources.model import API_VERSION

Json = dict[str, Any]
# What is told of the request of another rule.
_OF_ANOTHER_RULE = ("name", "policy", "approval", "approvers", "standing", "decidedBy")


class Found(kubernetes_request.Found):
    """A request as the API server has it, and its time then."""

    __slots__ = ()

    def document(self, who: Approver) -> Json:
        """As `request_view.py` shows it, and JSON has it."""
        spec, statement = self.request.spec, self.request.spec.statement
        at = standing(self.request, self.now)
        return {
            "name": self.request.name,
            "standing": at.value,
            "madeAt": self.made,
            "expiresAt": spec.expires_at,
            **wording.asked(self.request),
            "effect": json.loads(spec.effect.model_dump_json(exclude_none=True)),
            "reason": spec.reason or "",
            # As an object, a request goes as a whole.
            "textDeleted": False,
            "sql": None if statement is None else statement.sql,
            "settings": {} if statement is None else {one.name: one.value for one in statement.settings},
            "parameters": statement is not None and statement.parameters_digest is not None,
            **wording.became(self.request.status or AccessRequestStatus()),
            "objection": objection(spec, who) if at in (Standing.WAITING, Standing.UNREVIEWED) else "",
            "overdue": overdue(self.request, self.now),
            "commands": f"kubectl penstock {{step}} -n {self.request.namespace} {self.request.name}",
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for."""

    policy: str
    duration: str
    reason: str
    break_glass: bool = False
    # By which name and by whose token gates know them; None: as the API server does, where that can be told.
    subject: str | None = None
    issuer: str | None = None


class ClusterRequests:
    """The API server, as one person."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self.namespace = api.namespace

    def whoami(self) -> Approver:
        """Who we are to the API server."""
        # What comes before names of people is the API server's to know; it is asked at last.
        return approver(self._api.user(), ())

    def all(self, *, everywhere: bool) -> list[Found]:
        """Those of the namespace, or of all; latest first."""
        path = f"{GROUP}/accessrequests" if everywhere else self._path()
        objects, now = self._api.all(path)
        return sorted(_read(objects, now), key=lambda one: (one.made, one.request.name), reverse=True)

    def one(self, name: str) -> Found:
        """Raises Unusable if it is not there."""
        said, now = self._api.call("GET", self._path(name))
        for found in _read([said], now):
            return found
        raise Unusable(f"the request {name} is not of a version that this program knows; use the cluster's own")

    def of_other_rules(self, found: Found, who: Approver) -> list[Json]:
        """Those of other rules that hold the same statement; none where we may not list requests."""
        if found.request.spec.statement is None:
            return []
        try:
            others = self.all(everywhere=False)
        except Unusable:
            return []
        beside = [(one.request.spec, _moment(one), one) for one in others if one.request.name != found.request.name]
        there = (one.document(who) for one in of_other_rules(found.request.spec, _moment(found), beside))
        return [{name: one[name] for name in _OF_ANOTHER_RULE} for one in there]

    def decide(self, name: str, decision: Decision, comment: str, lasts: str = "") -> Found:
        """Write the decision, of what the request is now. Raises Unusable with the reason if that is not possible."""
        found = self.one(name)
        who = self.whoami()
        try:
            status = decided(found.request, who, decision, checked(comment, decision), found.now, lasts)
        except NotPossibleError as error:
            raise Unusable(str(error)) from None
        return self._write(found, kubernetes_request.decision(status))

    def end(self, name: str) -> Found:
        """Write that access ends now. Who may only end their own can't read requests, so that it is not read before."""
        who = self.whoami()
        _, now = self._api.call("GET", "/version")
        body = {"status": {"endedAt": written(now), "endedBy": who.name}}
        said, now = self._api.call("PATCH", f"{self._path(name)}/status", body)
        return self._only(name, said, now)

    def review(self, name: str, comment: str) -> Found:
        """Write the review of an emergency. Raises Unusable with the reason if that is not possible."""
        found = self.one(name)
        who = self.whoami()
        try:
            status = reviewed(found.request, who, checked(comment, "approved"), found.now)
        except NotPossibleError as error:
            raise Unusable(str(error)) from None
        said = {"reviewedAt": status.reviewed_at, "reviewedBy": status.reviewed_by, "review": status.review}
        return self._write(found, said)

    def ask(self, wish: Wish) -> Found:
        """Make a request for access for a time. Raises Unusable with the reason if that is not possible."""
        policy, now = self._policy(wish.policy)
        asking = _asking(wish, policy, self.whoami())
        offer = Offer.of(policy)
        answer = answer_access(asking, offer, self.namespace, (), now)
        if isinstance(answer, Refuse):
            raise Unusable(answer.why)
        spec = access_spec(asking, offer, now).model_dump(mode="json", by_alias=True, exclude_none=True)
        body = {
            "apiVersion": API_VERSION,
            "kind": "AccessRequest",
            "metadata": {
                "generateName": "r-",
                "labels": {"penstock.dev/database": asking.database_ref.name, "penstock.dev/policy": policy.name},
            },
            "spec": spec,
        }
        said, now = self._api.call("POST", self._path(), body)
        return self._only(policy.name, said, now)

    def _policy(self, name: str) -> tuple[DatabaseAccessPolicy, datetime]:
        path = f"{GROUP}/namespaces/{quote(self.namespace, safe='')}/databaseaccesspolicies/{quote(name, safe='')}"
        said, now = self._api.call("GET", path)
        try:
            found = parse({name: value for name, value in said.items() if name != "status"})
        except ResourceError as error:
            raise Unusable(f"the policy {name} can't be read: {error.problems[0]}") from None
        if not isinstance(found, DatabaseAccessPolicy):
            raise Unusable(f"{name} is no policy")
        return found, now

    def _write(self, found: Found, status: Json) -> Found:
        """Bound to the version that was read."""
        body = kubernetes_request.patch(found, status)
        said, now = self._api.call("PATCH", f"{self._path(found.request.name)}/status", body)
        return next(_read([said], now), found)

    def _only(self, name: str, said: Json, now: datetime) -> Found:
        for found in _read([said], now):
            return found
        raise Unusable(f"{name} is not of a version that this program knows; use the cluster's own")

    def _path(self, name: str = "") -> str:
        path = f"{GROUP}/namespaces/{quote(self.namespace, safe='')}/accessrequests"
        return f"{path}/{quote(name, safe='')}" if name else path


def _asking(wish: Wish, policy: DatabaseAccessPolicy, who: Approver) -> AskingAccess:
    """Raises Unusable."""
    before, hash_, own = who.name.rpartition("#")
    issuers = {one.identity.issuer for one in policy.spec.subjects if one.identity is not None and one.identity.issuer}
    # An issuer stands in the user's name where the API server puts it there; else a policy may name one.
    issuer = (
        wish.issuer or (before if hash_ and "://" in before else "") or (issuers.pop() if len(issuers) == 1 else "")
    )
    if not issuer:
        raise Unusable("say whose tokens gates know you by: --issuer, the token's iss")
    try:
        return AskingAccess.model_validate(
            {
                "databaseRef": {"name": policy.spec.database_ref.name},
                "policy": policy.name,
                "duration": wish.duration,
                "reason": wish.reason,
                "breakGlass": wish.break_glass,
                "requester": {
                    "principal": {
                        "kind": "person",
                        "subject": wish.subject or own,
                        "issuer": issuer,
                        "groups": sorted(who.groups),
                    }
                },
                "nonce": secrets.token_hex(16),
            }
        )
    except ValidationError as error:
        raise Unusable(first_trouble(error)) from None


def _read(items: Any, now: datetime) -> Iterator[Found]:
    """Those of a version that we know."""
    for item in items:
        if (one := kubernetes_request.read(item, now)) is not None:
            yield Found(one.request, one.made, one.now)


def _moment(found: Found) -> float:
    """When it was made, in seconds since 1970; 0 where the API server does not say."""
    return moment(found.made).timestamp() if found.made else 0.0
