"""Gates that ask for access for their clients, `POST /v1/streams/{owner}/access/requests`, and what is made of it.

Agents and pods ask so; people may as well ask the API server. What doesn't belong: what comes to a grant
(`access_grants.py`), statements that are held (`requests_holder.py`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Literal

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from penstock_core.approvals.access import AskingAccess, access_spec, answer_access
from penstock_core.approvals.asking import MOST_BODY_BYTES, Answered, Refuse, Tell
from penstock_core.approvals.room import no_room, parties
from penstock_core.approvals.standing import Standing, standing
from penstock_core.policy.access import grantee
from penstock_core.resources.access_request import AccessRequest, AccessRequestSpec
from penstock_core.resources.grant import Offer
from penstock_core.resources.model import API_VERSION
from penstock_core.token_review import Pod
from penstock_operator.cluster.api import Api, ApiError
from penstock_operator.cluster.watch import Json
from penstock_operator.control.callers import CallerError, TooLargeError, body_of, caller_of, problem
from penstock_operator.control.gated_databases import GatedDatabases
from penstock_operator.control.kept_requests import KeptRequests
from penstock_operator.control.policies import Policies
from penstock_operator.control.request_objects import name_of, path_of
from penstock_operator.control.requests_guard import RequestsGuard
from penstock_operator.control.requests_holder import MOST_UNDECIDED_OF_AN_ACCOUNT, MOST_WAITING_OF_AN_ACCOUNT
from penstock_operator.control.tokens import Tokens

# Others at work on the same request: another replica.
_TRIES = 8
_SAID: dict[Standing, Literal["granted", "waiting", "denied"]] = {
    Standing.IN_EFFECT: "granted",
    Standing.WAITING: "waiting",
    Standing.DENIED: "denied",
}
_log = structlog.get_logger(__name__)


class UnavailableError(Exception):
    """Nothing can be said now; the text says why."""


class AccessAsker:
    """Makes requests for access, of what the policies offer."""

    def __init__(
        self, api: Api, policies: Policies, kept: KeptRequests, guard: RequestsGuard, now: Callable[[], datetime]
    ) -> None:
        self._api = api
        self._policies = policies
        self._kept = kept
        self._guard = guard
        self._now = now

    async def ask(self, pod: Pod, asking: AskingAccess) -> Answered:
        """May this policy be in effect for that client? Raises UnavailableError."""
        lacking = [*self._policies.lacking, *self._kept.lacking]
        if lacking or self._guard.trouble:
            raise UnavailableError(self._guard.trouble or f"not ready: waiting for {', '.join(lacking)}")
        workload = asking.requester.workload
        if workload is None or Pod(workload.namespace, workload.service_account, workload.pod, workload.pod_uid) != pod:
            return _refused(f"a pod asks for itself alone; this token is {pod.namespace}/{pod.name}'s")
        bundle = self._policies.bundle(pod.namespace, asking.database_ref.name)
        policies = () if bundle is None else bundle.policies
        policy = next((one for one in policies if one.name == asking.policy and one.spec.by_request), None)
        offer = None if policy is None else Offer.of(policy)
        for _ in range(_TRIES):
            known = self._theirs(pod.namespace, asking)
            match answer_access(asking, offer, pod.namespace, known, self._now()):
                case Refuse(why):
                    return _refused(why)
                case Tell(request):
                    return Answered.of(request, _SAID[standing(request, self._now())])
            if offer is None:
                break
            if not asking.break_glass and (why := self._too_many(pod, asking)):
                return _refused(why)
            if (made := await self._make(pod.namespace, asking, offer)) is not None:
                return made
        raise UnavailableError("others are at work on this request; ask again in a moment")

    def _theirs(self, namespace: str, asking: AskingAccess) -> list[AccessRequest]:
        mine = grantee(asking.requester)
        found = [one for one in self._kept.all() if one.request.namespace == namespace]
        found = [one for one in found if one.request.spec.access and grantee(one.request.spec.requester) == mine]
        return [one.request for one in sorted(found, key=lambda one: (one.created, one.request.name))]

    def _too_many(self, pod: Pod, asking: AskingAccess) -> str:
        """Why no more requests are made for this client; an emergency is bounded by its reviews."""
        account = (pod.namespace, pod.service_account)
        undecided = [one.request for one in self._kept.of_account(account) if not one.decided]
        waiting = [one for one in undecided if standing(one, self._now()) is Standing.WAITING]
        if trouble := no_room(asking.requester, (parties(one.spec.requester) for one in waiting), 1):
            return trouble
        if trouble := no_room(asking.requester, (parties(one.spec.requester) for one in undecided), 1, "undecided"):
            return trouble
        if len(waiting) >= MOST_WAITING_OF_AN_ACCOUNT or len(undecided) >= MOST_UNDECIDED_OF_AN_ACCOUNT:
            return (
                f"{len(undecided)} requests of service account {pod.service_account} were not decided; ask in an hour"
            )
        return ""

    async def _make(self, namespace: str, asking: AskingAccess, offer: Offer) -> Answered | None:
        """None if another request has the name: it is known then."""
        spec = access_spec(asking, offer, self._now())
        whose = json.dumps(
            [grantee(asking.requester), asking.database_ref.name, offer.policy_digest, asking.break_glass]
        )
        digest = hashlib.sha256(whose.encode()).hexdigest()
        name = name_of(digest, "")
        while self._kept.get(namespace, name) is not None:
            name = name_of(digest, name)
        try:
            made = await self._api.create(path_of(namespace), _document(name, namespace, spec))
        except ApiError as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                _log.warning("access could not be asked for", problem=str(refusal))
                raise UnavailableError(f"requests can't be kept now: {refusal}") from refusal
            self._kept.put(await self._api.get(path_of(namespace, name)))
            return None
        kept = self._kept.put(made)
        if kept is None:
            raise UnavailableError("the API server answered with something other than the request")
        _log.info(
            "access asked for", request=name, namespace=namespace, policy=offer.policy, emergency=asking.break_glass
        )
        return Answered.of(kept.request, "granted" if asking.break_glass else "waiting")


def _document(name: str, namespace: str, spec: AccessRequestSpec) -> Json:
    labels = {
        "app.kubernetes.io/managed-by": "penstock-control",
        "penstock.dev/database": spec.database_ref.name,
        "penstock.dev/policy": spec.policy,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "AccessRequest",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {key: value for key, value in labels.items() if len(value) <= 63},
        },
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def _refused(why: str) -> Answered:
    return Answered(standing="refused", comment=why)


class AskedAccess:
    """The call."""

    def __init__(self, asker: AccessAsker, tokens: Tokens, gated: GatedDatabases) -> None:
        self._asker = asker
        self._tokens = tokens
        self._gated = gated

    async def post(self, request: Request) -> Response:
        """An `AskingAccess`, which is answered with an `Answered`."""
        try:
            pod = await caller_of(request, self._tokens)
            if request.path_params["owner"] != pod.uid:
                return problem(403, "a pod asks for itself alone: its uid is the owner")
            asking = AskingAccess.read(await body_of(request, MOST_BODY_BYTES))
            await self._gated.refuse_others(pod, asking.database_ref.name)
            answered = await self._asker.ask(pod, asking)
        except TooLargeError:
            return problem(413, f"a request is at most {MOST_BODY_BYTES} bytes")
        except ClientDisconnect:
            return problem(400, "the request ended early")
        except CallerError as refusal:
            return problem(refusal.status, str(refusal))
        except UnavailableError as refusal:
            return problem(503, str(refusal))
        except ValueError as refusal:
            return problem(400, str(refusal))
        document = answered.model_dump(mode="json", exclude_none=True)
        return JSONResponse(document, headers={"Cache-Control": "no-store"})
