"""The decision on one pod: let it pass, give it the sidecar, or refuse it in words its author can act on.

What doesn't belong: HTTP, and what the sidecar looks like (`sidecar.py`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlsplit

from penstock_core.identity import Identity, Workload
from penstock_core.policy.subjects import is_for
from penstock_core.resources import Bundle, Database
from penstock_operator.inject import annotations as wishes
from penstock_operator.inject import environment, isolation, sidecar
from penstock_operator.inject.annotations import InjectionRequest, Refusal
from penstock_operator.inject.bounds import refuse_crowded_pod
from penstock_operator.inject.patch import Json, Patch
from penstock_operator.inject.same_container import is_same_container, is_same_volume
from penstock_operator.inject.sidecar import DatabaseSecrets, Shape

# Their containers set the pod's network up, so the sidecar comes after them; all others may need the database.
MESH_CONTAINERS = frozenset({"istio-init", "istio-validation", "istio-proxy", "linkerd-init", "linkerd-proxy"})
# The API server cuts longer warnings off.
_WARNING_LENGTH = 240
# It drops what is beyond some thousand characters of them.
_MOST_WARNINGS = 20


class BadReview(Exception):
    """What was sent is not an AdmissionReview of a pod."""


class Lookup(Protocol):
    """The resources as they stand now."""

    def databases(self, namespace: str) -> Sequence[str]:
        """Names of the namespace's Databases, sorted."""

    def bundle(self, namespace: str, database: str) -> Bundle | None:
        """A Database with the policies for it, or None where there is none."""


# Of a pod that says nothing.
_DEFAULT_END_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Request:
    """What of an AdmissionReview counts here. A pod at CREATE often has no namespace of its own yet."""

    uid: str
    namespace: str
    pod: Json


def admit(review: object, lookup: Lookup, shape: Shape) -> Json:
    """The AdmissionReview to answer with, for a pod that is made. Raises BadReview."""
    request = read_review(review)
    response: Json = {"uid": request.uid, "allowed": True}
    try:
        operations, warnings = inject(request, lookup, shape)
    except Refusal as refusal:
        return _answer(_refused(response, refusal))
    if operations:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(operations).encode()).decode()
    if warnings:
        response["warnings"] = [f"penstock: {text}"[:_WARNING_LENGTH] for text in _some(warnings)]
    return _answer(response)


def _some(warnings: list[str]) -> list[str]:
    more = len(warnings) - _MOST_WARNINGS
    return warnings if more <= 0 else [*warnings[:_MOST_WARNINGS], f"and {more} more"]


def admit_intrusion(review: object, lookup: Lookup) -> Json:
    """The same for what is done to a running pod that has a sidecar: `kubectl debug`, `exec`, `attach`.

    The webhook's conditions select only what concerns the sidecar. Raises BadReview.
    """
    uid, namespace, given = _opened(review)
    response: Json = {"uid": uid, "allowed": True}
    try:
        if given.get("kind") != "Pod":
            raise Refusal(f"{sidecar.CONTAINER} holds the database's credentials; nobody may enter it")
        request = read_review(review)
        refuse_crowded_pod(request.pod)
        isolation.refuse_debugging(request.pod, _credentials(namespace, lookup))
    except Refusal as refusal:
        _refused(response, refusal)
    return _answer(response)


def _answer(response: Json) -> Json:
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _refused(response: Json, refusal: Refusal) -> Json:
    response["allowed"] = False
    response["status"] = {"code": 403, "reason": "Forbidden", "message": f"penstock: {refusal}"}
    return response


