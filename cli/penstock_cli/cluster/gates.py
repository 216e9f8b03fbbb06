"""`kubectl penstock status`: each pod with a gate, gateways too: by which policies it decides, and what waits in it.

What the API server knows of a pod, and what the gate's metrics tell where one may ask for them (`pods/proxy`); what
nobody could tell is unknown. What doesn't belong: making such figures (`penstock_sidecar.proxy.metrics`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import click

from penstock_cli.cluster.options import cluster_api, output_option, where_options
from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi

Json = dict[str, Any]
_COLUMNS = {
    "NAMESPACE": "namespace", "POD": "pod", "DATABASE": "database", "GATE": "gate", "POLICY": "policy",
    "AGE": "policyAge", "REACHABLE": "reachable", "SESSIONS": "sessions", "IDLE": "idle", "SPOOL": "spool",
    "TROUBLE": "trouble",
}  # fmt: skip
# The label of the chart's gateways.
_GATEWAY = "penstock.dev/gateway"
# A gate that does not answer is not waited for.
_SECONDS = 3.0
_AT_ONCE = 8


class Sample(NamedTuple):
    """One figure of a gate; `database`: whose it is, None where it is the whole gate's."""

    name: str
    database: str | None
    value: float


@click.command
@where_options
@click.option("--all-namespaces", "-A", is_flag=True, help="Those of all namespaces.")
@output_option
def status(all_namespaces: bool, output: str, **where: Any) -> None:
    """Show each pod with a gate: whether it is ready, by which policies it decides and how old these are, whether it
    reaches its database, since when it has no session with it, and how many events wait for the collector.

    Figures are the gate's own, through the API server: that takes the right to get pods/proxy. Without it, and of gates
    that do not answer, they are unknown.
    """
    from penstock_cli.cluster.output import shown  # noqa: PLC0415 # `--help` loads no tables

    api = cluster_api(**where)
    shown(rows(api, everywhere=all_namespaces), output, _COLUMNS, "no pod has a gate")


def rows(api: ClusterApi, *, everywhere: bool) -> list[Json]:
    """A row for each database of each pod, by namespace and name."""
    from penstock_operator.inject.annotations import INJECTED_LABEL  # noqa: PLC0415 # as above
    from penstock_operator.objects import DATABASES, GROUP_PATH  # noqa: PLC0415 # as above

    within = "" if everywhere else f"/namespaces/{quote(api.namespace, safe='')}"
    pods: list[Json] = []
    for selector in (f"{INJECTED_LABEL}=true", _GATEWAY):
        pods += api.all(f"/api/v1{within}/pods?labelSelector={quote(selector, safe='')}")[0]
    try:
        found, _ = api.all(f"{GROUP_PATH}{within}/{DATABASES}")
    except Unusable:
        found = []
    databases = {(one["metadata"]["namespace"], one["metadata"]["name"]): one for one in found}
    pods.sort(key=lambda pod: (pod["metadata"]["namespace"], pod["metadata"]["name"]))
    with ThreadPoolExecutor(_AT_ONCE) as at_once:
        told = list(at_once.map(lambda pod: samples(_metrics(api, pod)), pods))
    return [
        _row(pod, name, databases.get((pod["metadata"]["namespace"], name)) or {}, figures(of_pod, name))
        for pod, of_pod in zip(pods, told, strict=True)
        for name in _databases(pod, of_pod)
    ]


def _metrics(api: ClusterApi, pod: Json) -> str:
    """What the gate says of itself; nothing where it can't be asked."""
    if (pod.get("status") or {}).get("phase") != "Running":
        return ""
    namespace, name = (quote(pod["metadata"][key], safe="") for key in ("namespace", "name"))
    try:
        return api.text(f"/api/v1/namespaces/{namespace}/pods/{name}:{_health_port(pod)}/proxy/metrics", _SECONDS)
    except Unusable:
        return ""


