"""Writes docs/metrics.md and docs/alerts.md: what the programs count, from their code, and the alerts over it.

python -m docs.metrics --write      python -m docs.metrics --check
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import yaml
from docs.pages import main
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from penstock_collector.metrics import CollectorMetrics
from penstock_operator.control.access_grants import AccessGrants
from penstock_operator.control.certificate import ServedCertificate
from penstock_operator.control.metrics import ControlMetrics
from penstock_operator.control.policies import Policies
from penstock_operator.metrics import OperatorMetrics
from penstock_sidecar.proxy.gateway import Gateway
from penstock_sidecar.proxy.metrics import ProxyCollector, ProxyMetrics
from penstock_sidecar.shipping.shipper_process import ShipperProcess
from penstock_sidecar.shipping.spool import Spool

DOCS = Path(__file__).resolve().parent
ALERTS = DOCS.parent / "charts" / "penstock" / "files" / "monitoring" / "alerts.yaml"
METRICS_HEAD = """# Metrics

What each program tells Prometheus at `/metrics`, on its port for probes ([endpoints.md](endpoints.md)). Made from the
code by `make monitoring`. `monitoring.podMonitors.enabled` of the chart has them scraped, the sidecars of all
namespaces too; `monitoring.dashboard.enabled` brings a Grafana dashboard, and [alerts.md](alerts.md) has the alerts. No
name of a person, an application or a statement is in them; the label `database` is the name of a Database.

A gate of several processes ([gateway.md](gateway.md#several-processes)) adds up what adds up, gives the rest the label
`worker`, and has `penstock_workers` and `penstock_worker_sessions`, how many processes and sessions of each there are.

Where pods with a sidecar are closed by a NetworkPolicy, let Prometheus in to the port of `penstock.dev/health-port`
(9187, if there is no such annotation).
"""
ALERTS_HEAD = """# Alerts

The chart's rules for Prometheus (`monitoring.prometheusRule.enabled`), made from
`charts/penstock/files/monitoring/alerts.yaml` by `make monitoring`; without Prometheus's operator, that file is a rule
file as it is. *critical*: somebody has to look now. *warning*: today. What to do by symptom is in
[troubleshoot.md](troubleshoot.md), the metrics are in [metrics.md](metrics.md).
"""


@dataclass(frozen=True, slots=True)
class Described:
    """One metric, by the name that queries have."""

    name: str
    kind: str
    labels: tuple[str, ...]
    words: str


def programs() -> dict[str, list[Described]]:
    """What each program tells, by its name."""
    return {
        "A gate (sidecar, gateway)": asyncio.run(_gate()),
        "The collector": _registered(CollectorMetrics().registry),
        "Control": _registered(control().registry),
        "The operator": _registered(OperatorMetrics().registry),
    }


def control() -> ControlMetrics:
    """Control's, of a cluster with nothing in it."""
    metrics = ControlMetrics(Policies(), ServedCertificate())
    metrics.follow_emergencies(cast(AccessGrants, SimpleNamespace(unreviewed=list)))
    return metrics


class _Nothing(float):
    """A part of a gate in which nothing has happened: whatever is asked of it is nothing, too."""

    def __getattr__(self, name: str) -> _Nothing:
        return _Nothing()

    def __getitem__(self, key: object) -> _Nothing:
        return _Nothing()

    def __len__(self) -> int:
        return 0


async def _gate() -> list[Described]:
    """Of one database."""
    gateway = _Nothing()
    gateway.metrics, gateway.databases = ProxyMetrics(), {"shop": _Nothing()}
    collector = ProxyCollector(cast(Gateway, gateway), cast(Spool, _Nothing()), cast(ShipperProcess, _Nothing()))
    return [
        Described(
            _queried(one.name, one.type),
            one.type,
            tuple(sorted({label for sample in one.samples for label in sample.labels} - {"le"})),
            one.documentation,
        )
        for one in collector.collect()
    ]


def _registered(registry: CollectorRegistry) -> list[Described]:
    found = []
    for one in cast(Iterable[MetricWrapperBase], registry._collector_to_names):
        (family,) = one.describe()
        labels = tuple(one._labelnames)
        found.append(Described(_queried(family.name, family.type), family.type, labels, family.documentation))
    return found


def _queried(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def _metrics_page() -> Iterator[str]:
    yield METRICS_HEAD
    for program, metrics in programs().items():
        yield f"## {program}\n"
        yield "| metric | kind | labels | what |"
        yield "|---|---|---|---|"
        for one in metrics:
            labels = ", ".join(f"`{label}`" for label in one.labels)
            yield f"| `{one.name}` | {one.kind} | {labels} | {one.words} |"
        yield ""


def _alerts_page() -> Iterator[str]:
    yield ALERTS_HEAD
    titles = {"penstock-record": "The record", "penstock-gates": "Gates", "penstock-control": "Control and operator"}
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield f"## {titles[group['name']]}\n"
        for rule in group["rules"]:
            yield from _alert(rule)


def _alert(rule: dict[str, Any]) -> Iterator[str]:
    lasts = f", for {rule['for']}" if "for" in rule else ""
    words = rule["annotations"]["description"].replace("{{ ", "").replace(" }}", "").replace("$labels.", "")
    for filled, plain in _FILLED.items():
        words = words.replace(filled, plain)
    yield f"### {rule['alert']}\n"
    yield f"*{rule['labels']['severity']}*{lasts}: `{rule['expr']}`\n"
    yield f"{rule['annotations']['summary']} {words}\n"


# How the page writes what Prometheus fills in.
_FILLED = {
    "$value | humanizePercentage": "N %", "$value | humanizeDuration": "that long", "$value | humanize": "N",
    "$value": "N", "namespace/pod": "NAMESPACE/POD", "the Database database": "the Database DATABASE",
    "the alarm kind": "the alarm KIND", "certificate ends in": "CERTIFICATE ends in", "pod did not": "POD did not",
}  # fmt: skip


def pages() -> Iterable[tuple[Path, str]]:
    """Both files, as they should be."""
    return (
        (DOCS / "metrics.md", "\n".join(_metrics_page())),
        (DOCS / "alerts.md", "\n".join(_alerts_page())),
    )


if __name__ == "__main__":
    sys.exit(main(__doc__, pages(), "monitoring"))
