"""What events come to, in rows of the evidence's tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock_core.audit.fields import DEFINITIONS
from penstock_core.audit.report import Fault, Finding, Findings, Report, StreamReport
from penstock_core.evidence.period import Period, moment
from penstock_core.evidence.summary import Summary
from penstock_core.evidence.tables import TABLES

EVE = {"name": "person:eve", "principal": {"kind": "person", "subject": "eve", "assurance": "verified"}}
BOT = {
    "name": "agent:bot for person:eve", "principal": {"kind": "agent", "subject": "bot", "assurance": "verified"},
    "actsFor": [{"kind": "person", "subject": "eve"}],
}  # fmt: skip
WEB = {"name": "sa:shop/web", "workload": {"namespace": "shop", "serviceAccount": "web"}}


class Trail:
    """A summary that is told of events, and its rows by table and column."""

    def __init__(self) -> None:
        self.summary = Summary(Period(moment("2026-07-01"), moment("2026-10-01")))
        self.seq = 0
        self.rows: dict[str, list[dict[str, str]]] = {name: [] for name in TABLES}

    def say(self, kind: str, day: str = "2026-07-02", **fields: Any) -> None:
        self.seq += 1
        head = {"v": 2, "stream": "gw/1", "seq": self.seq, "time": f"{day}T09:{self.seq:02}:00.000000Z"}
        self._keep(self.summary.take({**head, "kind": kind, **fields}))

    def statement(self, identity: dict[str, Any], verb: str, *relations: str, **fields: Any) -> None:
        told = {"decision": "allow", "masked": [], "result": "ok", "rows": 2, "sql": f"{verb} it"}
        place = {"session": "s", "statement": self.seq, "database": "shop", "identity": identity}
        self.say("statement", **{**place, "verbs": [verb], "relations": list(relations), **told, **fields})

    def finish(self, report: Report | None = None) -> Trail:
        self._keep(self.summary.finish(report or Report(())))
        return self

    def _keep(self, rows: Any) -> None:
        for row in rows:
            assert all(isinstance(one, str) for one in row.values)
            self.rows[row.table].append(dict(zip(TABLES[row.table].columns, row.values, strict=True)))

    def of(self, table: str, *columns: str) -> list[tuple[str, ...]]:
        return [tuple(row[one] for one in columns) for row in self.rows[table]]


@pytest.fixture
def trail() -> Iterator[Trail]:
    trail = Trail()
    yield trail
    known = {str(one) for one in range(1, trail.seq + 1)} | {"", "0"}
    assert {row["seq"] for rows in trail.rows.values() for row in rows if "seq" in row} <= known


def test_who_had_access(trail: Trail) -> None:
    trail.say("login", outcome="accepted", database="shop", identity=EVE)
    trail.statement(EVE, "select", "public.orders")
    trail.statement(EVE, "update", "public.orders", result="error", rows=0)
    trail.statement(BOT, "delete", "public.orders", decision="deny", result="denied", rows=0)
    trail.statement(WEB, "insert", "public.orders", rows=1)
    trail.finish()
    columns = (
        "identity",
        "kind",
        "acts_for",
        "assurance",
        "logins",
        "statements",
        "refused",
        "failed",
        "changing_data",
    )
    assert trail.of("identities", *columns, "rows") == [
        ("person:eve", "person", "", "verified", "1", "2", "0", "1", "1", "2"),
        ("agent:bot for person:eve", "agent", "person:eve", "verified", "0", "1", "1", "0", "0", "0"),
        ("sa:shop/web", "service", "", "verified", "0", "1", "0", "0", "1", "1"),
    ]
    assert trail.of("identities", "first_seen", "last_seen")[0] == (
        "2026-07-02T09:01:00.000000Z", "2026-07-02T09:03:00.000000Z",
    )  # fmt: skip


def test_who_used_which_tables(trail: Trail) -> None:
    for _ in range(3):
        trail.statement(EVE, "select", "public.orders", "public.people")
    trail.statement(EVE, "delete", "public.orders", rows=7)
    trail.statement(EVE, "select", "public.cards", decision="deny", result="denied")
    trail.statement(EVE, "select", "public.never", result="skipped", rows=0)
    trail.finish()
    assert trail.of("access", "relation", "verb", "statements", "rows") == [
        ("public.orders", "select", "3", "6"), ("public.people", "select", "3", "6"),
        ("public.orders", "delete", "1", "7"),
    ]  # fmt: skip


def test_masks_and_those_that_were_lifted(trail: Trail) -> None:
    mask = {"column": "public.people.email", "mask": "hash", "policy": "support", "rule": "masks[0]"}
    lifted = {"policy": "support", "rule": "masks[1]", "condition": "ticket()", "columns": ["public.people.phone"]}
    conditions = [{**lifted, "result": "lifted"}, {**lifted, "result": "failed", "condition": "other()"}]
    trail.statement(EVE, "select", "public.people", masks=[mask], unless=conditions, decision="rewrite")
    trail.finish()
    assert trail.of("masks", "identity", "column", "mask", "policy", "rule", "statements") == [
        ("person:eve", "public.people.email", "hash", "support", "masks[0]", "1"),
        ("person:eve", "public.people.phone", "none: ticket()", "support", "masks[1]", "1"),
    ]


def test_refusals_say_which_rule_and_why(trail: Trail) -> None:
    told = {"policy": "support", "rule": "allow", "reason": "support may not delete"}
    trail.statement(EVE, "delete", "public.orders", decision="deny", result="denied", **told)
    key = {"session": "t", "statement": 1}
    trail.say(
        "intent", **key, identity=EVE, database="shop", decision="allow", verbs=["update"], relations=["o"], sql="u"
    )
    limit = {"policy": "limits", "rule": "maxRowsChanged", "reason": "it changes 12 rows"}
    trail.say("outcome", **key, result="denied", rows=0, **limit)
    columns = ("policy", "rule", "reason", "verbs", "sql", "seq")
    assert trail.of("refusals", *columns) == [
        (*told.values(), "delete", "delete it", "1"), (*limit.values(), "update", "u", "2"),
    ]  # fmt: skip


def test_refused_logins(trail: Trail) -> None:
    client = {"addr": "10.0.0.7:1", "user": "app"}
    trail.say("login", outcome="refused", database="shop", client=client, reason="the token expired", sqlstate="28000")
    trail.say("login", outcome="refused", count=90, addresses=["10.0.0.8", "10.0.0.9"], reason="no token")
    columns = ("database", "client", "user", "identity", "reason", "count")
    assert trail.of("logins-refused", *columns) == [
        ("shop", "10.0.0.7:1", "app", "", "the token expired", "1"),
        ("", "10.0.0.8, 10.0.0.9", "", "", "no token", "90"),
    ]


def test_changes_of_schema_and_rights_with_who_approved(trail: Trail) -> None:
    granted = {"policy": "p", "rule": "approvals[0]", "standing": "granted", "request": "r-1", "decidedBy": "bea"}
    trail.statement(EVE, "alter", "public.orders", approvals=[granted])
    trail.statement(EVE, "do", sql="DO '…'")
    trail.statement(EVE, "drop", "public.old", decision="deny", result="denied")
    trail.statement(EVE, "insert", "public.orders")
    assert trail.of("changes", "verbs", "decided_by", "request", "result") == [
        ("alter", "bea", "r-1", "ok"), ("do", "", "", "ok"),
    ]  # fmt: skip


def test_what_was_held(trail: Trail) -> None:
    waiting = {"policy": "p", "rule": "approvals[0]", "standing": "waiting", "request": "r-1"}
    trail.statement(BOT, "delete", "public.orders", decision="deny", result="denied", approvals=[waiting])
    granted = {**waiting, "standing": "granted", "decidedBy": "bea", "decidedAt": "2026-07-02T10:00:00Z"}
    trail.statement(BOT, "delete", "public.orders", rows=1, approvals=[granted])
    assert trail.of("approvals", "standing", "decided_by", "decided_at", "result", "rows") == [
        ("waiting", "", "", "denied", "2"), ("granted", "bea", "2026-07-02T10:00:00Z", "ok", "1"),
    ]  # fmt: skip


def test_emergencies_and_what_ran_by_them(trail: Trail) -> None:
    taken = {"request": "e-3", "policy": "incident", "until": "2026-07-02T11:00:00Z"}
    trail.say("emergency", identity=EVE, database="shop", **taken)
    access = {**taken, "decidedBy": "eve", "breakGlass": True}
    trail.statement(EVE, "update", "public.orders", access=[access, {**access, "breakGlass": False}])
    assert trail.of("emergencies", "identity", "request", "policy", "until", "sql", "rows") == [
        ("person:eve", *taken.values(), "", ""), ("person:eve", *taken.values(), "update it", "2"),
    ]  # fmt: skip


def test_policies_sessions_around_the_gate_and_readings(trail: Trail) -> None:
    policies = [{"name": "support", "mode": "enforce"}, {"name": "stop", "mode": "revoke"}]
    trail.say("policy", database="shop", policyGeneration=8, policies=policies, changes=["a is new", "b is gone"])
    trail.say("around", database="shop", count=2, logins=["app (psql)", "app (job)"])
    filters = [{"name": "verb", "value": "delete"}]
    trail.say("reading", action="searched", by={"name": "ada", "kind": "person"}, filters=filters)
    assert trail.of("policies", "generation", "policies", "changes") == [
        ("8", "support (enforce), stop (revoke)", "a is new; b is gone"),
    ]  # fmt: skip
    assert trail.of("around", "count", "logins") == [("2", "app (psql), app (job)")]
    assert trail.of("readings", "who", "action", "filters") == [("ada", "searched", "verb=delete")]


def test_other_periods_are_not_told_of(trail: Trail) -> None:
    for kind, definition in DEFINITIONS.items():
        trail.say(kind, "2026-06-30", **{name: value for name, value in definition.example.items() if name != "kind"})
    assert not any(trail.finish().rows.values())
    assert (trail.summary.events, trail.summary.days) == (0, {})


def test_every_example_of_an_event_is_taken(trail: Trail) -> None:
    for kind, definition in DEFINITIONS.items():
        trail.say(kind, **{name: value for name, value in definition.example.items() if name != "kind"})
    assert trail.finish().rows["missing"] == []
    assert trail.summary.events == len(DEFINITIONS)


def test_days_are_counted_and_what_has_no_end_counts_too(trail: Trail) -> None:
    trail.statement(EVE, "select")
    trail.say(
        "intent", "2026-07-03", session="t", statement=1, identity=EVE, database="shop", decision="deny", verbs=[]
    )
    assert trail.summary.days == {"2026-07-02": 1}
    trail.finish()
    assert (trail.summary.days, trail.summary.refused_days["2026-07-03"]) == ({"2026-07-02": 1, "2026-07-03": 1}, 1)


def test_what_is_missing_or_wrong(trail: Trail) -> None:
    findings = Findings()
    for seq in range(102):
        findings.add(Finding("gw/1", Fault.GAP, 0, f"seq {seq} missing"))
    findings.add(Finding("gw/1", Fault.LOSS, 0, "12 statements ran unrecorded"))
    trail.finish(Report((StreamReport("gw/1", found=findings),)))
    told = trail.of("missing", "stream", "fault", "declared", "message")
    assert told[0] == ("gw/1", "gap", "no", "seq 0 missing")
    assert told[-2:] == [
        ("gw/1", "loss", "yes", "12 statements ran unrecorded"), ("gw/1", "gap", "no", "2 more of this kind"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"identity": "eve"}, {"identity": ["eve"]}, {"verbs": 7}, {"masks": ["x"]}, {"masks": 7}, {"unless": [3]},
        {"approvals": "none"}, {"access": [1]}, {"relations": 3.5}, {"identity": {"principal": [1], "name": "x"}},
    ],
)  # fmt: skip
def test_fields_that_are_no_such_are_told_of_and_end_nothing(trail: Trail, fields: dict[str, Any]) -> None:
    trail.say("statement", **{"session": "s", "statement": 1, "decision": "allow", "identity": EVE, **fields})
    trail.statement(EVE, "select", "public.orders")
    assert trail.of("missing", "stream", "seq", "fault") == [("gw/1", "1", "not-counted")]
    assert len(trail.finish().rows["identities"]) >= 1
