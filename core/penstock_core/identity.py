"""Who runs a statement: the pod it comes from and the person or agent who proved themselves in it.

Only identities that were verified are kept here. What a client merely claims (`application_name`, comments) is
recorded by the audit trail as asserted and decides nothing. Verifying tokens is I/O and belongs in the sidecar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PrincipalKind = Literal["person", "agent", "service"]


@dataclass(frozen=True, slots=True)
class Workload:
    """The pod that a connection comes from, as its projected token proves it."""

    namespace: str
    service_account: str
    pod: str = ""
    pod_uid: str = ""


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, agent or service that presented a token which was verified against its issuer."""

    kind: PrincipalKind
    subject: str
    issuer: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified identity of one session: a workload, a principal, or a principal within a workload."""

    workload: Workload | None = None
    principal: Principal | None = None

    @property
    def name(self) -> str:
        """A short name for people: `person:ada`, `agent:support-bot`, `sa:shop/web`, or `nobody`."""
        if self.principal is not None:
            return f"{self.principal.kind}:{self.principal.subject}"
        if self.workload is not None:
            return f"sa:{self.workload.namespace}/{self.workload.service_account}"
        return "nobody"

    def document(self) -> dict[str, object]:
        """The identity as audit events have it: plain JSON types, keys only where there is a value."""
        parts: dict[str, object] = {"name": self.name}
        if self.workload is not None:
            workload = self.workload
            parts["workload"] = {
                "namespace": workload.namespace,
                "serviceAccount": workload.service_account,
                "pod": workload.pod,
                "podUid": workload.pod_uid,
            }
        if self.principal is not None:
            principal = self.principal
            parts["principal"] = {
                "kind": principal.kind,
                "subject": principal.subject,
                "issuer": principal.issuer,
                "groups": list(principal.groups),
                "assurance": "verified",
            }
        return parts
