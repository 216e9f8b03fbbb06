"""The decision on one pod: let it pass, give it the sidecar, or refuse it in words its author can act on.

What doesn't belong: HTTP, and what the sidecar looks like (`sidecar.py`).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

from penstock_core.identity import Identity, Workload
from penstock_core.policy.subjects import is_for
from penstock_core.resources import Bundle, Database
from penstock_operator.inject import (
    admission_review,
    compute,
    detours,
    environment,
    isolation,
    placement,
    sidecar,
    whole_pods,
)
from penstock_operator.inject import annotations as wishes
from penstock_operator.inject.annotations import InjectionRequest, Refusal
from penstock_operator.inject.bounds import refuse_crowded_pod
from penstock_operator.inject.choice import NamespaceDefault, choose
from penstock_operator.inject.patch import Json, Patch
from penstock_operator.inject.same_container import is_same_container, is_same_volume
from penstock_operator.inject.served import Served, served
from penstock_operator.inject.sidecar import DatabaseSecrets, Shape


class Lookup(Protocol):
    """The resources as they stand now."""

    def databases(self, namespace: str) -> Sequence[str]:
        """Names of the namespace's Databases, sorted."""

    def bundle(self, namespace: str, database: str) -> Bundle | None:
        """A Database with the policies for it, or None where there is none."""

    def limit_ranges(self, namespace: str) -> Sequence[Json]:
        """What the namespace lets single containers and pods have."""

    def resource_quotas(self, namespace: str) -> Sequence[Json]:
        """What the namespace lets all its pods have together, and what they have."""

    def labelled_namespace(self, namespace: str) -> Json | None:
        """The metadata of a namespace that has the label by which its pods get a gate; None where it has none."""


# Of a pod that says nothing.
_DEFAULT_END_SECONDS = 30


def admit(review: object, lookup: Lookup, shape: Shape, *, labelled: bool = False) -> Json:
    """The AdmissionReview to answer with, for a pod that is made. Raises BadReview.

    `labelled`: the API server found the label on the namespace. What it knows, we may have yet to be told.
    """
    request = admission_review.read(review)
    pod = request.pod()
    try:
        if labelled and lookup.labelled_namespace(request.namespace) is None:
            raise Refusal(
                f"the label {wishes.INJECT} of the namespace {request.namespace} is so new that its pods can't be "
                "given a gate yet; try again in a moment"
            )
        operations, warnings = inject(pod, request.namespace, lookup, shape)
    except Refusal as refusal:
        return admission_review.refused(request.uid, str(refusal))
    patch: Json = {}
    if operations:
        patch = {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}
    return admission_review.allowed(request.uid, warnings, **patch)


def admit_intrusion(review: object, lookup: Lookup, shape: Shape) -> Json:
    """The same for what is done to a running pod that has a sidecar: `kubectl debug`, `exec`, `attach`.

    The webhook's conditions select only what concerns the sidecar. Raises BadReview.
    """
    request = admission_review.read(review)
    try:
        if request.object.get("kind") != "Pod":
            raise Refusal(f"{sidecar.CONTAINER} holds the database's credentials; nobody may enter it")
        pod = request.pod()
        refuse_crowded_pod(pod)
        isolation.refuse_debugging(pod, _credentials(request.namespace, lookup), shape.host_paths)
    except Refusal as refusal:
        return admission_review.refused(request.uid, str(refusal))
    return admission_review.allowed(request.uid)


