"""Who runs a statement: the pod it comes from, who proved themselves in it, and for whom an agent or a pod acts.

Only identities that were verified are kept here. What a client merely claims (`application_name`, comments) is
recorded by the audit trail as asserted and decides nothing. Verifying tokens is I/O and belongs in the sidecar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PrincipalKind = Literal["person", "agent", "service"]
# Verified: it was proved, and decides. Asserted: somebody says so; it is recorded, and decides nothing.
Assurance = Literal["verified", "asserted"]

# The longest chain of those for whom an agent acts.
MOST_ACTED_FOR = 8


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

    @property
    def name(self) -> str:
        """A short name for people: `person:ada`."""
        return f"{self.kind}:{self.subject}"

    def document(self, assurance: Assurance) -> dict[str, object]:
        """The principal as audit events have it."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "issuer": self.issuer,
            "groups": list(self.groups),
            "assurance": assurance,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified identity of one session: a workload, a principal, or a principal within a workload.

    An agent that acts for somebody has whom it acts for in `acts_for`, nearest first: agents that passed the work on,
    and last who it all is for. So has whoever acts for a person within one transaction, by a context (`by_context`):
    a pod, a service or an agent. Raises ValueError for a chain that can't be.
    """

    workload: Workload | None = None
    principal: Principal | None = None
    acts_for: tuple[Principal, ...] = ()
    # What proved for whom it acts was a context of one transaction, and not the token that the session began with.
    by_context: bool = False

    def __post_init__(self) -> None:
        if self.by_context:
            self._check_context()
            return
        if not self.acts_for:
            return
        if self.principal is None or self.principal.kind != "agent":
            raise ValueError("only an agent acts for others")
        if len(self.acts_for) > MOST_ACTED_FOR:
            raise ValueError(f"an agent acts for a chain of at most {MOST_ACTED_FOR}")

    def _check_context(self) -> None:
        if self.workload is None and self.principal is None:
            raise ValueError("nobody can't act for others")
        if self.principal is not None and self.principal.kind == "person":
            raise ValueError("a person acts for nobody by a context")
        if len(self.acts_for) != 1 or self.acts_for[0].kind != "person":
            raise ValueError("by a context one acts for one person")

    def acting_for(self, person: Principal) -> Identity:
        """The same within a transaction of a person's. Raises ValueError where it can't act for them."""
        if self.acts_for:
            raise ValueError("an agent that acts for somebody acts for nobody else")
        return Identity(self.workload, self.principal, (person,), by_context=True)

    @property
    def beneficiary(self) -> Principal | None:
        """Who an agent's work is for in the end; None where nobody acts for another."""
        return self.acts_for[-1] if self.acts_for else None

    @property
    def parties(self) -> tuple[Identity, ...]:
        """Those whose rights decide, each by itself: one, or who acts in its pod and the one whom it acts for.

        Agents in between are for the record: to pass work on gives nobody a say in it.
        """
        if not self.acts_for:
            return (self,)
        return Identity(self.workload, self.principal), Identity(principal=self.acts_for[-1])

    @property
    def name(self) -> str:
        """A short name for people: `person:ada`, `agent:bot for person:ada`, `sa:shop/web`, or `nobody`."""
        beneficiary = self.beneficiary
        return self._own_name if beneficiary is None else f"{self._own_name} for {beneficiary.name}"

    @property
    def _own_name(self) -> str:
        if self.principal is not None:
            return self.principal.name
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
            parts["principal"] = self.principal.document("verified")
        if self.acts_for:
            *between, beneficiary = self.acts_for
            # The issuer says who passed the work on; nobody of them proved anything to it for this token.
            chain = [*(one.document("asserted") for one in between), beneficiary.document("verified")]
            parts["actsFor"] = chain
            if self.by_context:
                chain[-1]["provenBy"] = "context"
        return parts
