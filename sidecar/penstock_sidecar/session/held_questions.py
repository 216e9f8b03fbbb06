"""What the server is asked about a statement before anybody approves it: what is sent, and read.

The session's settings, of which some change what a statement means, and what the planner estimates. When this is asked,
and what follows, is `held_pipeline.py`'s.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from penstock_core.sql.decision import Decision
from penstock_sidecar.session.in_flight import AnswerKind, Pending
from penstock_sidecar.session.opening import PINNED
from penstock_sidecar.session.pricing import EXPLAIN, Parameters
from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import MalformedError

# What clients set that no statement's meaning depends on, and what is asked for in any case.
_LEFT_OUT = ("application_name", "client_min_messages", "search_path", "statement_timeout")
# What the gate has set itself, as long as it is that.
_AS_PINNED = tuple(f"{name}={value}" for name, value in PINNED.items())
# Whoever sets them: the session, or whom and where the gate logs in.
_SOURCES = ("client", "session", "user", "database", "database user", "global")
# Of these, bare names mean another table in one session than in the next. No setting has a blank in its name.
TEMPORARY = "temporary tables"
# Which role statements run as is no setting that the view has.
_ALWAYS = ("search_path", "role", "session_authorization")
_NONE: frozenset[str] = frozenset()


def _list(names: Iterable[str]) -> str:
    """As texts; sessions have standard_conforming_strings on."""
    return ", ".join("'{}'".format(name.replace("'", "''")) for name in names)


# Every name is qualified: a search_path can put no other function or operator in the place of one.
_TEXT = f"""SELECT pg_catalog.json_object_agg(s.name, s.setting)::pg_catalog.text FROM (
 SELECT p.name::pg_catalog.text, p.setting::pg_catalog.text FROM pg_catalog.pg_settings AS p
 WHERE p.source OPERATOR(pg_catalog.=) ANY (ARRAY[{_list(_SOURCES)}]::pg_catalog.text[])
 AND p.name OPERATOR(pg_catalog.<>) ALL (ARRAY[{_list(_LEFT_OUT)}]::pg_catalog.text[])
 AND pg_catalog.concat(p.name, '=', p.setting)
 OPERATOR(pg_catalog.<>) ALL (ARRAY[{_list(_AS_PINNED)}]::pg_catalog.text[])
 UNION ALL SELECT n, pg_catalog.current_setting(n, true)
 FROM pg_catalog.unnest(ARRAY[%s]::pg_catalog.text[]) AS n
 UNION ALL SELECT '{TEMPORARY}', pg_catalog.string_agg(pg_catalog.quote_ident(c.relname), ', ' ORDER BY c.relname)
 FROM pg_catalog.pg_class AS c WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()
 AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p', 'v', 'm', 'f', 'S']::pg_catalog."char"[])) AS s
 WHERE s.setting OPERATOR(pg_catalog.<>) ''::pg_catalog.text"""  # noqa: S608 - of constants alone
_ROWS = re.compile(rb'"Plan Rows": ([0-9]+)')
_COST = re.compile(rb'"Total Cost": ([0-9]+(?:\.[0-9]+)?)')


@dataclass(slots=True)
class Questions:
    """What was asked about one statement, and what came of it."""

    # What is due for the settings, and for the plan.
    settings_due: list[Pending]
    plan_due: list[Pending]
    # A Sync of the gate's own ends it.
    end: Pending | None
    settings: Mapping[str, str] | None = None
    rows: float | None = None
    cost: float | None = None
    # The server did not answer but with an error, which the client has read.
    failed: bool = False
    sqlstate: str = ""
    # What counts as a setting and is not the server's to tell.
    besides: Mapping[str, str] = field(default_factory=dict)
    # It is asked about a Query, which that error ends.
    for_query: bool = False
    _owned: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._owned = {id(one) for one in (*self.settings_due, *self.plan_due)}

    def owns(self, pending: Pending) -> bool:
        """Whether the answer is for what was asked."""
        return id(pending) in self._owned

    def fail(self, sqlstate: str) -> None:
        """An error took the answer's place: the client reads it as its statement's, and what ends a Query."""
        self.failed, self.sqlstate = True, sqlstate
        if self.end is not None and self.for_query:
            self.end.swallow = False

    def note(self, pending: Pending, row: bytes, *, complete: bool) -> None:
        """A row that answers. Raises MalformedError."""
        if any(pending is one for one in self.settings_due):
            self.settings = {**_settings(row), **self.besides} if complete else None
        else:
            self.rows, self.cost = _estimates(row, complete=complete)


def asking(
    nobody: str, decision: Decision, parameters: Parameters, *, plan: bool, ends: bool, more: frozenset[str] = _NONE
) -> tuple[bytes, Questions, list[Pending]]:
    """What is sent, and what is due for it: a Sync of the gate's own at the end, so that no transaction stays open, or
    a Flush. No client knows the names, and nothing is left behind. `more` are settings that the server does not list.
    """
    text = _TEXT % _list((*_ALWAYS, *sorted(more)))
    sent, settings_due = _one(nobody, "settings", text, Parameters(), redact=False)
    plan_due: list[Pending] = []
    if plan:
        explain = EXPLAIN + (decision.priced or decision.text)
        explained, plan_due = _one(nobody, "plan", explain, parameters, redact=decision.redact_errors)
        sent += explained
    end = Pending(AnswerKind.SYNC, swallow=True) if ends else None
    due = [*settings_due, *plan_due, *([end] if end is not None else [])]
    return sent + (messages.SYNC if ends else messages.FLUSH), Questions(settings_due, plan_due, end), due


def name_of(nobody: str, about: str) -> str:
    """Under which name the server is asked about the settings, or the plan."""
    return hashlib.sha256(f"{about} {nobody}".encode()).hexdigest()[:32]


def _one(nobody: str, about: str, text: str, parameters: Parameters, *, redact: bool) -> tuple[bytes, list[Pending]]:
    name = name_of(nobody, about)
    tidy = messages.close_portal(name) + messages.close_statement(name)
    ask = messages.parse(name, text, parameters.types) + messages.bind_with(name, name, parameters.given)
    kinds = AnswerKind
    due = (kinds.CLOSE, kinds.CLOSE, kinds.PARSE, kinds.BIND, kinds.EXECUTE, kinds.CLOSE, kinds.CLOSE)
    pending = [Pending(kind, swallow=True, redact=redact) for kind in due]
    return tidy + ask + messages.execute(name) + tidy, pending


def _settings(row: bytes) -> Mapping[str, str]:
    values = messages.read_row(row)
    try:
        found = json.loads(values[0] or b"") if len(values) == 1 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(one, str) for pair in found.items() for one in pair):
        raise MalformedError("the settings of the session are not what was asked for")
    return found


def _estimates(row: bytes, *, complete: bool) -> tuple[float | None, float | None]:
    """The rows and the cost of a plan, or of its beginning; None where that does not tell.

    Of what writes, the node at the top tells no rows: the most of any node are told, which is not less than is changed.
    """
    rows = [float(one) for one in _ROWS.findall(row)]
    cost = _COST.search(row)
    if cost is None or not rows:
        return None, None
    writes = b'"Node Type": "ModifyTable"' in row
    if writes:
        return (max(rows) if complete else None), float(cost[1])
    return rows[0], float(cost[1])
