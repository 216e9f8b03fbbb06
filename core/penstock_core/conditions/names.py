"""What a condition may name, one table: each name with its type and meaning, and which kind of condition may use it.

Only what is verified or observed is here: what a client says of itself would be no condition. What an expression may do
with the names is `bounds.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from penstock_core.identity import Identity

CelType = Literal["string", "list(string)", "timestamp", "int", "bool"]

# Of an identity with more groups, its groups are not told: then no condition about them can be evaluated.
MOST_GROUPS = 512


@dataclass(frozen=True, slots=True)
class Name:
    """One name, and what it stands for."""

    path: str
    type: CelType
    meaning: str

    @property
    def root(self) -> str:
        return self.path.partition(".")[0]


NAMES: tuple[Name, ...] = (
    Name("identity.name", "string", "as the audit trail has it: person:ada, sa:shop/web"),
    Name("identity.kind", "string", "person, agent or service; of who proved themselves with a token"),
    Name("identity.subject", "string", "the token's sub; names are an issuer's own"),
    Name("identity.issuer", "string", "the token's iss"),
    Name("identity.groups", "list(string)", "the groups that the token names"),
    Name("identity.namespace", "string", "the pod's namespace"),
    Name("identity.serviceAccount", "string", "the service account that the pod runs as"),
    Name("identity.pod", "string", "the pod's name"),
    Name("session.database", "string", "the name of the Database"),
    Name("session.clientAddress", "string", "where the connection comes from, without the port"),
    Name("session.access", "list(string)", "policies that are in effect for it because they were asked for"),
    Name("statement.verb", "string", "what the statement does: select, …; each thing, if there are several"),
    Name("statement.verbs", "list(string)", "all that it does"),
    Name("statement.tables", "list(string)", "schema.table of what it reads or writes"),
    Name("statement.estimatedRows", "int", "how many rows the planner expects it to return or change"),
    Name("statement.estimatedCost", "int", "what the planner expects it to cost, in its own units"),
    Name("statement.inTransaction", "bool", "whether a transaction block is open"),
    Name("now", "timestamp", "the time, in UTC"),
)

_APPLICATION = "it is what the client says of itself, and proves nothing; use identity"


@dataclass(frozen=True, slots=True)
class Scope:
    """One field that holds conditions: what they may name, and why not the rest."""

    holder: str
    roots: frozenset[str]
    # Names, or the roots of names, that people expect there → why there is none.
    absent: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def names(self) -> tuple[Name, ...]:
        return tuple(name for name in NAMES if name.root in self.roots)

    def why_absent(self, path: str) -> str:
        """Why that name can't be used there, if it is one that people expect."""
        return self.absent.get(path, "") or self.absent.get(path.partition(".")[0], "")


UNLESS = Scope(
    "unless",
    frozenset({"identity", "session", "now"}),
    {
        "session.application": _APPLICATION,
        "session.user": _APPLICATION,
        "statement": "a mask holds for whatever statement is sent; leave statement out, and use allow or guardrails",
    },
)
WHEN = Scope(
    "when",
    frozenset({"identity", "session", "statement", "now"}),
    {"session.application": _APPLICATION, "session.user": _APPLICATION},
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known beside the identity when conditions are evaluated. What is not known makes them fail."""

    # With its time zone.
    now: datetime | None = None
    # Without the port; empty where it is not known.
    client_address: str = ""
    # The policies that are in effect because they were asked for; None where that is not known.
    access: tuple[str, ...] | None = None


def values(identity: Identity, database: str, circumstances: Circumstances) -> dict[str, object]:
    """What each name stands for; names that stand for nothing are left out."""
    found: dict[str, object] = {"identity.name": identity.name, "session.database": database}
    if (principal := identity.principal) is not None:
        found |= {
            "identity.kind": principal.kind,
            "identity.subject": principal.subject,
            "identity.issuer": principal.issuer,
        }
        if len(principal.groups) <= MOST_GROUPS:
            found["identity.groups"] = list(principal.groups)
    if (workload := identity.workload) is not None:
        found |= {"identity.namespace": workload.namespace, "identity.serviceAccount": workload.service_account}
        if workload.pod:
            found["identity.pod"] = workload.pod
    if circumstances.client_address:
        found["session.clientAddress"] = circumstances.client_address
    if circumstances.access is not None:
        found["session.access"] = list(circumstances.access)
    if circumstances.now is not None and circumstances.now.tzinfo is not None:
        found["now"] = circumstances.now
    return found
