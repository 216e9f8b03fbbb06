"""What `control` counts for Prometheus.

What doesn't belong: serving it (`penstock_operator.health`).
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from penstock_core.approvals.access import overdue
from penstock_operator.control.access_grants import AccessGrants
from penstock_operator.control.certificate import ServedCertificate
from penstock_operator.control.policies import Policies


class ControlMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self, policies: Policies, certificate: ServedCertificate) -> None:
        self.registry = CollectorRegistry()
        self.reviews = Counter(
            "penstock_control_reviews", "Admission reviews answered.", ["review", "answer"], registry=self.registry
        )
        self.requests = Counter(
            "penstock_control_requests", "Questions of gates for approval answered.", ["answer"], registry=self.registry
        )
        self.streams = Gauge(
            "penstock_control_streams", "Sidecars that follow their policies now.", registry=self.registry
        )
        self.lost = Counter(
            "penstock_control_lost_events",
            "Audit events that went with a pod before the collector had them, as pods said.",
            registry=self.registry,
        )
        unusable = Gauge(
            "penstock_control_unusable_databases",
            "Databases without access because a resource of theirs is not valid.",
            registry=self.registry,
        )
        unusable.set_function(lambda: len(policies.unusable))
        not_after = Gauge(
            "penstock_control_cert_not_after_seconds",
            "When the certificate served ends, in seconds since 1970; 0 without one.",
            registry=self.registry,
        )
        not_after.set_function(lambda: certificate.not_after)

    def follow_emergencies(self, grants: AccessGrants) -> None:
        """How many emergencies are to be reviewed."""
        emergencies = Gauge(
            "penstock_control_emergencies", "Emergencies that nobody has reviewed.", ["review"], registry=self.registry
        )

        def late() -> int:
            return sum(overdue(one, grants.now) for one in grants.unreviewed())

        emergencies.labels("overdue").set_function(late)
        emergencies.labels("due").set_function(lambda: len(grants.unreviewed()) - late())