def inject(pod: Json, namespace: str, lookup: Lookup, shape: Shape) -> tuple[list[Json], list[str]]:
    """The patch and the warnings; no operations where nothing is to be done. Raises Refusal.

    A pod at CREATE often has no namespace of its own yet.
    """
    annotations = pod["metadata"].get("annotations") or {}
    default = NamespaceDefault.read(namespace, lookup.labelled_namespace(namespace) or {})
    chosen = choose(pod, default, _by_name(namespace, lookup) if default else {})
    if not chosen.wanted:
        return [], [*chosen.warnings]
    refuse_crowded_pod(pod)
    wanted = replace(wishes.read(annotations), databases=chosen.databases, end_seconds=_end_seconds(pod))
    bundles = _bundles(namespace, wanted, lookup)
    places = served(wanted)
    upstreams = [_upstream(one.database, place.port) for one, place in zip(bundles, places, strict=True)]
    if not shape.native_sidecars:
        raise Refusal("this cluster is older than Kubernetes 1.29 and has no native sidecars")
    isolation.refuse_sharing(pod)
    _refuse_taken(pod, wanted, places)
    volumes = sidecar.volumes(shape, upstreams)
    _refuse_named(pod, volumes)
    isolation.refuse_misleading(pod, _hosts(bundles, shape))
    isolation.refuse_reaching(pod, _credentials(namespace, lookup), shape.host_paths)
    ranges = lookup.limit_ranges(namespace)
    resources = compute.fitted(sidecar.resources_of(shape, wanted), pod, ranges)
    whole_pods.refuse_without_room(pod, resources, ranges, lookup.resource_quotas(namespace))
    account = pod["spec"].get("serviceAccountName") or "default"
    warnings = wishes.unknown(annotations)
    warnings += [word for one in bundles for word in _uncovered(one, Workload(namespace, account))]
    warnings += placement.warnings(pod) + compute.warnings(resources, pod)
    patch = Patch(pod)
    made = sidecar.container(shape, wanted, upstreams, resources)
    kept = _add_sidecar(patch, made, volumes)
    if not kept and _injected(pod):
        warnings.append(f"container {sidecar.CONTAINER} was not the one that Penstock makes; it was replaced")
    variables = _variables(places, bundles, account, wanted.url_variable)
    warnings += environment.lead_to_sidecar(patch, variables, sidecar.CONTAINER, [one.prefix for one in places])
    warnings += detours.warnings(patch.document, _databases(namespace, lookup))
    generations = ",".join(str(one.generation) for one in bundles)
    stamps = {wishes.INJECTED_VERSION: shape.version, wishes.POLICY_GENERATION: generations}
    # A second look keeps the first one's word.
    stamps |= {name: annotations[name] for name in stamps if kept and name in annotations}
    _stamp(patch, {wishes.INJECT: "true", wishes.DATABASE: ",".join(wanted.databases), **stamps})
    return patch.operations, warnings


def _end_seconds(pod: Json) -> int:
    """How long it may take to end; an API server has written it by now, where nobody else has."""
    seconds = pod["spec"].get("terminationGracePeriodSeconds")
    return seconds if isinstance(seconds, int) and seconds >= 0 else _DEFAULT_END_SECONDS


def _variables(places: Sequence[Served], bundles: Sequence[Bundle], user: str, url_variable: str) -> dict[str, str]:
    """Those of all Databases. Raises Refusal."""
    found: dict[str, str] = {}
    if url_variable in environment.LIBPQ:
        raise Refusal(
            f"the annotation {wishes.PREFIX}url-variable is {url_variable}, which libpq reads for something else; "
            "choose another name, such as DATABASE_URL"
        )
    for place, bundle in zip(places, bundles, strict=True):
        more = environment.variables(
            port=place.port, user=user, dbname=bundle.database.spec.dbname, url_variable=url_variable,
            prefix=place.prefix,
        )  # fmt: skip
        taken = next((name for name in more if name in found), None)
        if taken is not None:
            raise Refusal(
                f"the variable {taken} would be the Database {place.name}'s and another one's; choose another "
                f"{wishes.PREFIX}url-variable or {wishes.PREFIX}variable-prefix"
            )
        found |= more
    return found


def _bundles(namespace: str, wanted: InjectionRequest, lookup: Lookup) -> list[Bundle]:
    names = lookup.databases(namespace)
    there = f"Databases in the namespace {namespace}: {', '.join(names) or 'none'}"
    if not wanted.databases:
        raise Refusal(f"the annotation {wishes.PREFIX}database is missing; {there}")
    found = []
    for name in wanted.databases:
        bundle = lookup.bundle(namespace, name)
        if bundle is None and name in names:
            raise Refusal(f"the Database {name} is not valid; kubectl describe database {name}")
        if bundle is None:
            raise Refusal(f"there is no Database {name}; {there}")
        found.append(bundle)
    return found


def _upstream(database: Database, port: int) -> DatabaseSecrets:
    ca = database.spec.tls.ca_secret_ref
    credentials = database.spec.credentials_secret_ref.name
    if ca is None:
        return DatabaseSecrets(database.name, credentials, port=port)
    return DatabaseSecrets(database.name, credentials, ca.name, ca.key, port)