def samples(text: str) -> list[Sample]:
    """Those that are about the gate as a whole, or about one of its databases."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415 # as in `status`

    try:
        return [
            Sample(one.name, one.labels.get("database"), one.value)
            for family in text_string_to_metric_families(text)
            for one in family.samples
            if one.labels.keys() <= {"database"}
        ]
    except ValueError:
        # Somebody else answers at that port.
        return []


def figures(told: Iterable[Sample], database: str) -> dict[str, float]:
    """What is about the gate or that database, each by its name."""
    return {one.name: one.value for one in told if one.database in (None, database)}


def _databases(pod: Json, told: Iterable[Sample]) -> list[str]:
    """Which a pod's gate is for: its annotation says so; of a gateway, it itself."""
    from penstock_operator.inject.annotations import DATABASE, listed  # noqa: PLC0415 # as in `status`

    if names := listed(_annotations(pod).get(DATABASE, "")):
        return [*names]
    return sorted({one.database for one in told if one.database is not None}) or [""]


def _row(pod: Json, name: str, database: Json, figures: Mapping[str, float]) -> Json:
    metadata, annotations = pod["metadata"], _annotations(pod)
    known = (database.get("status") or {}).get("policyGeneration")
    running = _whole(figures.get("penstock_policy_generation"))
    suspended = ((database.get("spec") or {}).get("suspended") or {}).get("reason")
    reached = figures.get("penstock_database_reachable", -1)
    return {
        "namespace": metadata["namespace"],
        "pod": metadata["name"],
        "database": name or None,
        "gate": _gate(pod),
        "version": annotations.get("penstock.dev/injected-version"),
        "policy": _policy(running, known, suspended),
        "policyGeneration": running,
        "latestGeneration": known,
        "latestDigest": (database.get("status") or {}).get("policyDigest"),
        "suspended": suspended,
        "trouble": list(_trouble(database)),
        "policyAge": _seconds(figures.get("penstock_policy_age_seconds")),
        "reachable": None if reached < 0 else bool(reached),
        "sessions": _whole(figures.get("penstock_database_sessions")),
        "idle": _seconds(figures.get("penstock_database_idle_seconds")),
        "spool": _whole(figures.get("penstock_spool_events")),
        "lostStatements": _whole(figures.get("penstock_audit_lost_statements_total")),
    }


def _gate(pod: Json) -> str:
    """How its container stands, as the kubelet says."""
    from penstock_operator.inject.sidecar import CONTAINER  # noqa: PLC0415 # as in `status`

    told = pod.get("status") or {}
    states = [*(told.get("initContainerStatuses") or ()), *(told.get("containerStatuses") or ())]
    one = next((one for one in states if one.get("name") == CONTAINER), None)
    if one is None:
        return "missing" if states else "not started"
    for state in ("waiting", "terminated"):
        if (why := (one.get("state") or {}).get(state)) is not None:
            return f"{state}: {why.get('reason') or 'no reason given'}"
    words = "ready" if one.get("ready") else "not ready"
    restarts = one.get("restartCount") or 0
    return f"{words}, {restarts} restarts" if restarts else words


def _policy(running: int | None, known: int | None, suspended: str | None) -> str | None:
    if running is None:
        words = None
    elif running < 0:
        words = "none yet"
    elif known is None:
        words = f"{running}"
    else:
        words = f"{running}, current" if running == known else f"{running}, not {known}"
    if suspended is None:
        return words
    return f"suspended: {suspended}" + (f" ({words})" if words else "")


def _trouble(database: Json) -> Iterator[str]:
    """What of the Database is not so, or not known, as its conditions say, whatever types of them there are."""
    for one in (database.get("status") or {}).get("conditions") or ():
        if one.get("status") != "True":
            yield f"{one.get('type')} {one.get('status')}: {one.get('reason')}"


def _health_port(pod: Json) -> int:
    from penstock_operator.inject.sidecar import CONTAINER  # noqa: PLC0415 # as in `status`

    spec = pod.get("spec") or {}
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    ports = (port for one in containers if one.get("name") == CONTAINER for port in one.get("ports") or ())
    # As injection names it, and as the chart's gateways do.
    return next((port["containerPort"] for port in ports if port.get("name") in ("penstock-health", "health")), 9187)


def _annotations(pod: Json) -> Json:
    return pod["metadata"].get("annotations") or {}


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.0f}s"
