"""A request in words, the same on pages, in notices and JSON: who asks, for whom, what it would do, who decided.

What doesn't belong: the statement's text; only its page shows it.
"""

from __future__ import annotations

from penstock_core.resources.access_request import (
    AccessRequest,
    AccessRequestSpec,
    AccessRequestStatus,
    Effect,
    Requester,
    RequestingPrincipal,
)

_MOST_TABLES = 5


def visible(text: str) -> str:
    """The text with everything written out that would not show, or would move what stands around it."""
    return "".join(letter if letter.isprintable() else escaped(letter) for letter in text)


def escaped(letter: str) -> str:
    """A character by its number."""
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


def people(requester: Requester) -> list[str]:
    """Who asks, and whom they act for, nearest first: `agent:bot`, `person:ada`."""
    first = pod(requester) or "nobody" if requester.principal is None else _principal(requester.principal)
    return [first, *map(_principal, requester.acts_for)]


def pod(requester: Requester) -> str:
    """The service account of the pod that it comes from, "" if it comes from none."""
    workload = requester.workload
    return "" if workload is None else f"sa:{workload.namespace}/{workload.service_account}"


def _principal(one: RequestingPrincipal) -> str:
    return visible(f"{one.kind}:{one.subject}")


def who(requester: Requester) -> str:
    """In one line: `agent:bot for person:ada`."""
    return " for ".join(people(requester))


def deed(effect: Effect) -> str:
    """Verbs and tables in one line: `DELETE on public.orders`."""
    verbs = visible(", ".join(effect.verbs)).upper() or "a statement"
    tables = [visible(table) for table in effect.tables[:_MOST_TABLES]]
    more = len(effect.tables) - len(tables)
    named = ", ".join(tables) + (f" and {more} more" if more else "")
    return f"{verbs} on {named}" if tables else verbs


def rows(effect: Effect) -> str:
    """How many rows the planner expects, "" if it was not asked."""
    if effect.estimated_rows is None:
        return ""
    count = round(effect.estimated_rows)
    return f"about {count:,} row{'' if count == 1 else 's'}".replace(",", "\u202f")


def what(spec: AccessRequestSpec) -> str:
    """What is asked for, in one line: `DELETE on public.orders`, `access by policy incident for 1h`."""
    access = spec.access
    if access is None:
        return deed(spec.effect)
    emergency = " in an emergency" if spec.break_glass is not None else ""
    return f"access by policy {access.policy} for {access.duration}{emergency}"


def rule(spec: AccessRequestSpec) -> str:
    """The rule that holds it: policy and approval; of access, the policy."""
    return spec.policy if spec.held_by is None else f"{spec.held_by.policy}/{spec.held_by.approval}"


def asked(request: AccessRequest) -> dict[str, object]:
    """As JSON has it: what is asked of whom, and by whom."""
    spec = request.spec
    return {
        "namespace": request.metadata.namespace,
        "database": spec.database_ref.name,
        "policy": spec.policy,
        "approval": spec.held_by.approval if spec.held_by is not None else "",
        "approvers": list(spec.approvers),
        "access": None if spec.access is None else spec.access.duration,
        "breakGlass": spec.break_glass is not None,
        "reviewBy": spec.break_glass.review_by if spec.break_glass is not None else None,
        "requester": people(spec.requester),
        "workload": pod(spec.requester),
    }


def became(status: AccessRequestStatus) -> dict[str, object]:
    """As JSON has it: what was decided, and whether it was used."""
    return {
        "decision": status.decision,
        "decidedBy": status.decided_by,
        "decidedAt": status.decided_at,
        "comment": status.comment,
        "usedAt": status.consumed_at,
        "until": status.until,
        "endedAt": status.ended_at,
        "endedBy": status.ended_by,
        "reviewedAt": status.reviewed_at,
        "reviewedBy": status.reviewed_by,
        "review": status.review,
    }