def _hosts(bundles: Sequence[Bundle], shape: Shape) -> set[str]:
    """Whom the sidecar speaks with."""
    databases = (one.database.spec.host for one in bundles)
    names = (*databases, urlsplit(shape.control_url).hostname, urlsplit(shape.collector_url).hostname)
    return {name.rstrip(".").lower() for name in names if name}


def _credentials(namespace: str, lookup: Lookup) -> dict[str, str]:
    """The Secrets with credentials of the namespace's Databases, and whose they are."""
    return {one.spec.credentials_secret_ref.name: one.name for one in _databases(namespace, lookup)}


def _databases(namespace: str, lookup: Lookup) -> list[Database]:
    return [database for database in _by_name(namespace, lookup).values() if database is not None]


def _by_name(namespace: str, lookup: Lookup) -> dict[str, Database | None]:
    """The namespace's Databases; None for one that is not valid."""
    bundles = {name: lookup.bundle(namespace, name) for name in lookup.databases(namespace)}
    return {name: None if bundle is None else bundle.database for name, bundle in bundles.items()}


def _injected(pod: Json) -> bool:
    """Whether this pod says that it was through here before.

    Another webhook may have changed it since, or it is a copy of such a pod, maybe of an older one; or it only says so.
    """
    stamped = wishes.INJECTED_VERSION in (pod["metadata"].get("annotations") or {})
    return stamped and any(map(sidecar.is_ours, pod["spec"].get("initContainers") or []))


def _refuse_taken(pod: Json, wanted: InjectionRequest, places: Sequence[Served]) -> None:
    """Ports that the sidecar needs must be free."""
    ours = {wanted.health_port: ("would take", "health-port")}
    for one in places:
        what = "would take" if len(places) == 1 else f"would take for the Database {one.name}"
        ours[one.port] = (what, "port")
    for _, _, container in environment.applications(pod, sidecar.CONTAINER):
        for port in container.get("ports") or []:
            number = port.get("containerPort")
            if number in ours and port.get("protocol", "TCP") == "TCP":
                what, which = ours[number]
                free = "a free one" if which == "health-port" or len(places) == 1 else "free ones, one for each"
                raise Refusal(
                    f"container {container.get('name')} has port {number}, which the sidecar {what}; "
                    f"set the annotation {wishes.PREFIX}{which} to {free}"
                )


def _refuse_named(pod: Json, volumes: Sequence[Json]) -> None:
    """So must the names of its container and volumes."""
    injected = _injected(pod)
    for kind in (*environment.CONTAINER_LISTS, "ephemeralContainers"):
        if any(map(sidecar.is_ours, pod["spec"].get(kind) or [])) and not (injected and kind == "initContainers"):
            raise Refusal(f"the container name {sidecar.CONTAINER} is reserved for the sidecar; rename that container")
    ours = {volume["name"]: volume for volume in volumes}
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


def _add_sidecar(patch: Patch, container: Json, volumes: Sequence[Json]) -> bool:
    """Give the pod the sidecar and its volumes; whether it had this very sidecar. What only looks like it is taken out.

    A container under our name with another image, other arguments or other mounts would hold the credentials in our
    place.
    """
    spec = patch.document["spec"]
    for made in volumes:
        there = [volume.get("name") for volume in spec.get("volumes") or []]
        if made["name"] in there:
            place = there.index(made["name"])
            if is_same_volume(spec["volumes"][place], made):
                continue
            patch.remove(place, "spec", "volumes")
        patch.insert(made, len(spec.get("volumes") or []), "spec", "volumes")
    for place, there in enumerate(spec.get("initContainers") or []):
        if sidecar.is_ours(there):
            if is_same_container(there, container):
                return True
            patch.remove(place, "spec", "initContainers")
            break
    patch.insert(container, placement.place(spec.get("initContainers") or []), "spec", "initContainers")
    return False


def _stamp(patch: Patch, annotations: Mapping[str, str]) -> None:
    """Say on the pod what it was given, so that all who look at it later find what they would had it asked itself."""
    for name, value in annotations.items():
        patch.put(value, "metadata", "annotations", name)
    patch.put("true", "metadata", "labels", wishes.INJECTED_LABEL)
