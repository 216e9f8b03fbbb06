"""Requests for approval as a person has them from the Kubernetes API, by the credentials of their kubeconfig.

Who may decide is the API server's to say; what can be told before it is asked is told. What doesn't belong: printing
(`request_view.py`), options (`kubectl.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
import yaml
from kubernetes import client, config
from kubernetes.config import ConfigException
from pydantic import ValidationError

from penstock_cli.failures import Unusable
from penstock_collector.approvals import wording
from penstock_collector.approvals.comment import checked
from penstock_core.approvals.four_eyes import Approver, objection
from penstock_core.approvals.kubernetes_user import KubernetesUser, approver
from penstock_core.approvals.standing import Decision, NotPossibleError, Standing, decided, standing
from penstock_core.resources.access_request import AccessRequest, AccessRequestStatus

Json = dict[str, Any]
_GROUP = "/apis/penstock.dev/v1alpha1"
_WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_PAGE = "500"
_SECONDS = 30
# What the API server puts before the words of an admission policy.
_BEFORE_WORDS = "denied request: "


@dataclass(frozen=True, slots=True)
class Where:
    """The cluster: which kubeconfig and context of it, and the namespace; None: as kubectl takes them."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A request as the API server has it, and its time then."""

    request: AccessRequest
    made: str
    now: datetime

    def document(self, who: Approver) -> Json:
        """As `request_view.py` shows it, and JSON has it."""
        spec = self.request.spec
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
            "sql": spec.statement.sql,
            "settings": {one.name: one.value for one in spec.statement.settings},
            "parameters": spec.statement.parameters_digest is not None,
            **wording.became(self.request.status or AccessRequestStatus()),
            "objection": objection(spec, who) if at is Standing.WAITING else "",
            "command": f"kubectl penstock approve -n {self.request.namespace} {self.request.name}",
        }


class ClusterRequests:
    """The API server, as one person."""

    def __init__(self, where: Where) -> None:
        """Raises Unusable if there is no kubeconfig, or nothing in it that can be used."""
        file = None if where.kubeconfig is None else str(where.kubeconfig)
        try:
            loaded = client.Configuration()
            config.load_kube_config(file, where.context, client_configuration=loaded)  # type: ignore[no-untyped-call]
            contexts, current = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, ValueError, TypeError, LookupError, yaml.YAMLError) as error:
            raise Unusable(f"no kubeconfig that can be used: {' '.join(str(error).split())[:300]}") from None
        chosen = next((one for one in contexts if one["name"] == where.context), current)
        self.namespace = where.namespace or chosen["context"].get("namespace") or "default"
        loaded.retries = False
        self._api = client.ApiClient(loaded)

    def whoami(self) -> Approver:
        """Who we are to the API server."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        said, _ = self._call("POST", _WHOAMI, body)
        user = (said.get("status") or {}).get("userInfo") or {}
        known = KubernetesUser(
            str(user.get("username", "")),
            frozenset(user.get("groups") or ()),
            str(user.get("uid", "")),
            user.get("extra") or {},
        )
        # What comes before names of people is the API server's to know; it is asked at last.
        return approver(known, ())

    def all(self, *, everywhere: bool) -> list[Found]:
        """Those of the namespace, or of all; latest first."""
        path = f"{_GROUP}/accessrequests" if everywhere else self._path()
        found, more = [], ""
        while True:
            query = f"limit={_PAGE}" + (f"&continue={quote(more, safe='')}" if more else "")
            said, now = self._call("GET", f"{path}?{query}")
            found += list(_read(said.get("items") or (), now))
            more = (said.get("metadata") or {}).get("continue") or ""
            if not more:
                return sorted(found, key=lambda one: (one.made, one.request.name), reverse=True)

    def one(self, name: str) -> Found:
        """Raises Unusable if it is not there."""
        said, now = self._call("GET", self._path(name))
        for found in _read([said], now):
            return found
        raise Unusable(f"the request {name} is not of a version that this program knows; use the cluster's own")

    def decide(self, name: str, decision: Decision, comment: str) -> Found:
        """Write the decision, of what the request is now. Raises Unusable with the reason if that is not possible."""
        found = self.one(name)
        who = self.whoami()
        try:
            status = decided(found.request, who, decision, checked(comment, decision), found.now)
        except NotPossibleError as error:
            raise Unusable(str(error)) from None
        written = {
            "decision": status.decision,
            "decidedBy": status.decided_by,
            "decidedAt": status.decided_at,
            **({"comment": status.comment} if status.comment else {}),
        }
        body = {"metadata": {"resourceVersion": found.request.metadata.resource_version}, "status": written}
        said, now = self._call("PATCH", f"{self._path(name)}/status", body)
        return next(_read([said], now), found)

    def _path(self, name: str = "") -> str:
        path = f"{_GROUP}/namespaces/{quote(self.namespace, safe='')}/accessrequests"
        return f"{path}/{quote(name, safe='')}" if name else path

    def _call(self, method: str, path: str, body: Json | None = None) -> tuple[Json, datetime]:
        """The answer, and the server's time. Raises Unusable."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": "application/json", "Content-Type": kind}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        try:
            answer = self._api.rest_client.pool_manager.request(
                method,
                self._api.configuration.host + path,
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=urllib3.Timeout(_SECONDS),
                retries=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unusable(f"the API server can't be reached: {' '.join(str(error).split())[:300]}") from None
        said = _document(answer.data)
        if answer.status >= 400:
            raise Unusable(_why(answer.status, said))
        return said, _time(answer.headers.get("Date"))


def _read(items: Any, now: datetime) -> Iterator[Found]:
    """Those of a version that we know."""
    for item in items:
        metadata = item.get("metadata") or {}
        try:
            request = AccessRequest.model_validate(
                {name: value for name, value in item.items() if name in ("metadata", "spec", "status")}
            )
        except ValidationError:
            continue
        yield Found(request, str(metadata.get("creationTimestamp", "")), now)


def _document(data: bytes) -> Json:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        said = None
    return said if isinstance(said, dict) else {}


def _why(status: int, said: Json) -> str:
    message = " ".join(str(said.get("message") or f"the API server answers {status}").split())
    if status == 409:
        return "the request was changed meanwhile; look at it again"
    return message.partition(_BEFORE_WORDS)[2] or message


def _time(date: str | None) -> datetime:
    """By the server's clock: a laptop's may be wrong, and decisions are dated by it."""
    try:
        return parsedate_to_datetime(date or "").astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)
