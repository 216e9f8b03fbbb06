"""Takes the events of a trail, in the order of each stream, and gives the rows of the evidence's tables.

Rows that stand for one event are given at once; what is summed up comes at the end. What doesn't belong: the order of
rows, and files (`penstock_cli.evidence`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock_core.audit.event import Event
from penstock_core.audit.report import Report
from penstock_core.evidence.period import Period
from penstock_core.evidence.statements import Statement, Statements
from penstock_core.evidence.tables import Row

# Of a statement's own verb: it changes data.
_WRITES = frozenset({"insert", "update", "delete", "merge", "truncate"})
# Of any of its verbs: it changes the schema or rights, or runs code that nobody reviewed.
_CHANGES = frozenset({"create", "alter", "drop", "truncate", "grant", "revoke", "comment", "import", "reassign", "do"})
_FAILED = frozenset({"error", "unknown"})


@dataclass(slots=True)
class _Count:
    """How many, of how many rows, from when to when."""

    statements: int = 0
    rows: int = 0
    first: str = ""
    last: str = ""

    def add(self, statement: Statement) -> None:
        self.statements += 1
        self.rows += statement.rows
        self.see(str(statement["time"]))

    def see(self, time: str) -> None:
        self.first = min(self.first or time, time)
        self.last = max(self.last, time)


@dataclass(slots=True)
class _Person:
    """What is known of one identity at one database."""

    seen: _Count = field(default_factory=_Count)
    kind: str = ""
    acts_for: str = ""
    assurance: str = ""
    logins: int = 0
    refused: int = 0
    failed: int = 0
    writes: int = 0

    def know(self, identity: Event) -> None:
        principal = identity.get("principal") or {}
        self.kind = str(principal.get("kind") or ("service" if identity.get("workload") else ""))
        self.assurance = str(principal.get("assurance") or ("verified" if identity.get("workload") else ""))
        self.acts_for = _words(f"{one.get('kind')}:{one.get('subject')}" for one in identity.get("actsFor") or ())


class Summary:
    """The evidence of a period, as it is gathered."""

    def __init__(self, period: Period) -> None:
        self.period = period
        self._statements = Statements()
        self._people: dict[tuple[str, str], _Person] = {}
        self._access: dict[tuple[str, ...], _Count] = {}
        self._masks: dict[tuple[str, ...], _Count] = {}
        # By day: how many there were, and how many of them were refused.
        self.days: Counter[str] = Counter()
        self.refused_days: Counter[str] = Counter()
        # Of the period.
        self.events = 0

    def take(self, event: Event) -> Iterable[Row]:
        """The next event, of any stream. One of another period counts where it ends a statement of this one.

        One whose fields are not what they should be is told of as such; the check of the trail names them.
        """
        try:
            return tuple(self._take(event))
        except (AttributeError, LookupError, TypeError, ValueError):
            place = str(event["stream"]), str(event["seq"])
            return (Row("missing", "", (*place, "not-counted", "no", "the tables are without it: a field is no such")),)

    def _take(self, event: Event) -> Iterator[Row]:
        within = self.period.contains(event)
        self.events += within
        if (statement := self._statements.take(event, within=within)) is not None:
            yield from self._ran(statement)
        elif within and (told := _TOLD.get(event["kind"])) is not None:
            yield from told(self, event)

    def finish(self, report: Report) -> Iterator[Row]:
        """What is summed up, and what the check of the trail found."""
        for statement in self._statements.without_end():
            yield from self._ran(statement)
        for (database, name), one in self._people.items():
            told = (name, one.kind, one.acts_for, one.assurance, database, one.seen.first, one.seen.last)
            counts = (one.logins, one.seen.statements, one.refused, one.failed, one.writes, one.seen.rows)
            yield Row("identities", "", (*told, *map(str, counts)))
        for key, count in self._access.items():
            yield Row("access", "", (*key, str(count.statements), str(count.rows), count.first, count.last))
        for key, count in self._masks.items():
            yield Row("masks", "", (*key, str(count.statements), count.first, count.last))
        yield from _missing(report)

    def _person(self, event: Event) -> _Person:
        person = self._people.setdefault((str(event.get("database", "")), _name(event)), _Person())
        if identity := event.get("identity"):
            person.know(identity)
        person.seen.see(event["time"])
        return person

    def _ran(self, statement: Statement) -> Iterator[Row]:
        begun, person = statement.begun, self._person(statement.begun)
        verbs = [str(one) for one in statement["verbs"] or ()]
        person.seen.add(statement)
        person.refused += statement.refused
        person.failed += statement.ran and statement.result in _FAILED
        person.writes += statement.ran and bool(_WRITES.intersection(verbs))
        self.days[begun["time"][:10]] += 1
        self.refused_days[begun["time"][:10]] += statement.refused
        if statement.ran:
            self._sum_up(statement, verbs)
        elif statement.refused:
            yield _refusal(statement)
        yield from _approvals(statement)
        if _CHANGES.intersection(verbs) and statement.ran:
            yield _change(statement)
        for one in statement["access"] or ():
            if one.get("breakGlass"):
                yield _emergency_statement(statement, one)

    def _sum_up(self, statement: Statement, verbs: list[str]) -> None:
        who = str(statement["database"] or ""), _name(statement.begun)
        for relation in statement["relations"] or ():
            self._access.setdefault((*who, str(relation), verbs[0] if verbs else ""), _Count()).add(statement)
        for mask in statement["masks"] or ():
            told = tuple(str(mask.get(name, "")) for name in ("column", "mask", "policy", "rule"))
            self._masks.setdefault((*who, *told), _Count()).add(statement)
        for condition in statement["unless"] or ():
            if condition.get("result") == "lifted":
                told = f"none: {condition.get('condition', '')}", condition.get("policy", ""), condition.get("rule", "")
                for column in condition.get("columns") or ():
                    self._masks.setdefault((*who, str(column), *map(str, told)), _Count()).add(statement)

    def _login(self, event: Event) -> Iterator[Row]:
        if event.get("outcome") == "accepted":
            self._person(event).logins += 1
            return
        client = event.get("client") or {}
        yield _row(
            "logins-refused", event, event.get("database"), client.get("addr") or _words(event.get("addresses") or ()),
            client.get("user"), _name(event), event.get("reason"), event.get("policy"), event.get("count", 1),
        )  # fmt: skip

    def _emergency(self, event: Event) -> Iterator[Row]:
        told = (event.get(name) for name in ("database", "request", "policy", "until"))
        database, *rest = told
        yield _row("emergencies", event, database, _name(event), *rest, "", "", "")

    def _policy(self, event: Event) -> Iterator[Row]:
        policies = _words(f"{one.get('name')} ({one.get('mode')})" for one in event.get("policies") or ())
        told = event.get("database"), event.get("policyGeneration"), event.get("policyDigest")
        yield _row("policies", event, *told, policies, "; ".join(map(str, event.get("changes") or ())))

    def _around(self, event: Event) -> Iterator[Row]:
        yield _row("around", event, event.get("database"), event.get("count"), _words(event.get("logins") or ()))

    def _reading(self, event: Event) -> Iterator[Row]:
        by = event.get("by") or {}
        filters = _words(f"{one.get('name')}={one.get('value')}" for one in event.get("filters") or ())
        told = (event.get(name) for name in ("result", "reason"))
        who = by.get("name"), by.get("kind")
        yield _row("readings", event, *who, event.get("action"), event.get("what"), filters, *told)


_TOLD = {
    "login": Summary._login, "emergency": Summary._emergency, "policy": Summary._policy, "around": Summary._around,
    "reading": Summary._reading,
}  # fmt: skip


def _missing(report: Report) -> Iterator[Row]:
    for found in report.findings:
        declared = "yes" if found.fault.declared else "no"
        yield Row("missing", "", (found.stream, str(found.seq), found.fault.value, declared, found.message))
    for stream, of in (("", report.stray), *((one.stream, one.found) for one in report.streams)):
        for fault, count in of.left_out.items():
            declared = "yes" if fault.declared else "no"
            yield Row("missing", "", (stream, "", fault.value, declared, f"{count} more of this kind"))


def _refusal(statement: Statement) -> Row:
    # Of one that was refused while it ran, the end tells by which limit.
    told = {**statement.begun, **(statement.ended or {})}
    why = (told.get(name) for name in ("policy", "rule", "reason"))
    return _row("refusals", statement.begun, *_whose(statement), *why, *_what(statement))


def _approvals(statement: Statement) -> Iterator[Row]:
    for one in statement["approvals"] or ():
        told = (one.get(name) for name in ("policy", "rule", "request", "standing", "decidedBy", "decidedAt"))
        came = statement.result, statement.rows
        yield _row("approvals", statement.begun, *_whose(statement), *told, *_what(statement), *came)


def _change(statement: Statement) -> Row:
    approvals = statement["approvals"] or ()
    by, request = (_words(one[name] for one in approvals if one.get(name)) for name in ("decidedBy", "request"))
    return _row("changes", statement.begun, *_whose(statement), *_what(statement), statement.result, by, request)


def _emergency_statement(statement: Statement, access: Event) -> Row:
    told = (access.get(name) for name in ("request", "policy", "until"))
    came = statement["sql"], statement.result, statement.rows
    return _row("emergencies", statement.begun, *_whose(statement), *told, *came)


def _row(table: str, event: Event, *values: Any) -> Row:
    texts = ("" if value is None else str(value) for value in values)
    return Row(table, event["time"], (event["time"], *texts, event["stream"], str(event["seq"])))


def _whose(statement: Statement) -> tuple[Any, str]:
    return statement["database"], _name(statement.begun)


def _what(statement: Statement) -> tuple[str, str, Any]:
    return _words(statement["verbs"] or ()), _words(statement["relations"] or ()), statement["sql"]


def _name(event: Event) -> str:
    return str((event.get("identity") or {}).get("name", ""))


def _words(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