def _opened(review: object) -> tuple[str, str, Json]:
    """Uid, namespace and object of the request inside. Raises BadReview."""
    request = review.get("request") if isinstance(review, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise BadReview("not an AdmissionReview: it has no request with a uid")
    namespace, given = request.get("namespace"), request.get("object")
    if not isinstance(namespace, str) or not namespace or not isinstance(given, dict):
        raise BadReview("not an AdmissionReview of an object in a namespace")
    return request["uid"], namespace, given


def read_review(review: object) -> Request:
    """The request about a pod. Raises BadReview."""
    uid, namespace, pod = _opened(review)
    if pod.get("kind") != "Pod":
        raise BadReview("not an AdmissionReview of a Pod")
    if not isinstance(pod.get("spec"), dict) or not isinstance(pod.get("metadata"), dict):
        raise BadReview("the Pod has no spec or no metadata")
    return Request(uid, namespace, pod)


def inject(request: Request, lookup: Lookup, shape: Shape) -> tuple[list[Json], list[str]]:
    """The patch and the warnings; no operations where nothing is to be done. Raises Refusal."""
    pod = request.pod
    annotations = pod["metadata"].get("annotations") or {}
    wishes.refuse_slips(annotations, pod["metadata"].get("labels") or {})
    if not wishes.wants_sidecar(annotations):
        return [], []
    refuse_crowded_pod(pod)
    wanted = replace(wishes.read(annotations), end_seconds=_end_seconds(pod))
    bundle = _bundle(request.namespace, wanted, lookup)
    upstream = _upstream(bundle.database)
    if not shape.native_sidecars:
        raise Refusal("this cluster is older than Kubernetes 1.29 and has no native sidecars")
    isolation.refuse_sharing(pod)
    _refuse_taken(pod, wanted, shape, upstream)
    isolation.refuse_misleading(pod, _hosts(bundle.database, shape))
    isolation.refuse_reaching(pod, _credentials(request.namespace, lookup))
    account = pod["spec"].get("serviceAccountName") or "default"
    warnings = wishes.unknown(annotations) + _uncovered(bundle, Workload(request.namespace, account))
    patch = Patch(pod)
    kept = _add_sidecar(patch, wanted, shape, upstream)
    if not kept and _injected(pod):
        warnings.append(f"container {sidecar.CONTAINER} was not the one that Penstock makes; it was replaced")
    variables = environment.variables(
        port=wanted.port, user=account, dbname=bundle.database.spec.dbname, url_variable=wanted.url_variable
    )
    warnings += environment.lead_to_sidecar(patch, variables, sidecar.CONTAINER)
    _stamp(patch, pod["metadata"].get("annotations") or {} if kept else {}, shape, bundle.generation)
    return patch.operations, warnings


def _end_seconds(pod: Json) -> int:
    """How long it may take to end; an API server has written it by now, where nobody else has."""
    seconds = pod["spec"].get("terminationGracePeriodSeconds")
    return seconds if isinstance(seconds, int) and seconds >= 0 else _DEFAULT_END_SECONDS


def _bundle(namespace: str, wanted: InjectionRequest, lookup: Lookup) -> Bundle:
    names = lookup.databases(namespace)
    there = f"Databases in the namespace {namespace}: {', '.join(names) or 'none'}"
    if not wanted.database:
        raise Refusal(f"the annotation {wishes.PREFIX}database is missing; {there}")
    bundle = lookup.bundle(namespace, wanted.database)
    if bundle is None and wanted.database in names:
        raise Refusal(f"the Database {wanted.database} is not valid; kubectl describe database {wanted.database}")
    if bundle is None:
        raise Refusal(f"there is no Database {wanted.database}; {there}")
    return bundle


def _upstream(database: Database) -> DatabaseSecrets:
    ca = database.spec.tls.ca_secret_ref
    credentials = database.spec.credentials_secret_ref.name
    if ca is None:
        return DatabaseSecrets(database.name, credentials)
    return DatabaseSecrets(database.name, credentials, ca.name, ca.key)


def _hosts(database: Database, shape: Shape) -> set[str]:
    """Whom the sidecar speaks with."""
    names = (database.spec.host, urlsplit(shape.control_url).hostname, urlsplit(shape.collector_url).hostname)
    return {name.rstrip(".").lower() for name in names if name}


def _credentials(namespace: str, lookup: Lookup) -> dict[str, str]:
    """The Secrets with credentials of the namespace's Databases, and whose they are."""
    bundles = [lookup.bundle(namespace, name) for name in lookup.databases(namespace)]
    databases = [bundle.database for bundle in bundles if bundle is not None]
    return {database.spec.credentials_secret_ref.name: database.name for database in databases}


def _injected(pod: Json) -> bool:
    """Whether this pod says that it was through here before.

    Another webhook may have changed it since, or it is a copy of such a pod, maybe of an older one; or it only says so.
    """
    stamped = wishes.INJECTED_VERSION in (pod["metadata"].get("annotations") or {})
    return stamped and any(map(sidecar.is_ours, pod["spec"].get("initContainers") or []))


def _refuse_taken(pod: Json, wanted: InjectionRequest, shape: Shape, upstream: DatabaseSecrets) -> None:
    """Names and ports that the sidecar needs must be free."""
    if wanted.port == wanted.health_port:
        raise Refusal(f"the annotations ask for port {wanted.port} twice; choose another {wishes.PREFIX}health-port")
    for _, _, container in environment.applications(pod, sidecar.CONTAINER):
        for port in container.get("ports") or []:
            number = port.get("containerPort")
            if number in (wanted.port, wanted.health_port) and port.get("protocol", "TCP") == "TCP":
                which = "port" if number == wanted.port else "health-port"
                raise Refusal(
                    f"container {container.get('name')} has port {number}, which the sidecar would take; "
                    f"set the annotation {wishes.PREFIX}{which} to a free one"
                )
    injected = _injected(pod)
    for kind in (*environment.CONTAINER_LISTS, "ephemeralContainers"):
        if any(map(sidecar.is_ours, pod["spec"].get(kind) or [])) and not (injected and kind == "initContainers"):
            raise Refusal(f"the container name {sidecar.CONTAINER} is reserved for the sidecar; rename that container")
    ours = {volume["name"]: volume for volume in sidecar.volumes(shape, upstream)}
    for volume in pod["spec"].get("volumes") or []:
        name = volume.get("name")
        if name in ours and not injected and not is_same_volume(volume, ours[name]):
            raise Refusal(f"the volume name {name} is reserved for the sidecar; rename that volume")


def _uncovered(bundle: Bundle, workload: Workload) -> list[str]:
    """A warning if no policy is for the pod's service account, nor for people or agents who may come through it."""
    identity = Identity(workload)
    for policy in bundle.policies:
        # Neither who will come through the pod nor what it will be called is known yet.
        others = any(subject.service_account is None for subject in policy.spec.subjects)
        if policy.spec.mode != "revoke" and (others or is_for(policy, identity)):
            return []
    return [
        f"no DatabaseAccessPolicy for the Database {bundle.database.name} is for the service account "
        f"{workload.service_account}; its sessions will be refused"
    ]


def _add_sidecar(patch: Patch, wanted: InjectionRequest, shape: Shape, upstream: DatabaseSecrets) -> bool:
    """Give the pod the sidecar and its volumes; whether it had this very sidecar. What only looks like it is taken out.

    A container under our name with another image, other arguments or other mounts would hold the credentials in our
    place.
    """
    spec = patch.document["spec"]
    for made in sidecar.volumes(shape, upstream):
        there = [volume.get("name") for volume in spec.get("volumes") or []]
        if made["name"] in there:
            place = there.index(made["name"])
            if is_same_volume(spec["volumes"][place], made):
                continue
            patch.remove(place, "spec", "volumes")
        patch.insert(made, len(spec.get("volumes") or []), "spec", "volumes")
    container = sidecar.container(shape, wanted, upstream)
    for place, there in enumerate(spec.get("initContainers") or []):
        if sidecar.is_ours(there):
            if is_same_container(there, container):
                return True
            patch.remove(place, "spec", "initContainers")
            break
    names = [one.get("name") for one in spec.get("initContainers") or []]
    place = max((index + 1 for index, name in enumerate(names) if name in MESH_CONTAINERS), default=0)
    patch.insert(container, place, "spec", "initContainers")
    return False


def _stamp(patch: Patch, kept: Mapping[str, str], shape: Shape, generation: int) -> None:
    """Say on the pod what it was given. A second look keeps the first one's word."""
    stamps = {wishes.INJECTED_VERSION: shape.version, wishes.POLICY_GENERATION: str(generation)}
    for name, value in stamps.items():
        patch.put(kept.get(name, value), "metadata", "annotations", name)
    patch.put("true", "metadata", "labels", wishes.INJECTED_LABEL)
