"""What an approval is good for: the one statement, by the one requester, that was asked for.

Two askings that are alike in all of it have one digest; an approval of one is an approval of the other, once.
"""

from __future__ import annotations

import hashlib

from penstock_core.audit.chain import canonical
from penstock_core.resources.access_request import (
    AccessRequestSpec,
    Effect,
    HeldBy,
    HeldStatement,
    Requester,
    RequestingWorkload,
)


def digest(database: str, held_by: HeldBy, statement: HeldStatement, requester: Requester, effect: Effect) -> str:
    """64 hexadecimal digits that stand for what is asked for.

    Of the pod, its service account counts: a retry may come from another replica. Of what the statement would do, its
    tables count, since one text may mean others by then. Who is asked to approve, estimates, reasons and times don't
    count; the policies' generation does, and where it is known what they say, so that a grant ends with the policy that
    it was given under.
    """
    rule = held_by.model_dump(mode="json", exclude={"approvers"}, exclude_none=True)
    return _digest(database, rule, statement, requester, effect)


def statement_digest(spec: AccessRequestSpec) -> str:
    """The same whichever rule holds it, of what a request asks for; empty where that is no statement."""
    if spec.held_by is None or spec.statement is None:
        return ""
    rule = spec.held_by.model_dump(mode="json", exclude={"approvers", "policy", "approval"}, exclude_none=True)
    return _digest(spec.database_ref.name, rule, spec.statement, spec.requester, spec.effect)


def _digest(
    database: str, rule: dict[str, object], statement: HeldStatement, requester: Requester, effect: Effect
) -> str:  # fmt: skip
    bound = {
        "database": database,
        "heldBy": rule,
        "statement": {
            "sql": statement.sql,
            "parametersDigest": statement.parameters_digest,
            "settings": sorted([one.name, one.value] for one in statement.settings),
        },
        "requester": whose(requester),
        "tables": sorted(effect.tables),
    }
    return hashlib.sha256(canonical(bound)).hexdigest()


def whose(requester: Requester) -> dict[str, object]:
    """The requester as far as it is the same from one session to the next: plain JSON types."""
    return {
        "workload": _account(requester.workload),
        "principal": requester.principal and requester.principal.model_dump(mode="json"),
        "actsFor": [one.model_dump(mode="json") for one in requester.acts_for],
    }


def _account(workload: RequestingWorkload | None) -> list[str] | None:
    return None if workload is None else [workload.namespace, workload.service_account]
