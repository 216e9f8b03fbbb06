"""What the operator counts for Prometheus.

What doesn't belong: serving it (`penstock_operator.health`), and what `control` counts, a program of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Gauge


class OperatorMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, quiet: Callable[[], int] = lambda: 0) -> None:
        """`quiet`: how many pods have had no session through their gate for long."""
        self.registry = CollectorRegistry()
        self._not_after = Gauge(
            "penstock_operator_cert_not_after_seconds",
            "When a certificate ends, in seconds since 1970.",
            ["certificate"],
            registry=self.registry,
        )
        self._kept = Gauge(
            "penstock_operator_last_kept_seconds",
            "When certificates and webhooks were last found or made right, in seconds since 1970.",
            registry=self.registry,
        )

        pods = Gauge(
            "penstock_operator_quiet_pods",
            "Pods without a session through their gate for longer than operator.quietMinutes, by each Database.",
            registry=self.registry,
        )
        pods.set_function(quiet)

    def kept(self) -> None:
        """Certificates and webhooks are right now."""
        self._kept.set_to_current_time()

    def certificates(self, not_after: Mapping[str, float]) -> None:
        """When each ends."""
        for name, seconds in not_after.items():
            self._not_after.labels(name).set(seconds)
