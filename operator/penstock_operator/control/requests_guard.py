"""Whether the API server keeps to it who may decide: the chart's ValidatingAdmissionPolicy and its binding, as watched.

Without them, whoever may write a status could approve; so control holds nothing then. What doesn't belong: what the
policy says (charts/penstock/templates/approvals.yaml).
"""

from __future__ import annotations

from penstock_operator.cluster.watch import Follower, Json, Key, ObjectChange

GUARD = "penstock-requests"
ADMISSION_PATH = "/apis/admissionregistration.k8s.io/v1"
POLICY, BINDING = "validatingadmissionpolicies", "validatingadmissionpolicybindings"
_REMEDY = "install the chart's templates/approvals.yaml as it is"


class RequestsGuard:
    """What is known of both objects. `supported`: whether the API server has such policies (Kubernetes 1.30)."""

    def __init__(self, *, supported: bool = True) -> None:
        self._supported = supported
        self._specs: dict[str, Json | None] = {}

    def follower(self, kind: str) -> Follower:
        """Where changes of POLICY or BINDING go."""
        return _Feed(self, kind)

    @property
    def trouble(self) -> str:
        """Why no decision can be relied on; empty if they can."""
        if not self._supported:
            return "statements can be held for approval from Kubernetes 1.30 on; this cluster is older"
        if len(self._specs) < len((POLICY, BINDING)):
            return "not ready: waiting for the admission policy of requests"
        policy, binding = self._specs[POLICY], self._specs[BINDING]
        if policy is None or binding is None:
            return f"the ValidatingAdmissionPolicy {GUARD} or its binding is not there; {_REMEDY}"
        if policy.get("failurePolicy", "Fail") != "Fail" or policy.get("matchConditions"):
            return f"the ValidatingAdmissionPolicy {GUARD} does not refuse everything that it should; {_REMEDY}"
        if "Deny" not in binding.get("validationActions", ()) or binding.get("matchResources"):
            return f"the binding of the ValidatingAdmissionPolicy {GUARD} does not put it in force; {_REMEDY}"
        return ""

    def take(self, kind: str, document: Json | None) -> None:
        """The object as it is now, or None where it is gone."""
        self._specs[kind] = None if document is None else (document.get("spec") or {})


class _Feed:
    """Passes what a watch saw of one kind on to the whole."""

    def __init__(self, guard: RequestsGuard, kind: str) -> None:
        self._guard = guard
        self._kind = kind

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        self._guard.take(self._kind, objects.get(("", GUARD)))

    def change(self, change: ObjectChange) -> None:
        if change.key == ("", GUARD):
            self._guard.take(self._kind, change.object)
